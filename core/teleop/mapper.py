"""Operator samples to commands: velocity with ramps, hands moved in the heading frame; the path of every device."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from core.control.safety import SafetyLimits, held, measured_hold, ramp_velocity, shorten, workspace
from core.rigid import quat_from_rotvec, quat_inv, quat_mul, quat_normalize, quat_rotate, quat_to_rotvec, rotation_error
from core.t1.model import GRIPPER_MAX_OPENING_M
from core.teleop.follower import HandFollower, HandTarget, hand_of, heading_in_base, with_hand
from core.teleop.samples import Follow, HandSample, OperatorSample
from core.types import PLANNER_HZ, Command, WorldState

LIMITED_M = 0.03
"""A hand that is this far from what the operator asks does not follow: the operator is told."""


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
    follow_m_s: float = 0.5
    "a hand that follows the operator's, fastest"
    follow_rad_s: float = 2.5
    "a hand that follows the operator's, fastest turn"
    follow_lead_m: float = 0.15
    "like lead_m, for a hand that follows: it is pulled back to this distance"
    follow_gripper_m_s: float = 0.15
    "a gripper that follows a trigger"
    home_m_s: float = 0.25
    "hands on their way back to where the episode began"
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
            follow_m_s=min(cls.follow_m_s, limits.hand_speed_m_s),
            follow_rad_s=min(cls.follow_rad_s, limits.hand_turn_rad_s),
            home_m_s=min(cls.home_m_s, limits.hand_speed_m_s),
            stale_after_s=limits.stale_after_s,
        )


class TeleopMapper:
    """Keeps the commanded velocity and hands of one robot and moves them as the samples say."""

    def __init__(self, config: MapperConfig, limits: SafetyLimits, period_s: float = 1.0 / PLANNER_HZ) -> None:
        self.config = config
        self.period_s = period_s
        self.limited = (False, False)
        "left, right: the hand could not follow as far as the operator asked (workspace, blocked, too fast)"
        self.asked: list[HandTarget | None] = [None, None]
        "left, right: where the operator leads the hand, before any limit; None while nobody does"
        self._box = workspace(limits)
        self._command: Command | None = None
        self._home: Command | None = None
        self._homing = [False, False]
        self._following = (HandFollower(config.follow_lead_m), HandFollower(config.follow_lead_m))

    def reset(self, state: WorldState) -> None:
        """Hold the hands where they are measured; this is home."""
        self._command = self._home = measured_hold(state)
        self._homing = [False, False]
        for hand in self._following:
            hand.release()

    def go_home(self) -> None:
        """Hands that follow nobody go back to where they were at the reset."""
        self._homing = [True, True]

    def map(self, sample: OperatorSample, state: WorldState, age_s: float) -> Command:
        """The next command. A sample older than `stale_after_s` stops the base at once and holds the hands."""
        if self._command is None:
            self.reset(state)
        assert self._command is not None
        if not age_s <= self.config.stale_after_s:
            self._command = held(self._command)
            return self._command
        if sample.home:
            self.go_home()
        factor = self.config.precise_factor if sample.precise else 1.0
        velocity = torch.zeros(1, 3) if sample.halt else self._ramp(sample.base, factor)
        moved = replace(self._move_hands((sample.left, sample.right), state, factor), base_velocity=velocity)
        self._command = self._follow((sample.left.follow, sample.right.follow), moved, state)
        return self._command

    def _follow(self, hands: tuple[Follow | None, Follow | None], moved: Command, state: WorldState) -> Command:
        """Replace the hands that follow the operator, or go home, in a command that was moved by rates."""
        assert self._command is not None
        measured = measured_hold(state)
        limited = [False, False]
        for side, follow in enumerate(hands):
            follower = self._following[side]
            last = hand_of(self._command, side)
            if follow is not None:
                self._homing[side] = False
                target = follower.target(follow, last, hand_of(measured, side), heading_in_base(state))
            elif self._homing[side] and self._home is not None:
                follower.release()
                target = hand_of(self._home, side)
            else:
                follower.release()
                self.asked[side] = None
                continue
            self.asked[side] = target if follow is not None else None
            speed = self.config.follow_m_s if follow is not None else self.config.home_m_s
            reached = self._approach(target, last, hand_of(measured, side), side, speed, follow is not None)
            limited[side] = float((reached.pos - target.pos).norm()) > LIMITED_M
            if follow is None:
                self._homing[side] = not arrived(reached, target)
            moved = with_hand(moved, side, reached)
        self.limited = (limited[0] and hands[0] is not None, limited[1] and hands[1] is not None)
        return moved

    def _approach(
        self, target: HandTarget, last: HandTarget, measured: HandTarget, side: int, speed: float, leash: bool
    ) -> HandTarget:
        """One period towards a target: near the measured hand, inside the workspace, no faster than allowed."""
        config = self.config
        pos = target.pos
        if leash:
            pos = measured.pos + shorten(pos - measured.pos, config.follow_lead_m)
        pos = self._inside(pos, last.pos, side)
        pos = last.pos + shorten(pos - last.pos, speed * self.period_s)
        turn = quat_to_rotvec(quat_mul(target.quat, quat_inv(last.quat)))
        quat = quat_mul(quat_from_rotvec(shorten(turn, config.follow_rad_s * self.period_s)), last.quat)
        opening = last.opening + (target.opening - last.opening).clamp(
            -config.follow_gripper_m_s * self.period_s, config.follow_gripper_m_s * self.period_s
        )
        return HandTarget(pos, quat_normalize(quat), opening)

    def _inside(self, pos: Float[Tensor, "3"], last: Float[Tensor, "3"], side: int) -> Float[Tensor, "3"]:
        """Within the workspace; a hand that starts outside may only come in."""
        low, high = self._box[0][side], self._box[1][side]
        return torch.maximum(torch.minimum(pos, torch.maximum(high, last)), torch.minimum(low, last))

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

    def _move_hands(self, hands: tuple[HandSample, HandSample], state: WorldState, factor: float) -> Command:
        """The hands and grippers moved by rates."""
        assert self._command is not None
        config, last = self.config, self._command
        to_base = heading_in_base(state)[:, None]
        linear = torch.tensor([[hand.linear for hand in hands]]) * config.hand_m_s * factor
        angular = torch.tensor([[hand.angular for hand in hands]]) * config.hand_rad_s * factor
        move = quat_rotate(to_base, linear) * self.period_s
        turn = quat_from_rotvec(quat_rotate(to_base, angular) * self.period_s)
        wanted = torch.stack([self._inside((last.hand_pos_b + move)[0, i], last.hand_pos_b[0, i], i) for i in (0, 1)])
        pos_b = _leash(wanted[None], last.hand_pos_b, measured_hold(state).hand_pos_b, config.lead_m)
        closing = torch.tensor([[hand.grip for hand in hands]]) * config.gripper_m_s * factor * self.period_s
        opening = (last.gripper_opening - closing).clamp(0.0, GRIPPER_MAX_OPENING_M)
        return replace(
            last, hand_pos_b=pos_b, hand_quat_b=quat_normalize(quat_mul(turn, last.hand_quat_b)),
            gripper_opening=opening,
        )  # fmt: skip


def arrived(hand: HandTarget, target: HandTarget) -> bool:
    """Whether a hand is where it should go, to a tenth of a millimetre and a milliradian."""
    near = float((hand.pos - target.pos).norm()) < 1e-4
    return near and float(rotation_error(hand.quat, target.quat).norm()) < 1e-3


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
        """The newest sample. Called once a command."""
        ...

    def heard_s(self) -> float:
        """Monotonic time of the newest word from the operator; now while nothing is asked for."""
        ...

    def release_all(self) -> None:
        """Forget what was pressed."""
        ...

    def new_episode(self) -> None:
        """The robot was put back: what the operator led must not go on by itself."""
        ...


class OperatorSource:
    """A person with a device as the source of the commands of one robot."""

    def __init__(
        self, name: str, device: Device, mapper: TeleopMapper, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.name = name
        self.device = device
        self.mapper = mapper
        self.sample_age_s = 0.0
        "of the sample that the last command was made of"
        self._now = now

    def reset(self, worlds: Int[Tensor, "M"], state: WorldState) -> None:
        """A new episode: hands where they are. Raises ValueError for more than one robot."""
        if state.num_worlds != 1:
            raise ValueError(f"an operator commands one robot, got {state.num_worlds} worlds")
        del worlds
        self.device.new_episode()
        self.mapper.reset(state)

    def age_s(self) -> float:
        """Seconds since the operator was heard of."""
        return self._now() - self.device.heard_s()

    def act(self, state: WorldState) -> Command:
        """The command of the next 0.1 s."""
        sample = self.device.sample()
        self.sample_age_s = self._now() - sample.time_s
        return self.mapper.map(sample, state, self.sample_age_s)
