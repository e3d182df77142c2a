"""Where the base is and how fast it moves, from joints and IMU alone: the foot that carries the robot stands still.

The robot measures neither. Position drifts (there is no global reference), height is that of the trunk over the lower
sole on level floor. How good it is in simulation: docs/robot.md.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from core.rigid import quat_rotate
from core.t1.kinematics import RobotFrames, frames_b

CONTACT_M = 0.004
"""A sole this much higher than the lower one carries a third of its share."""
_STEP_S = 1e-3
"""For the time derivative of the foot positions along the measured joint velocities."""


@dataclass
class BaseEstimate:
    """One row a world."""

    pos_w: Float[Tensor, "N 3"]
    lin_vel_b: Float[Tensor, "N 3"]
    "m/s of the trunk origin, trunk axes"
    stance: Float[Tensor, "N 2"]
    "share of the weight that each foot seems to carry"


class LegOdometry:
    """Call `update` each control period with what the robot measures."""

    def __init__(self, smoothing_s: float = 0.01) -> None:
        """smoothing_s: time constant of the velocity; what a foot strike shakes is not the base."""
        self._smoothing_s = smoothing_s
        self._pos_xy: Tensor | None = None
        self._velocity: Tensor | None = None

    def reset(self, pos_xy_w: Float[Tensor, "N 2"]) -> None:
        """The base is here, at rest."""
        self._pos_xy = pos_xy_w.clone()
        self._velocity = None

    def update(
        self,
        joint_pos: Float[Tensor, "N 29"],
        joint_vel: Float[Tensor, "N 29"],
        quat_w: Float[Tensor, "N 4"],
        gyro_b: Float[Tensor, "N 3"],
        period_s: float,
    ) -> tuple[BaseEstimate, RobotFrames]:
        """The base after another period, and the frames in the base from which it was found."""
        n = joint_pos.shape[0]
        both = frames_b(torch.cat((joint_pos, joint_pos + _STEP_S * joint_vel)))
        now = both.select(torch.arange(n))
        foot_vel_b = (both.foot_pos[n:] - both.foot_pos[:n]) / _STEP_S
        foot_rel_w = quat_rotate(quat_w[:, None].expand(-1, 2, -1), now.foot_pos)
        height = -foot_rel_w[..., 2].amin(dim=1)
        above = foot_rel_w[..., 2] + height[:, None]
        stance = torch.softmax(-above / CONTACT_M, dim=1)
        spin = torch.cross(gyro_b[:, None].expand_as(now.foot_pos), now.foot_pos, dim=-1)
        measured = -(stance[..., None] * (foot_vel_b + spin)).sum(dim=1)
        velocity = self._smooth(measured, period_s)
        if self._pos_xy is None:
            self._pos_xy = torch.zeros(n, 2)
        self._pos_xy = self._pos_xy + period_s * quat_rotate(quat_w, velocity)[:, :2]
        pos_w = torch.cat((self._pos_xy, height[:, None]), dim=-1)
        return BaseEstimate(pos_w, velocity, stance), now

    def _smooth(self, measured: Tensor, period_s: float) -> Tensor:
        if self._velocity is None:
            self._velocity = measured
        share = min(1.0, period_s / (self._smoothing_s + period_s))
        self._velocity = self._velocity + share * (measured - self._velocity)
        return self._velocity
