"""What the window shows of a VR operator: hands before and after taking over, latency by stage."""

import math
from collections import deque
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from core.control.arm_chain import ARM_JOINTS
from core.control.safety import SafetyLimits, workspace
from core.rigid import quat_mul, quat_rotate
from core.rollout import CommandSent, Observer
from core.teleop.follower import HandTarget, heading_in_base
from core.teleop.poses import about_z, mul, rotate, yaw_of
from core.teleop.reach import ROBOT_REACH_M
from core.teleop.xr_sample import Flag, XrHand, XrSample
from core.types import WorldState

LATENCIES_KEPT = 200
"""Commands that the percentiles are over: 20 s."""
EYES_B = torch.tensor((0.14, 0.0, 0.41))
"""Where the operator's eyes are put on the robot for the preview: about the T1's, base frame, m."""
_SHOULDER = torch.tensor([ARM_JOINTS[0].pos]) + torch.tensor([ARM_JOINTS[1].pos])
SHOULDERS_B = torch.cat((_SHOULDER, _SHOULDER * torch.tensor((1.0, -1.0, 1.0))))
"""(2, 3) m, left and right roll axis."""
REACHABLE_M = (0.12, 0.97 * ROBOT_REACH_M)
"""Nearest and furthest of the shoulder that a palm is counted as reachable."""


class LatencyMeter(Observer):
    """From the moment of the operator's pose to the command that was made of it.

    A command for which nobody looked at the operator (a hold, a stop) has no latency.
    """

    def __init__(self) -> None:
        self.sample_s = float("nan")
        "time of the sample that the next command is made of; set by whoever looks"
        self.last_s = 0.0
        self._all: deque[float] = deque(maxlen=LATENCIES_KEPT)

    def command_sent(self, record: CommandSent) -> None:
        """The command is with the controller now."""
        latency_s, self.sample_s = record.sent_time_s - self.sample_s, float("nan")
        if math.isfinite(latency_s):
            self.last_s = latency_s
            self._all.append(latency_s)

    def percentile_ms(self, percent: float) -> float:
        """Over the last commands, 0 before the first."""
        return float(1e3 * np.percentile(self._all, percent)) if self._all else 0.0


@dataclass(frozen=True)
class Preview:
    """Hand frames that would be commanded, in the world, (2, 7); NaN for a hand that is not tracked."""

    poses_w: np.ndarray
    reachable: tuple[bool, bool]


def preview(
    sample: XrSample, asked: list[HandTarget | None], scale: float, state: WorldState, limits: SafetyLimits
) -> Preview:
    """Before taking over: the operator's hands put on the robot, head on head, by heading; after: what is asked."""
    poses, reachable = np.full((2, 7), np.nan, np.float32), [False, False]
    for side, hand in enumerate((sample.left, sample.right)):
        target = asked[side]
        if target is not None:
            pos_b, quat_b = target.pos, target.quat
        elif hand.tracked and Flag.VALID in sample.head_flags:
            pos_b, quat_b = _put_on_robot(sample, hand, scale, state)
        else:
            continue
        reachable[side] = can_reach(pos_b, side, limits)
        pos_w = state.base_pos_w[0] + quat_rotate(state.base_quat_w[0], pos_b)
        quat_w = quat_mul(state.base_quat_w[0], quat_b)
        poses[side] = torch.cat((pos_w, quat_w)).numpy()
    return Preview(poses, (reachable[0], reachable[1]))


def _put_on_robot(sample: XrSample, hand: XrHand, scale: float, state: WorldState) -> tuple[Tensor, Tensor]:
    """A fist relative to the operator's eyes as a hand relative to the robot's, base frame."""
    unyaw = about_z(-yaw_of(sample.head.quat))
    away = rotate(unyaw, tuple(h - e for h, e in zip(hand.grip.pos, sample.head.pos)))  # type: ignore[arg-type]
    to_base = heading_in_base(state)[0]
    pos_b = EYES_B + quat_rotate(to_base, scale * torch.tensor(away))
    return pos_b, quat_mul(to_base, torch.tensor(mul(unyaw, hand.grip.quat)))


def can_reach(pos_b: Float[Tensor, "3"], side: int, limits: SafetyLimits) -> bool:
    """Whether a palm may and can be there: in the workspace and within the arm's length of the shoulder."""
    low, high = workspace(limits)
    away = float((pos_b - SHOULDERS_B[side]).norm())
    return bool(((pos_b >= low[side]) & (pos_b <= high[side])).all()) and REACHABLE_M[0] <= away <= REACHABLE_M[1]
