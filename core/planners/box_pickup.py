"""Heuristic planner of the box pick-up: stage-conditioned phases that only give commands (paper B51).

Reads what the robot has too: base and box pose (motion capture), hand poses (encoders), the size of the box.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from core.planners.base import SPEEDS, SpeedLimits
from core.planners.box_pickup_style import StyleRanges, Styles
from core.planners.motion import bounded, move_towards, slew, speed_towards, turn_towards
from core.planners.stages import Stages
from core.rigid import quat_from_yaw, quat_inv, quat_mul, quat_rotate, quat_rotate_inv, wrap_angle, yaw_of
from core.t1.model import PALM_FACE_OFFSET_M
from core.tasks.box_pickup import BoxPickup
from core.tasks.box_pickup_scene import BOX
from core.tasks.terms import rotate_2d, upright_cosine
from core.types import CONTROL_PERIOD_S, CONTROL_STEPS_PER_COMMAND, Command, WorldState, gripper_open

_STYLE_STREAM = 0x5EED_57A1E
_SIDES = torch.tensor([1.0, -1.0])
"""Left, right."""
PERIOD_S = CONTROL_STEPS_PER_COMMAND * CONTROL_PERIOD_S

STAGES = ("approach", "align", "settle", "reach", "surround", "squeeze", "lift", "hold", "lower", "open")
APPROACH, ALIGN, SETTLE, REACH, SURROUND, SQUEEZE, LIFT, HOLD, LOWER, OPEN = range(len(STAGES))


@dataclass(frozen=True)
class BoxPickupPlannerConfig:
    """Thresholds of the phases. Distances in m, in the frame of the face to approach."""

    speeds: SpeedLimits = field(default_factory=lambda: SPEEDS["simulation"])
    "fastest commands"
    style: StyleRanges = field(default_factory=StyleRanges)
    "what differs between episodes"
    pause_m: float = 0.12
    "the approach ends this far before the place to grasp from, the hands still before the box"
    straight_m: float = 0.03
    "no further than this aside the robot goes in with the hands beside the box; 2.5 times as far it backs out"
    straight_rad: float = 0.10
    "and turned no further than this"
    aligned_m: float = 0.03
    "place reached: stop stepping"
    aligned_rad: float = 0.06
    "heading reached: stop stepping"
    usable_m: float = 0.06
    "a robot that came to rest this close to its place may reach for the box"
    usable_rad: float = 0.14
    "and this close to its heading"
    gone_factor: float = 1.5
    "further off than this times the usable error the hands do not go on reaching: the robot steps again"
    settle_s: float = 0.9
    "standing before the hands reach"
    settle_timeout_s: float = 2.5
    "a robot that does not come to rest by then goes on"
    rest_m_s: float = 0.08
    "base speed that counts as rest"
    above_m: float = 0.06
    "height over the grasp at which the hands go to the sides of the box"
    hand_arrived_m: float = 0.03
    "hands this close to their goal have arrived"
    hand_timeout_s: float = 1.0
    "or this long after the command got there"
    max_depth_m: float = 0.14
    "commanded palms go no further than this inside the box's faces"
    press_more_m: float = 0.015
    "added to the depth with each further attempt"
    trim_gain: float = 0.05
    "share of the hands' sag that is added to their command each 0.1 s"
    max_trim_m: float = 0.06
    "most that is added"
    missed_m: float = 0.02
    "palms closer together than the box is wide by twice this have missed it"
    displaced_m: float = 0.07
    "a box this far off the middle of the palms while they close is not between them"
    slipped_m: float = 0.04
    "box this far below where it was between the palms has slipped"
    rise_timeout_s: float = 2.5
    "a box that is not up by then, after the lift, is put back"
    tilted_cosine: float = 0.92
    "a box that leans more is put back"
    squeeze_timeout_s: float = 5.0
    "a squeeze that meets nothing by then has missed"

    def __post_init__(self) -> None:
        if self.usable_m < self.aligned_m or self.usable_rad < self.aligned_rad:
            raise ValueError("usable_m and usable_rad must not be below aligned_m and aligned_rad")


@dataclass
class _View:
    """What the phases look at."""

    time_s: Float[Tensor, "N"]
    base_yaw: Float[Tensor, "N"]
    box_pos_w: Float[Tensor, "N 3"]
    approach_yaw: Float[Tensor, "N"]
    "direction in which the robot shall look when it grasps"
    place_error_h: Float[Tensor, "N 2"]
    "to the place to grasp from, heading frame"
    yaw_error: Float[Tensor, "N"]
    base_speed: Float[Tensor, "N"]
    half_width: Float[Tensor, "N"]
    "from the box's centre to the hand frame of a palm that touches"


class BoxPickupHeuristic:
    """Walks up, settles, surrounds the box, squeezes until the palms stop following, lifts, holds; retries a miss."""

    name = "heuristic"
    stage_names = STAGES

    def __init__(self, task: BoxPickup, config: BoxPickupPlannerConfig | None = None, seed: int = 0) -> None:
        self.task = task
        self.config = config or BoxPickupPlannerConfig()
        n = task.num_worlds
        self.stages = Stages(n)
        self.styles = Styles(self.config.style, n)
        self.attempts = torch.zeros(n, dtype=torch.long)
        self._generator = torch.Generator().manual_seed(seed)
        self._seeded: dict[int, torch.Generator] = {}
        self._velocity = torch.zeros(n, 3)
        self._hand_pos_b = torch.zeros(n, 2, 3)
        self._hand_quat_b = torch.zeros(n, 2, 4)
        self._arrived_s = torch.full((n,), torch.inf)
        self._grasp_pos_b = torch.zeros(n, 3)
        self._grasp_quat_b = torch.tensor([1.0, 0.0, 0.0, 0.0]).repeat(n, 1)
        self._trim = torch.zeros(n, 2)
        self._depth = torch.zeros(n)
        self._lifted = torch.zeros(n)
        self._box_to_hands_z = torch.zeros(n)
        self._box_rest_z = torch.zeros(n)

    @property
    def stage(self) -> Int[Tensor, "N"]:
        """Index into `stage_names` of each world's stage."""
        return self.stages.index

    def seed(self, worlds: Int[Tensor, "M"], seeds: Sequence[int]) -> None:
        """Draw the styles of the next episodes from these seeds, so that each episode repeats by itself."""
        for world, seed in zip(worlds.tolist(), seeds):
            # another stream than the start of the episode, which is drawn from the seed itself
            self._seeded[world] = torch.Generator().manual_seed((seed ^ _STYLE_STREAM) & 0x7FFF_FFFF_FFFF_FFFF)

    def reset(self, worlds: Int[Tensor, "M"], state: WorldState) -> None:
        """New episodes in some worlds, with new styles; the hands are commanded to stay where they are."""
        self.stages.reset(worlds, state.time_s[worlds])
        for world in worlds.tolist():
            self.styles.draw(torch.tensor([world]), self._seeded.pop(world, self._generator))
        self.attempts[worlds] = 0
        self._velocity[worlds] = 0.0
        hand_pos_b, hand_quat_b = _hands_in_base(state)
        self._hand_pos_b[worlds] = hand_pos_b[worlds]
        self._hand_quat_b[worlds] = hand_quat_b[worlds]
        self._arrived_s[worlds] = torch.inf
        self._trim[worlds] = 0.0
        self._depth[worlds] = 0.0
        self._lifted[worlds] = 0.0

    def act(self, state: WorldState) -> Command:
        """The command for the next 0.1 s."""
        view = self._look(state)
        self._advance(view, state)
        self._velocity = self._walk(view)
        self._squeeze_and_lift(view, state)
        self._raise_sagging_hands(view, state)
        self._move_hands(view, state)
        return Command(
            base_velocity=self._velocity.clone(),
            hand_pos_b=self._hand_pos_b.clone(),
            hand_quat_b=self._hand_quat_b.clone(),
            gripper_opening=gripper_open(state.num_worlds),
        )

    # -- seeing ------------------------------------------------------------------------------------------------------

    def _look(self, state: WorldState) -> _View:
        box, size = state.objects[BOX], self.task.parameters["box_size"]
        base_yaw = yaw_of(state.base_quat_w)
        approach_yaw = _approach_yaw(state)
        forward = torch.stack((torch.cos(approach_yaw), torch.sin(approach_yaw)), dim=-1)
        left = torch.stack((-forward[:, 1], forward[:, 0]), dim=-1)
        standoff = self.styles["standoff_m"] + self.config.pause_m * self.stages.at(APPROACH)
        place = box.pos_w[:, :2] - standoff[:, None] * forward + self.styles["lateral_m"][:, None] * left
        return _View(
            time_s=state.time_s,
            base_yaw=base_yaw,
            box_pos_w=box.pos_w,
            approach_yaw=approach_yaw,
            place_error_h=rotate_2d(place - state.base_pos_w[:, :2], -base_yaw),
            yaw_error=wrap_angle(approach_yaw - base_yaw),
            base_speed=state.base_lin_vel_b[:, :2].norm(dim=-1),
            half_width=0.5 * size[:, 1] + PALM_FACE_OFFSET_M,
        )

    # -- deciding ----------------------------------------------------------------------------------------------------

    def _advance(self, view: _View, state: WorldState) -> None:
        """Move each world on by at most one stage."""
        config, stages = self.config, self.stages
        was, elapsed = stages.index.clone(), stages.elapsed_s(view.time_s)
        distance, turn = view.place_error_h.norm(dim=-1), view.yaw_error.abs()
        near = (distance < config.aligned_m) & (turn < config.aligned_rad)
        usable = (distance < config.usable_m) & (turn < config.usable_rad)
        gone = (distance > config.gone_factor * config.usable_m) | (turn > config.gone_factor * config.usable_rad)
        resting = (elapsed > config.settle_s) & (view.base_speed < config.rest_m_s)
        settled = resting | (elapsed > config.settle_timeout_s)
        arrived = self._have_hands_arrived(view, state)
        missed, slipped = self._has_missed(view, state), self._has_slipped(state)
        pressed = self._deflection(state, view) >= self._press()
        lifted = self._lifted >= self.styles["lift_m"] - 1e-4
        down = self._lifted <= 1e-4

        aside = view.place_error_h[:, 1].abs()
        straight = (aside < config.straight_m) & (turn < config.straight_rad)
        self._go(was, APPROACH, ALIGN, (distance < config.usable_m) & straight, view)
        self._go(was, ALIGN, SETTLE, near, view)
        askew = (aside > 2.5 * config.straight_m) | (turn > 2.5 * config.straight_rad)
        self._go(was, ALIGN, APPROACH, askew, view)
        self._go(was, SETTLE, REACH, settled & usable & arrived, view)
        self._go(was, SETTLE, ALIGN, settled & ~usable, view)
        for stage, following in ((REACH, SURROUND), (SURROUND, SQUEEZE)):
            self._go(was, stage, following, arrived & ~gone, view)
            self._go(was, stage, ALIGN, gone, view)
        self._go(was, SQUEEZE, LIFT, pressed, view)
        self._go(was, SQUEEZE, OPEN, missed | (elapsed > config.squeeze_timeout_s), view)
        self._go(was, LIFT, HOLD, lifted, view)
        for stage in (LIFT, HOLD):
            self._go(was, stage, LOWER, slipped, view)
        self._go(was, HOLD, LOWER, (elapsed > config.rise_timeout_s) & ~self._has_risen(view), view)
        self._go(was, LOWER, OPEN, down, view)
        self._go(was, OPEN, SETTLE, arrived, view)
        self._remember_grasp(was, view, state)

    def _go(self, was: Int[Tensor, "N"], stage: int, following: int, when: Bool[Tensor, "N"], view: _View) -> None:
        """From one stage to another where the condition holds and nothing has moved the world on in this tick."""
        moves = (was == stage) & (self.stages.index == stage) & when
        self.stages.enter(following, moves, view.time_s)
        self._arrived_s = torch.where(moves, torch.inf, self._arrived_s)

    def _remember_grasp(self, was: Int[Tensor, "N"], view: _View, state: WorldState) -> None:
        """What the later stages refer to, taken when the squeeze and the lift begin; counts attempts.

        The grasp stays where it is relative to the base: commands that followed the base's sway with the planner's
        delay would excite it through the arms.
        """
        squeezing = self.stages.at(SQUEEZE) & (was != SQUEEZE)
        self.attempts += squeezing
        style = self.styles
        offset = torch.stack((style["grasp_x_m"], torch.zeros_like(view.time_s), self._grasp_z(view)), dim=-1)
        box_pos_b, box_quat_b = _box_in_base(view, state)
        centre = box_pos_b + quat_rotate(box_quat_b, offset)
        self._grasp_pos_b = torch.where(squeezing[:, None], centre, self._grasp_pos_b)
        self._grasp_quat_b = torch.where(squeezing[:, None], box_quat_b, self._grasp_quat_b)
        self._box_rest_z = torch.where(squeezing, view.box_pos_w[:, 2], self._box_rest_z)
        self._depth = torch.where(squeezing, -style["clearance_m"], self._depth)
        self._lifted = torch.where(squeezing, torch.zeros_like(self._lifted), self._lifted)
        lifting = self.stages.at(LIFT) & (was != LIFT)
        self._box_to_hands_z = torch.where(lifting, _box_to_hands_z(state), self._box_to_hands_z)

    def _have_hands_arrived(self, view: _View, state: WorldState) -> Bool[Tensor, "N"]:
        goal_pos_b, _ = self._hand_goal(view, state)
        measured, _ = _hands_in_base(state)
        commanded = ((self._hand_pos_b - self._trimmed(goal_pos_b)).norm(dim=-1) < 0.015).all(dim=-1)
        here = ((measured - goal_pos_b).norm(dim=-1) < self.config.hand_arrived_m).all(dim=-1)
        self._arrived_s = torch.where(commanded, torch.minimum(self._arrived_s, view.time_s), torch.inf)
        return commanded & (here | (view.time_s - self._arrived_s > self.config.hand_timeout_s))

    def _deflection(self, state: WorldState, view: _View) -> Float[Tensor, "N"]:
        """How far the palms are held apart against their command, m; grows with the force."""
        return _half_separation(state, self._grasp_quat_b) - (view.half_width - self._depth)

    def _has_missed(self, view: _View, state: WorldState) -> Bool[Tensor, "N"]:
        """The palms closed beside the box, or the box is no longer where they close."""
        closed = _half_separation(state, self._grasp_quat_b) < view.half_width - self.config.missed_m
        middle = state.hand_pos_w[..., :2].mean(dim=1)
        return closed | ((view.box_pos_w[:, :2] - middle).norm(dim=-1) > self.config.displaced_m)

    def _has_risen(self, view: _View) -> Bool[Tensor, "N"]:
        return view.box_pos_w[:, 2] - self._box_rest_z > 0.6 * self.styles["lift_m"]

    def _has_slipped(self, state: WorldState) -> Bool[Tensor, "N"]:
        sunk = self._box_to_hands_z - _box_to_hands_z(state) > self.config.slipped_m
        return sunk | (upright_cosine(state.objects[BOX].quat_w) < self.config.tilted_cosine)

    # -- moving ------------------------------------------------------------------------------------------------------

    def _walk(self, view: _View) -> Float[Tensor, "N 3"]:
        """Base velocity: to the place in the walking stages, zero in all others."""
        speeds, style = self.config.speeds, self.styles
        fraction = style["speed_fraction"]
        distance = view.place_error_h.norm(dim=-1)
        far = distance > style["look_ahead_m"]
        travel = torch.atan2(view.place_error_h[:, 1], view.place_error_h[:, 0])
        turn_error = torch.where(far, travel, view.yaw_error)
        tolerance = 0.5 * self.config.aligned_m
        x, y = view.place_error_h.unbind(-1)
        forward_limit = torch.where(x < 0, 0.5 * speeds.walk_m_s, speeds.walk_m_s) * fraction
        vx = speed_towards(x, 0.8, 0.04, forward_limit, tolerance)
        vy = speed_towards(y, 0.8, 0.04, speeds.sidestep_m_s * fraction, tolerance)
        wz = speed_towards(turn_error, 0.8, 0.06, speeds.turn_rad_s * fraction, 0.5 * self.config.aligned_rad)
        facing = torch.cos(turn_error).clamp_min(0.0)  # turn first, then walk
        wanted = torch.stack((torch.where(far, vx * facing, vx), torch.where(far, vy * facing, vy), wz), dim=-1)
        walking = self.stages.at(APPROACH) | self.stages.at(ALIGN)
        wanted = torch.cat((bounded(wanted[:, :2], torch.tensor(speeds.walk_m_s)), wanted[:, 2:]), dim=-1)
        change = torch.tensor([speeds.walk_m_s2, speeds.walk_m_s2, speeds.turn_rad_s2]) * PERIOD_S
        return slew(self._velocity, wanted * walking[:, None], change)

    def _squeeze_and_lift(self, view: _View, state: WorldState) -> None:
        """Advance the depth of the palms and the height of the lift."""
        style, hand_step = self.styles, self.config.speeds.hand_m_s * PERIOD_S
        closing = (style["squeeze_m_s"] * PERIOD_S).clamp_max(hand_step)
        self._depth = torch.where(self.stages.at(SQUEEZE), self._depth + closing, self._depth)
        holding = self.stages.at(LIFT) | self.stages.at(HOLD)
        missing = self._press() - self._deflection(state, view)
        self._depth = torch.where(holding, self._depth + (0.2 * missing).clamp(0.0, 0.004), self._depth)
        self._depth = self._depth.clamp_max(self.config.max_depth_m)
        lift = (style["lift_m_s"] * PERIOD_S).clamp_max(hand_step)
        change = lift * self.stages.at(LIFT) - lift * self.stages.at(LOWER)
        self._lifted = torch.minimum((self._lifted + change).clamp_min(0.0), style["lift_m"])

    def _press(self) -> Float[Tensor, "N"]:
        """How deep to press, m: deeper after each miss."""
        return self.styles["press_m"] + self.config.press_more_m * (self.attempts - 1).clamp_min(0)

    def _grasp_z(self, view: _View) -> Float[Tensor, "N"]:
        """Palms over the box's centre, not so low that the hands touch the table."""
        half_height = 0.5 * self.task.parameters["box_size"][:, 2]
        return torch.maximum(self.styles["grasp_z_m"], 0.06 - half_height)

    def _hand_goal(self, view: _View, state: WorldState) -> tuple[Float[Tensor, "N 2 3"], Float[Tensor, "N 2 4"]]:
        """Where the hands are to go in the present stage, base frame."""
        style, index = self.styles, self.stages.index
        live = (index == REACH) | (index == SURROUND)
        box_pos_b, box_quat_b = _box_in_base(view, state)
        centre = torch.where(live[:, None], box_pos_b, self._grasp_pos_b)
        turn = torch.where(live[:, None], box_quat_b, self._grasp_quat_b)
        half = torch.where(live, view.half_width + style["clearance_m"], view.half_width - self._depth)
        half = torch.where(index == OPEN, view.half_width + style["clearance_m"] + 0.02, half)
        x = torch.where(live, style["grasp_x_m"], 0.0)
        z = torch.where(live, self._grasp_z(view) + self.config.above_m * (index == REACH), self._lifted)
        offset = torch.stack((x[:, None].expand(-1, 2), half[:, None] * _SIDES, z[:, None].expand(-1, 2)), dim=-1)
        pos = centre[:, None] + quat_rotate(turn[:, None], offset)
        carry_pos, carry_quat = self._carry_goal(view)
        before = (index <= SETTLE)[:, None, None]
        return torch.where(before, carry_pos, pos), torch.where(before, carry_quat, turn[:, None].expand(-1, 2, 4))

    def _carry_goal(self, view: _View) -> tuple[Float[Tensor, "N 2 3"], Float[Tensor, "N 2 4"]]:
        """Hands as they are while far away, spread beside the box's path when near."""
        style = self.styles
        x, z = style["carry_x_m"][:, None].expand(-1, 2), style["carry_z_m"][:, None].expand(-1, 2)
        spread = torch.stack((x, style["carry_y_m"][:, None] * _SIDES, z), dim=-1)
        level = torch.tensor([1.0, 0.0, 0.0, 0.0]).expand_as(self._hand_quat_b)
        far = self.stages.at(APPROACH) & (view.place_error_h.norm(dim=-1) > style["carry_distance_m"])
        far = far[:, None, None]
        return torch.where(far, self._hand_pos_b, spread), torch.where(far, self._hand_quat_b, level)

    def _raise_sagging_hands(self, view: _View, state: WorldState) -> None:
        """Raise the command by what the hands stay below their goal: under load they sag."""
        goal_b, _ = self._hand_goal(view, state)
        measured_b, _ = _hands_in_base(state)
        missing = quat_rotate_inv(self._grasp_quat_b[:, None], goal_b - measured_b)[..., 2]
        limit = self.config.max_trim_m
        trim = (self._trim + self.config.trim_gain * missing).clamp(-limit, limit)
        at_box = (self.stages.index >= LIFT) & (self.stages.index <= LOWER)
        self._trim = torch.where(at_box[:, None], trim, 0.0)

    def _trimmed(self, goal_b: Float[Tensor, "N 2 3"]) -> Float[Tensor, "N 2 3"]:
        """The goal, raised by the trim."""
        up = torch.stack((torch.zeros_like(self._trim), torch.zeros_like(self._trim), self._trim), dim=-1)
        return goal_b + quat_rotate(self._grasp_quat_b[:, None], up)

    def _move_hands(self, view: _View, state: WorldState) -> None:
        """One step of the commanded hands towards their goal."""
        speeds = self.config.speeds
        goal_pos, goal_quat = self._hand_goal(view, state)
        goal_pos = self._trimmed(goal_pos)
        fraction = self.styles["speed_fraction"][:, None] * PERIOD_S
        self._hand_pos_b = move_towards(self._hand_pos_b, goal_pos, speeds.hand_m_s * fraction)
        self._hand_quat_b = turn_towards(self._hand_quat_b, goal_quat, speeds.hand_rad_s * fraction)


