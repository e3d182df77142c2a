"""A hand of the robot that follows a hand of the operator by what it moved: engaging never makes it jump."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from core.control.safety import shorten
from core.rigid import quat_from_yaw, quat_inv, quat_mul, quat_normalize, quat_rotate, rotation_error, yaw_of
from core.t1.model import GRIPPER_MAX_OPENING_M
from core.teleop.samples import Follow
from core.types import Command, WorldState

TAKE_OVER_RAD = 0.35
"""A commanded rotation further than this from the measured one is not what the operator sees: start at the measured."""
TRIGGER_MOVED = 0.08
"""The gripper stays as it is until the trigger moved this far since engaging."""


@dataclass(frozen=True)
class HandTarget:
    """One hand of one robot, base frame."""

    pos: Float[Tensor, "3"]
    quat: Float[Tensor, "4"]
    opening: Float[Tensor, ""]


def hand_of(command: Command, side: int) -> HandTarget:
    """A hand of a command for one world; side 0 left, 1 right."""
    return HandTarget(command.hand_pos_b[0, side], command.hand_quat_b[0, side], command.gripper_opening[0, side])


def with_hand(command: Command, side: int, hand: HandTarget) -> Command:
    """The command with one hand replaced."""
    pos, quat, opening = (t.clone() for t in (command.hand_pos_b, command.hand_quat_b, command.gripper_opening))
    pos[0, side], quat[0, side], opening[0, side] = hand.pos, hand.quat, hand.opening
    return replace(command, hand_pos_b=pos, hand_quat_b=quat, gripper_opening=opening)


def heading_in_base(state: WorldState) -> Float[Tensor, "N 4"]:
    """Rotation of the heading frame (base, yaw only) in the base frame."""
    return quat_mul(quat_inv(state.base_quat_w), quat_from_yaw(yaw_of(state.base_quat_w)))


@dataclass(frozen=True)
class _Start:
    """What is latched when a hand takes over."""

    engagement: int
    operator_pos: Float[Tensor, "3"]
    operator_quat: Float[Tensor, "4"]
    robot: HandTarget
    to_base: Float[Tensor, "4"]
    "the heading in the base frame: latched too, or a trunk that sways would shake the hands"
    trigger: float


class HandFollower:
    """One hand: latches at a new engagement, then gives where the operator's motion leads."""

    def __init__(self, lead_m: float) -> None:
        """lead_m: how far from the measured hand it may begin."""
        self._lead_m = lead_m
        self._start: _Start | None = None
        self._trigger_moved = False

    def release(self) -> None:
        """Nobody leads."""
        self._start = None

    def target(
        self, follow: Follow, last: HandTarget, measured: HandTarget, to_base: Float[Tensor, "1 4"]
    ) -> HandTarget:
        """Where the hand should be, before limits. `last` is what is commanded, `measured` where the hand is."""
        if self._start is None or self._start.engagement != follow.engagement:
            self._start = self._begin(follow, last, measured, to_base[0])
            self._trigger_moved = False
        start = self._start
        moved = quat_rotate(start.to_base, torch.tensor(follow.pos) - start.operator_pos)
        turned = quat_mul(torch.tensor(follow.quat), quat_inv(start.operator_quat))
        turned_b = quat_mul(quat_mul(start.to_base, turned), quat_inv(start.to_base))
        quat = quat_normalize(quat_mul(turned_b, start.robot.quat))
        return HandTarget(start.robot.pos + moved, quat, self._opening(follow.trigger, last))

    def _begin(self, follow: Follow, last: HandTarget, measured: HandTarget, to_base: Float[Tensor, "4"]) -> _Start:
        """Start at the measured hand, or at the command where that is near it.

        A hand that presses on a box is commanded a little into it; to start at the measured hand would let go.
        """
        pos = measured.pos + shorten(last.pos - measured.pos, self._lead_m)
        off = float(rotation_error(measured.quat, last.quat).norm())
        quat = last.quat if off < TAKE_OVER_RAD else measured.quat
        robot = HandTarget(pos.clone(), quat.clone(), last.opening.clone())
        return _Start(
            follow.engagement, torch.tensor(follow.pos), torch.tensor(follow.quat), robot, to_base.clone(),
            follow.trigger,
        )  # fmt: skip

    def _opening(self, trigger: float, last: HandTarget) -> Float[Tensor, ""]:
        """The gripper follows the trigger once that has moved: taking over neither opens nor closes it."""
        assert self._start is not None
        self._trigger_moved |= abs(trigger - self._start.trigger) > TRIGGER_MOVED
        if not self._trigger_moved:
            return last.opening
        return torch.tensor((1.0 - min(max(trigger, 0.0), 1.0)) * GRIPPER_MAX_OPENING_M)
