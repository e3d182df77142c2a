"""Velocity-to-footstep planner (paper B18): base velocity commands become timed foot placements, N worlds at a time.

Each step is latched when the foot before it is due on the ground. Its target is expressed in the yaw frame of the
foot that now stands, so a misplaced foot moves the plan with it and no error is handed on to the controller. A desired
pose of the base is integrated along the command; a step also corrects (within bounds) what the robot lags behind it,
so the walked distance follows the command although single steps may fall short.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from core.control.footstep_config import FootstepConfig
from core.rigid import wrap_angle, yaw_of
from core.types import CONTROL_PERIOD_S, Batched, WorldState

TerrainHeight = Callable[[Float[Tensor, "*n 2"]], Float[Tensor, "*n"]]
"""World x, y in m -> height of the ground, m."""

PLANNED_STEPS = 4
STAND, LEFT, RIGHT = -1, 0, 1


def flat_ground(xy_w: Float[Tensor, "*n 2"]) -> Float[Tensor, "*n"]:
    """Height 0 everywhere."""
    return torch.zeros_like(xy_w[..., 0])


@dataclass
class FootstepCommand(Batched):
    """What the lower-body controller follows (paper B12)."""

    swing: Int[Tensor, "N"]
    "(N,) -1 both feet stand, 0 the left foot steps, 1 the right foot steps"
    countdown_s: Float[Tensor, "N"]
    "(N,) until touch-down; the foot lifts off when swing_s is left; 0 when standing"
    target_stance: Float[Tensor, "N 4"]
    "(N, 4) x, y, z m and yaw rad of the stepping sole in the stance foot's yaw frame; 0 when standing"
    planned_w: Float[Tensor, "N P 4"]
    "(N, P, 4) upcoming footsteps, world x, y, z, yaw; the first is the one under way"
    planned_side: Int[Tensor, "N P"]
    "(N, P) 0 left, 1 right"
    new_step: Bool[Tensor, "N"]
    "(N,) this tick began a step, or ended the last one"


def rotate_xy(yaw: Float[Tensor, "*#n"], xy: Float[Tensor, "*#n 2"]) -> Float[Tensor, "*_ 2"]:
    """Rotate plane vectors by yaw."""
    c, s = torch.cos(yaw), torch.sin(yaw)
    x, y = xy[..., 0], xy[..., 1]
    return torch.stack((c * x - s * y, s * x + c * y), dim=-1)


def compose_planar(a: Float[Tensor, "*#n 3"], b: Float[Tensor, "*#n 3"]) -> Float[Tensor, "*_ 3"]:
    """Planar poses x, y, yaw: T_world_b = T_world_a @ T_a_b."""
    xy = a[..., :2] + rotate_xy(a[..., 2], b[..., :2])
    return torch.cat((xy, (a[..., 2] + b[..., 2])[..., None]), dim=-1)


def relative_planar(a: Float[Tensor, "*#n 3"], b: Float[Tensor, "*#n 3"]) -> Float[Tensor, "*_ 3"]:
    """Planar pose of b in a: T_a_b = inv(T_world_a) @ T_world_b, yaw in [-pi, pi)."""
    xy = rotate_xy(-a[..., 2], b[..., :2] - a[..., :2])
    return torch.cat((xy, wrap_angle(b[..., 2] - a[..., 2])[..., None]), dim=-1)


def feet_planar(state: WorldState) -> Float[Tensor, "N 2 3"]:
    """World x, y, yaw of both soles."""
    return torch.cat((state.foot_pos_w[..., :2], yaw_of(state.foot_quat_w)[..., None]), dim=-1)


def middle(feet_w: Float[Tensor, "*n 2 3"]) -> Float[Tensor, "*n 3"]:
    """Planar pose halfway between two feet."""
    left, right = feet_w[..., 0, :], feet_w[..., 1, :]
    yaw = right[..., 2] + 0.5 * wrap_angle(left[..., 2] - right[..., 2])
    return torch.cat((0.5 * (left[..., :2] + right[..., :2]), yaw[..., None]), dim=-1)


def planar_displacement(velocity: Float[Tensor, "*#n 3"], duration_s: Float[Tensor, "*#n"]) -> Float[Tensor, "*_ 3"]:
    """Pose change x, y, yaw of a body that keeps a velocity in its own turning frame (chord of the arc)."""
    turn = velocity[..., 2] * duration_s
    xy = rotate_xy(0.5 * turn, velocity[..., :2] * duration_s[..., None])
    return torch.cat((xy, turn[..., None]), dim=-1)


def foot_sign(side: Int[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """+1 for the left foot (y > 0), -1 for the right foot."""
    return 1.0 - 2.0 * side.float()


class FootstepPlanner:
    """Turns base velocities into footsteps; call `update` at 50 Hz."""

    WORLD_FIELDS = (
        "swing", "last_swing", "ticks_left", "velocity", "desired_w", "target", "planned_w", "planned_side",
    )  # fmt: skip
    """Tensors with one row a world: the whole state."""

    def __init__(
        self, num_worlds: int, config: FootstepConfig | None = None, terrain: TerrainHeight = flat_ground
    ) -> None:
        self.config = config or FootstepConfig()
        self.terrain = terrain
        n = num_worlds
        self.swing = torch.full((n,), STAND)
        self.last_swing = torch.full((n,), RIGHT)
        "foot of the last step"
        self.ticks_left = torch.zeros(n, dtype=torch.long)
        self.velocity = torch.zeros(n, 3)
        "latched velocity of the step under way"
        self.desired_w = torch.zeros(n, 3)
        "pose that the command asks the base to have reached by now"
        self.target = torch.zeros(n, 4)
        self.planned_w = torch.zeros(n, PLANNED_STEPS, 4)
        self.planned_side = torch.zeros(n, PLANNED_STEPS, dtype=torch.long)

    def reset(self, worlds: Int[Tensor, "M"], state: WorldState) -> None:
        """Stand still from here in the chosen worlds."""
        feet = feet_planar(state)[worlds]
        self.swing[worlds] = STAND
        self.last_swing[worlds] = RIGHT
        self.ticks_left[worlds] = 0
        self.velocity[worlds] = 0.0
        self.desired_w[worlds] = middle(feet)
        self.target[worlds] = 0.0
        self._show_standing(worlds, feet)

    def update(
        self,
        state: WorldState,
        base_velocity: Float[Tensor, "N 3"],
        target_offset: Float[Tensor, "N 3"] | None = None,
    ) -> FootstepCommand:
        """Advance one control period.

        `base_velocity` is vx, vy (m/s) and wz (rad/s) in the heading frame. `target_offset` (x, y m, yaw rad) is added
        to the targets latched in this call (training on placements that no velocity would ask for).
        Raises ValueError when a velocity is not finite.
        """
        if not bool(base_velocity.isfinite().all()):
            raise ValueError("base_velocity holds NaN or infinity; filter commands before the footstep planner")
        feet = feet_planar(state)
        speed = torch.maximum(base_velocity[:, :2].norm(dim=-1), 0.5 * base_velocity[:, 2].abs())
        standing = self.swing == STAND
        self.ticks_left = (self.ticks_left - 1).clamp_min(0)
        finished = ~standing & (self.ticks_left == 0)
        self.last_swing = torch.where(finished, self.swing, self.last_swing)
        start = standing & (speed > self.config.start_speed)
        closing = (self.velocity == 0).all(dim=-1)
        halt = finished & closing & (speed < self.config.stop_speed) & self._aligned(feet)
        step = start | (finished & ~halt)

        at_rest = (standing & ~start) | halt
        self.desired_w = torch.where((standing | halt)[:, None], middle(feet), self.desired_w)
        moving = torch.where((at_rest | (speed < self.config.stop_speed))[:, None], 0.0, base_velocity)
        if bool(step.any()):
            self._latch(step, start, feet, moving, target_offset)
        # the command of this tick is what the base should follow until the next one
        dt = torch.full_like(speed, CONTROL_PERIOD_S)
        self.desired_w = compose_planar(self.desired_w, planar_displacement(moving, dt))
        if bool(halt.any()):
            stopped = halt.nonzero().squeeze(-1)
            self.swing[stopped] = STAND
            self.velocity[stopped] = 0.0
            self.target[stopped] = 0.0
        if bool(at_rest.any()):
            resting = at_rest.nonzero().squeeze(-1)
            self._show_standing(resting, feet[resting])
        return self.command(step | halt)

    def command(self, new_step: Bool[Tensor, "N"]) -> FootstepCommand:
        """The present command; `new_step` marks worlds whose step began or ended in this tick."""
        return FootstepCommand(
            swing=self.swing.clone(),
            countdown_s=self.ticks_left * CONTROL_PERIOD_S,
            target_stance=self.target.clone(),
            planned_w=self.planned_w.clone(),
            planned_side=self.planned_side.clone(),
            new_step=new_step,
        )

    def _aligned(self, feet: Tensor) -> Tensor:
        relative = relative_planar(feet[:, 1], feet[:, 0])  # left in right
        error = (relative[:, :2] - torch.tensor([0.0, self.config.width_m])).norm(dim=-1)
        return (error < self.config.aligned_m) & (relative[:, 2].abs() < self.config.aligned_rad)

    def _first_side(self, worlds: Tensor, feet: Tensor, velocity: Tensor) -> Tensor:
        """The foot on the side of the motion starts; walking straight, the one that is behind, else the other one."""
        sideways = velocity[:, 1] + 0.2 * velocity[:, 2]
        by_side = torch.where(sideways > 0, LEFT, RIGHT)
        lead = relative_planar(feet[:, 1], feet[:, 0])[:, 0] * torch.where(velocity[:, 0] < 0, -1.0, 1.0)
        by_lead = torch.where(lead > 0.02, RIGHT, torch.where(lead < -0.02, LEFT, 1 - self.last_swing[worlds]))
        return torch.where(sideways.abs() > 0.03, by_side, by_lead)

    def _latch(self, step: Tensor, start: Tensor, feet: Tensor, moving: Tensor, offset: Tensor | None) -> None:
        """Begin a step in the worlds of `step`; `start` marks those that stood."""
        config = self.config
        worlds = step.nonzero().squeeze(-1)
        start, feet, moving = start[worlds], feet[worlds], moving[worlds]
        change = torch.tensor(config.max_speed_change)
        velocity = self.velocity[worlds] + (moving - self.velocity[worlds]).clamp(-change, change)
        velocity = torch.where(moving.abs().sum(-1, keepdim=True) == 0, 0.0, velocity)
        side = torch.where(start, self._first_side(worlds, feet, velocity), 1 - self.last_swing[worlds])
        stance_w = feet[torch.arange(len(worlds)), 1 - side]

        duration = torch.where(start, config.first_step_s, config.step_s)
        width = config.width_m + config.width_per_lateral_speed_s * velocity[:, 1].abs()
        half = 0.5 * width * foot_sign(side)
        zero = torch.zeros_like(half)
        centre_w = compose_planar(stance_w, torch.stack((zero, half, zero), dim=-1))
        advance = self._advance(centre_w, self.desired_w[worlds], velocity, duration)
        # target in the stance frame: centre, advance, half a width
        target = compose_planar(torch.stack((zero, half, zero), dim=-1), advance)
        target = compose_planar(target, torch.stack((zero, half, zero), dim=-1))
        if offset is not None:
            target = target + offset[worlds]
        target = self._limit(target, side)

        self.swing[worlds] = side
        self.velocity[worlds] = velocity
        self.ticks_left[worlds] = (duration / CONTROL_PERIOD_S).round().long()
        landing_w = compose_planar(stance_w, target)
        rise = self.terrain(landing_w[:, :2]) - self.terrain(stance_w[:, :2])
        self.target[worlds] = torch.stack((target[:, 0], target[:, 1], rise, target[:, 2]), dim=-1)
        self._leash(worlds, landing_w, side, half)
        self._plan_ahead(worlds, landing_w, side, velocity, width)

    def _advance(self, centre_w: Tensor, desired_w: Tensor, velocity: Tensor, duration: Tensor) -> Tensor:
        """Pose of the next centre between the feet in the present one.

        The centre at touch-down is put where the command wants the base half a period before it: a stop at a random
        moment then neither over- nor undershoots on average.
        """
        config = self.config
        ahead = planar_displacement(velocity, duration - 0.5 * config.step_s)
        wanted = relative_planar(centre_w, compose_planar(desired_w, ahead))
        first = duration > config.step_s
        nominal = torch.where(first[:, None], ahead, planar_displacement(velocity, duration))
        bound = torch.tensor(config.max_correction)
        corrected = nominal + (wanted - nominal).clamp(-bound, bound)
        closing = (velocity.abs().sum(-1, keepdim=True) == 0) & ~first[:, None]
        return torch.where(closing, nominal, corrected)  # the last step only brings the feet together

    def _limit(self, target: Tensor, side: Tensor) -> Tensor:
        """Keep a target (x, y, yaw in the stance frame) within what the legs reach without touching each other."""
        config = self.config
        yaw = target[:, 2].clamp(-config.max_yaw_rad, config.max_yaw_rad)
        x = target[:, 0].clamp(-config.max_length_m, config.max_length_m)
        sign = foot_sign(side)
        nearest = config.min_width_m + config.min_width_per_yaw_m * yaw.abs()
        width = torch.minimum(torch.maximum(sign * target[:, 1], nearest), torch.tensor(config.max_width_m))
        return torch.stack((x, sign * width, yaw), dim=-1)

    def _leash(self, worlds: Tensor, landing_w: Tensor, side: Tensor, half: Tensor) -> None:
        """The desired pose stays near the plan: a blocked or pushed robot does not run after a far goal."""
        zero = torch.zeros_like(half)
        centre_w = compose_planar(landing_w, torch.stack((zero, -half, zero), dim=-1))
        lag = relative_planar(centre_w, self.desired_w[worlds])
        bound = torch.tensor([0.35, 0.25, 0.6])  # m, m, rad: a stride ahead plus a few corrections
        self.desired_w[worlds] = compose_planar(centre_w, lag.clamp(-bound, bound))

    def _plan_ahead(self, worlds: Tensor, landing_w: Tensor, side: Tensor, velocity: Tensor, width: Tensor) -> None:
        """Steps that follow when the velocity stays."""
        zero = torch.zeros_like(width)
        period = torch.full_like(width, self.config.step_s)
        advance = planar_displacement(velocity, period)
        foot_w = landing_w
        for i in range(PLANNED_STEPS):
            height = self.terrain(foot_w[:, :2])
            self.planned_w[worlds, i] = torch.stack((foot_w[:, 0], foot_w[:, 1], height, foot_w[:, 2]), dim=-1)
            self.planned_side[worlds, i] = side
            inwards = torch.stack((zero, -0.5 * width * foot_sign(side), zero), dim=-1)
            foot_w = compose_planar(compose_planar(compose_planar(foot_w, inwards), advance), inwards)
            side = 1 - side

    def _show_standing(self, worlds: Tensor, feet: Tensor) -> None:
        height = self.terrain(feet[..., :2])
        poses = torch.stack((feet[..., 0], feet[..., 1], height, feet[..., 2]), dim=-1)  # (M, 2, 4)
        repeats = PLANNED_STEPS // 2
        self.planned_w[worlds] = poses.repeat(1, repeats, 1)
        self.planned_side[worlds] = torch.tensor([LEFT, RIGHT]).repeat(repeats)