def _hands_in_base(state: WorldState) -> tuple[Float[Tensor, "N 2 3"], Float[Tensor, "N 2 4"]]:
    """Measured hand frames in the base frame."""
    base_quat = state.base_quat_w[:, None]
    pos = quat_rotate_inv(base_quat, state.hand_pos_w - state.base_pos_w[:, None])
    return pos, quat_mul(quat_inv(base_quat), state.hand_quat_w)


def _approach_yaw(state: WorldState) -> Float[Tensor, "N"]:
    """The box's direction of depth, or its opposite, whichever looks away from the robot."""
    box = state.objects[BOX]
    yaw = yaw_of(box.quat_w)
    to_box = box.pos_w[:, :2] - state.base_pos_w[:, :2]
    bearing = torch.atan2(to_box[:, 1], to_box[:, 0])
    behind = wrap_angle(yaw - bearing).abs() > 0.5 * torch.pi
    return wrap_angle(yaw + torch.pi * behind)


def _box_in_base(view: _View, state: WorldState) -> tuple[Float[Tensor, "N 3"], Float[Tensor, "N 4"]]:
    """Grasp frame in the base frame: at the box's centre, level, x in the direction of approach."""
    pos = quat_rotate_inv(state.base_quat_w, view.box_pos_w - state.base_pos_w)
    return pos, quat_mul(quat_inv(state.base_quat_w), quat_from_yaw(view.approach_yaw))


def _half_separation(state: WorldState, grasp_quat_b: Float[Tensor, "N 4"]) -> Float[Tensor, "N"]:
    """Half the distance between the hand frames along the grasp frame's y axis, m."""
    hand_pos_b, _ = _hands_in_base(state)
    return 0.5 * quat_rotate_inv(grasp_quat_b, hand_pos_b[:, 0] - hand_pos_b[:, 1])[:, 1]


def _box_to_hands_z(state: WorldState) -> Float[Tensor, "N"]:
    """The box's centre above the middle of the hands (negative: below), m."""
    return state.objects[BOX].pos_w[:, 2] - state.hand_pos_w[..., 2].mean(dim=-1)
