"""The safety filter between every source and the controllers: nothing passes unchecked, nothing is changed silently."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from core.control.hardware_speeds import HardwareSpeeds
from core.rigid import quat_from_rotvec, quat_inv, quat_mul, quat_normalize, quat_rotate_inv, quat_to_rotvec
from core.t1.model import GRIPPER_MAX_OPENING_M
from core.types import PLANNER_HZ, Command, WorldState, check_finite_command

KINDS = (
    "not_finite",
    "stale",
    "quaternion",
    "gripper",
    "speed",
    "acceleration",
    "workspace",
    "hand_speed",
    "hand_rotation",
)
"""Every kind of intervention, in the order of the checks."""

Interventions = dict[str, Tensor]
"""kind -> (N,) bool: where this call intervened."""

DEFAULT_SPEEDS = HardwareSpeeds()

_SLACK = 1e-5
"""Relative rounding that is no intervention."""


@dataclass(frozen=True)
class SafetyLimits:
    """What a command may ask for. The defaults are those of the simulation."""

    speed_x_m_s: float = 0.4
    "largest forward and backward base velocity; the range that the lower controller is trained for"
    speed_y_m_s: float = 0.2
    "largest sideways base velocity"
    speed_m_s: float = 0.4
    "largest base speed in any direction"
    turn_rad_s: float = 0.5
    "largest yaw rate"
    acceleration_m_s2: float = 1.0
    "largest change of the base velocity; a hold or a stop is not slowed by it"
    turn_acceleration_rad_s2: float = 2.0
    "largest change of the yaw rate"
    hand_speed_m_s: float = 0.5
    "largest speed of a commanded hand position, relative to the base"
    hand_turn_rad_s: float = 2.5
    "largest rotation rate of a commanded hand"
    workspace_low_m: tuple[float, float, float] = (-0.15, -0.10, -0.45)
    "lower corner of the box that the left hand stays in, base frame; the right hand's is its mirror image in y"
    workspace_high_m: tuple[float, float, float] = (0.60, 0.65, 0.65)
    "upper corner of that box"
    gripper_max_m: float = GRIPPER_MAX_OPENING_M
    "largest gripper opening"
    stale_after_s: float = 0.25
    "a command older than this is not obeyed: zero velocity, hands held"
    repeat_last_for_s: float = 0.25
    "how long the last good command replaces one with NaN, before the robot holds"
    quaternion_tolerance: float = 0.01
    "how far the norm of a quaternion may be from 1 before its normalisation counts as an intervention"

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if isinstance(value, float) and not value > 0:
                raise ValueError(f"{name} must be positive, got {value}")
        if any(low >= high for low, high in zip(self.workspace_low_m, self.workspace_high_m)):
            raise ValueError(f"the workspace is empty: {self.workspace_low_m} to {self.workspace_high_m}")

    @classmethod
    def simulation(cls) -> "SafetyLimits":
        """What the controllers are trained for."""
        return cls()

    @classmethod
    def hardware(cls, speeds: HardwareSpeeds = DEFAULT_SPEEDS) -> "SafetyLimits":
        """The real robot (paper, section V: walking clamped to 0.2 m/s, hands to 0.05 m/s), unless loosened."""
        return replace(
            cls(),
            speed_x_m_s=speeds.walk_m_s,
            speed_y_m_s=min(speeds.walk_m_s, cls.speed_y_m_s),
            speed_m_s=speeds.walk_m_s,
            turn_rad_s=0.4,
            acceleration_m_s2=0.5,
            turn_acceleration_rad_s2=1.0,
            hand_speed_m_s=speeds.hand_m_s,
            hand_turn_rad_s=0.5,
        )


PRESETS = {"simulation": SafetyLimits.simulation, "hardware": SafetyLimits.hardware}


def measured_hold(state: WorldState) -> Command:
    """Stand still with the hands where they are measured, grippers as they are."""
    hand_pos_b = quat_rotate_inv(state.base_quat_w[:, None], state.hand_pos_w - state.base_pos_w[:, None])
    hand_quat_b = quat_normalize(quat_mul(quat_inv(state.base_quat_w)[:, None], state.hand_quat_w))
    zero = torch.zeros_like(state.base_pos_w)
    return Command(zero, hand_pos_b, hand_quat_b, state.gripper_opening.clone())


class SafetyFilter:
    """Filters the commands of N worlds, one call a command period; remembers what was sent last."""

    def __init__(self, limits: SafetyLimits, period_s: float = 1.0 / PLANNER_HZ) -> None:
        """period_s is the time between calls of `filter`, to which the rate limits refer."""
        self.limits = limits
        self.period_s = period_s
        self.counts: dict[str, Tensor] = {}
        "kind -> (N,) int64, interventions since the world was reset"
        self._sent: Command | None = None
        self._bad_s = torch.zeros(0)

    @property
    def sent(self) -> Command:
        """The last command that passed. Raises RuntimeError before the first reset."""
        if self._sent is None:
            raise RuntimeError("the safety filter has not been reset: call reset(worlds, state) first")
        return self._sent

    def reset(self, worlds: Int[Tensor, "M"], state: WorldState) -> None:
        """Forget what was sent to some worlds: they hold their measured hands. Raises ValueError for NaN in them."""
        hold = measured_hold(state)
        if not bool(check_finite_command(hold)[worlds].all()):
            raise ValueError("the measured hands are not finite: the state of the robot is broken, do not start on it")
        if self._sent is None or self._sent.num_worlds != state.num_worlds:
            self._sent = hold
            self.counts = {kind: torch.zeros(state.num_worlds, dtype=torch.long) for kind in KINDS}
            self._bad_s = torch.zeros(state.num_worlds)
            return
        chosen = torch.zeros(state.num_worlds, dtype=torch.bool)
        chosen[worlds] = True
        self._sent = select_rows(chosen, hold, self._sent)
        self._bad_s[worlds] = 0.0
        for count in self.counts.values():
            count[worlds] = 0

    def filter(self, command: Command, age_s: Float[Tensor, "N"], state: WorldState) -> tuple[Command, Interventions]:
        """The command to send instead, and where each kind of limit intervened.

        age_s: (N,) age of the command. A world with NaN repeats what was sent last, and holds when that lasts.
        """
        if self._sent is None:
            self.reset(torch.arange(state.num_worlds), state)
        last = self.sent
        found: Interventions = {kind: torch.zeros(command.num_worlds, dtype=torch.bool) for kind in KINDS}
        finite = check_finite_command(command) & age_s.isfinite()
        found["not_finite"] = ~finite
        found["stale"] = finite & (age_s > self.limits.stale_after_s)
        self._bad_s = torch.where(finite, 0.0, self._bad_s + self.period_s)
        repeat = ~finite & (self._bad_s <= self.limits.repeat_last_for_s + 1e-6)
        wanted = select_rows(finite & ~found["stale"], command, select_rows(repeat, last, held(last)))
        moving = finite & ~found["stale"]
        sent = Command(
            base_velocity=self._limit_velocity(wanted.base_velocity, last.base_velocity, moving, found),
            hand_pos_b=self._limit_positions(wanted.hand_pos_b, last.hand_pos_b, found),
            hand_quat_b=self._limit_rotations(wanted.hand_quat_b, last.hand_quat_b, found),
            gripper_opening=self._limit_grippers(wanted.gripper_opening, found),
        )
        for kind, where in found.items():
            self.counts[kind] += where
        self._sent = sent
        return sent, found

    def hold(self, worlds: Bool[Tensor, "N"]) -> Command:
        """Zero velocity and held hands in the chosen worlds from now on; the others keep what was sent."""
        self._sent = select_rows(worlds, held(self.sent), self.sent)
        return self._sent

    def _limit_velocity(
        self, wanted: Float[Tensor, "N 3"], last: Float[Tensor, "N 3"], moving: Bool[Tensor, "N"], found: Interventions
    ) -> Float[Tensor, "N 3"]:
        limits = self.limits
        top = torch.tensor((limits.speed_x_m_s, limits.speed_y_m_s, limits.turn_rad_s))
        clamped = wanted.clamp(-top, top)
        clamped[:, :2] = shorten(clamped[:, :2], limits.speed_m_s)
        found["speed"] = _differs(wanted, clamped)
        limited = ramp_velocity(
            last, clamped, limits.acceleration_m_s2 * self.period_s, limits.turn_acceleration_rad_s2 * self.period_s
        )
        # a hold stops at once: the footstep planner brings the feet to rest
        result = torch.where(moving[:, None], limited, clamped)
        found["acceleration"] = _differs(clamped, result)
        return result

    def _limit_positions(
        self, wanted: Float[Tensor, "N 2 3"], last: Float[Tensor, "N 2 3"], found: Interventions
    ) -> Float[Tensor, "N 2 3"]:
        low, high = workspace(self.limits)
        # a hand that is held outside (arms hanging at the start) may stay; it may only come closer
        inside = torch.maximum(torch.minimum(wanted, torch.maximum(high, last)), torch.minimum(low, last))
        found["workspace"] = _differs(wanted, inside)
        move = inside - last
        reach = self.limits.hand_speed_m_s * self.period_s
        too_far = move.norm(dim=-1, keepdim=True) > reach * (1 + _SLACK)
        found["hand_speed"] = too_far[..., 0].any(dim=-1)
        return torch.where(too_far, last + shorten(move, reach), inside)

    def _limit_rotations(
        self, wanted: Float[Tensor, "N 2 4"], last: Float[Tensor, "N 2 4"], found: Interventions
    ) -> Float[Tensor, "N 2 4"]:
        norm = wanted.norm(dim=-1, keepdim=True)
        found["quaternion"] = ((norm[..., 0] - 1.0).abs() > self.limits.quaternion_tolerance).any(dim=-1)
        # far from a rotation: which one was meant cannot be told, the hand keeps its own
        unit = torch.where((norm - 1.0).abs() < 0.5, quat_normalize(wanted), last)
        turn = quat_to_rotvec(quat_mul(unit, quat_inv(last)))
        reach = self.limits.hand_turn_rad_s * self.period_s
        too_far = turn.norm(dim=-1, keepdim=True) > reach * (1 + _SLACK)
        found["hand_rotation"] = too_far[..., 0].any(dim=-1)
        part = quat_normalize(quat_mul(quat_from_rotvec(shorten(turn, reach)), last))
        return torch.where(too_far, part, unit)

    def _limit_grippers(self, wanted: Float[Tensor, "N 2"], found: Interventions) -> Float[Tensor, "N 2"]:
        clamped = wanted.clamp(0.0, self.limits.gripper_max_m)
        found["gripper"] = _differs(wanted, clamped)
        return clamped


def shorten(vector: Float[Tensor, "*n D"], length: float) -> Float[Tensor, "*n D"]:
    """The same direction, at most this long."""
    return vector * (length / vector.norm(dim=-1, keepdim=True).clamp_min(1e-9)).clamp(max=1.0)


def ramp_velocity(
    last: Float[Tensor, "N 3"], wanted: Float[Tensor, "N 3"], step: float, turn_step: float
) -> Float[Tensor, "N 3"]:
    """From one base velocity towards another by at most `step` (m/s, planar) and `turn_step` (rad/s).

    Along the straight line, so that a ramp between two velocities within a speed limit stays within it.
    """
    change = wanted - last
    return last + torch.cat((shorten(change[:, :2], step), change[:, 2:].clamp(-turn_step, turn_step)), dim=-1)


def workspace(limits: SafetyLimits) -> tuple[Float[Tensor, "2 3"], Float[Tensor, "2 3"]]:
    """Lower and upper corners of the boxes of the left and the right hand, (2, 3) m each, base frame."""
    low, high = torch.tensor(limits.workspace_low_m), torch.tensor(limits.workspace_high_m)
    mirror = torch.tensor((1.0, -1.0, 1.0))
    right = torch.stack((low * mirror, high * mirror))
    return torch.stack((low, right.amin(dim=0))), torch.stack((high, right.amax(dim=0)))


def held(command: Command) -> Command:
    """The same hands and grippers with zero velocity."""
    return replace(command, base_velocity=torch.zeros_like(command.base_velocity))


def select_rows(where: Bool[Tensor, "N"], yes: Command, no: Command) -> Command:
    """Rows of `yes` where true, of `no` elsewhere."""
    return Command.from_vector(torch.where(where[:, None], yes.to_vector(), no.to_vector()))


def _differs(a: Float[Tensor, "N *d"], b: Float[Tensor, "N *d"]) -> Bool[Tensor, "N"]:
    return ((a - b).abs() > _SLACK).flatten(1).any(dim=-1)
