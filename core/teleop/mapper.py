"""Operator samples to commands: velocity with ramps, hands moved in the heading frame; the path of every device."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from core.control.safety import SafetyLimits, held, measured_hold, ramp_velocity, shorten, workspace
from core.rigid import quat_from_rotvec, quat_from_yaw, quat_inv, quat_mul, quat_normalize, quat_rotate, yaw_of
from core.teleop.samples import HandSample, OperatorSample
from core.types import PLANNER_HZ, Command, WorldState


@dataclass(frozen=True)
class MapperConfig:
    """Full rates of an operator. They stay below the limits of the safety filter, which has the last word."""

    walk_m_s: float = 0.25
    "forward and backward, and the most in any direction"
    sidestep_m_s: float = 0.12
    "sideways"
    turn_rad_s: float = 0.35
    "about the vertical"
    walk_acceleration_m_s2: float = 0.8
    "ramp of the base velocity; letting go stops with the same ramp"
    turn_acceleration_rad_s2: float = 1.5
    "ramp of the yaw rate"
    hand_m_s: float = 0.15
    "each direction"
    hand_rad_s: float = 0.8
    "about each axis"
    gripper_m_s: float = 0.05
    "opening and closing"
    precise_factor: float = 0.3
    "of every rate while precise motion is asked for"
    lead_m: float = 0.10
    "how far a commanded hand may be ahead of the measured one: a blocked hand is not pushed further"
    stale_after_s: float = 0.25
    "without a word from the device for this long nothing moves"

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise ValueError(f"{name} must be positive, got {value}")

    @classmethod
    def within(cls, limits: SafetyLimits) -> "MapperConfig":
        """The default rates, lowered to what the safety filter would let through."""
        return replace(
            cls(),
            walk_m_s=min(cls.walk_m_s, limits.speed_x_m_s),
            sidestep_m_s=min(cls.sidestep_m_s, limits.speed_y_m_s),
            turn_rad_s=min(cls.turn_rad_s, limits.turn_rad_s),
            walk_acceleration_m_s2=min(cls.walk_acceleration_m_s2, limits.acceleration_m_s2),
            turn_acceleration_rad_s2=min(cls.turn_acceleration_rad_s2, limits.turn_acceleration_rad_s2),
            # three directions at once may add up
            hand_m_s=min(cls.hand_m_s, limits.hand_speed_m_s / 3**0.5),
            hand_rad_s=min(cls.hand_rad_s, limits.hand_turn_rad_s / 3**0.5),
            stale_after_s=limits.stale_after_s,
        )


class TeleopMapper:
    """Keeps the commanded velocity and hands of one robot and moves them as the samples say."""

    def __init__(self, config: MapperConfig, limits: SafetyLimits, period_s: float = 1.0 / PLANNER_HZ) -> None:
        self.config = config
        self.period_s = period_s
        self._low, self._high = workspace(limits)
        self._command: Command | None = None

    def reset(self, state: WorldState) -> None:
        """Hold the hands where they are measured."""
        self._command = measured_hold(state)

    def map(self, sample: OperatorSample, state: WorldState, age_s: float) -> Command:
        """The next command. A sample older than `stale_after_s` stops the base at once and holds the hands."""
        if self._command is None:
            self.reset(state)
        assert self._command is not None
        if not age_s <= self.config.stale_after_s:
            self._command = held(self._command)
            return self._command
        factor = self.config.precise_factor if sample.precise else 1.0
        pos_b, quat_b = self._move_hands((sample.left, sample.right), state, factor)
        self._command = Command(
            base_velocity=self._ramp(sample.base, factor),
            hand_pos_b=pos_b,
            hand_quat_b=quat_b,
            gripper_opening=self._move_grippers((sample.left, sample.right), factor),
        )
        return self._command

    def _ramp(self, fractions: tuple[float, float, float], factor: float) -> Float[Tensor, "1 3"]:
        assert self._command is not None
        config = self.config
        full = torch.tensor((config.walk_m_s, config.sidestep_m_s, config.turn_rad_s))
        wanted = torch.tensor([fractions]) * full
        wanted[:, :2] = shorten(wanted[:, :2], config.walk_m_s)
        return ramp_velocity(
            self._command.base_velocity,
            wanted * factor,
            config.walk_acceleration_m_s2 * self.period_s,
            config.turn_acceleration_rad_s2 * self.period_s,
        )

    def _move_hands(
        self, hands: tuple[HandSample, HandSample], state: WorldState, factor: float
    ) -> tuple[Float[Tensor, "1 2 3"], Float[Tensor, "1 2 4"]]:
        assert self._command is not None
        heading_in_base = quat_mul(quat_inv(state.base_quat_w), quat_from_yaw(yaw_of(state.base_quat_w)))[:, None]
        linear = torch.tensor([[hand.linear for hand in hands]]) * self.config.hand_m_s * factor
        angular = torch.tensor([[hand.angular for hand in hands]]) * self.config.hand_rad_s * factor
        move = quat_rotate(heading_in_base, linear) * self.period_s
        turn = quat_from_rotvec(quat_rotate(heading_in_base, angular) * self.period_s)
        last = self._command.hand_pos_b
        wanted = torch.maximum(
            torch.minimum(last + move, torch.maximum(self._high, last)), torch.minimum(self._low, last)
        )
        pos_b = _leash(wanted, last, measured_hold(state).hand_pos_b, self.config.lead_m)
        return pos_b, quat_normalize(quat_mul(turn, self._command.hand_quat_b))

    def _move_grippers(self, hands: tuple[HandSample, HandSample], factor: float) -> Float[Tensor, "1 2"]:
        assert self._command is not None
        closing = torch.tensor([[hand.grip for hand in hands]]) * self.config.gripper_m_s * factor * self.period_s
        return (self._command.gripper_opening - closing).clamp(0.0, SafetyLimits().gripper_max_m)


def _leash(
    wanted: Float[Tensor, "1 2 3"], last: Float[Tensor, "1 2 3"], measured: Float[Tensor, "1 2 3"], lead_m: float
) -> Float[Tensor, "1 2 3"]:
    """Refuse a move that takes a commanded hand further than `lead_m` from the measured one, unless it comes closer."""
    ahead = (wanted - measured).norm(dim=-1, keepdim=True)
    before = (last - measured).norm(dim=-1, keepdim=True)
    return torch.where((ahead <= lead_m) | (ahead <= before), wanted, last)


@runtime_checkable
class Device(Protocol):
    """What a source of operator samples offers."""

    def sample(self) -> OperatorSample:
        """The newest sample."""
        ...

    def release_all(self) -> None:
        """Forget what was pressed."""
        ...


class OperatorSource:
    """A person with a device as the source of the commands of one robot."""

    def __init__(
        self, name: str, device: Device, mapper: TeleopMapper, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.name = name
        self.device = device
        self.mapper = mapper
        self._now = now

    def reset(self, worlds: Int[Tensor, "M"], state: WorldState) -> None:
        """A new episode: hands where they are. Raises ValueError for more than one robot."""
        if state.num_worlds != 1:
            raise ValueError(f"an operator commands one robot, got {state.num_worlds} worlds")
        del worlds
        self.mapper.reset(state)

    def age_s(self) -> float:
        """Seconds since the operator was heard of."""
        return self._now() - self.device.sample().time_s

    def act(self, state: WorldState) -> Command:
        """The command of the next 0.1 s."""
        sample = self.device.sample()
        return self.mapper.map(sample, state, self._now() - sample.time_s)
