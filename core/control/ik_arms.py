"""The baseline of pi_upper: damped least squares inverse kinematics and PD, no learning.

Batched in torch: a quadratic-programming library solves one arm at a time in about 0.3 ms, which for the N = 64 to 512
worlds of collection and evaluation would cost more than the physics; this takes about 2 ms for all of them.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from core.control.arm_chain import LOWER, UPPER, damped_step, forward_kinematics, gravity_torque, join_arms, pose_error
from core.control.upper import DEFAULT_ARM_POS, Arms, arms_of, hand_rows
from core.t1.model import KP, LEFT_ARM
from core.types import WorldState

ARM_KP = torch.tensor(KP[LEFT_ARM], dtype=torch.float32)


class IkArmController:
    """Tracks hand poses by IK on its own joint reference; the PD law of the joints does the rest."""

    def __init__(
        self, gravity_compensation: bool = False, damping: float = 0.05, rest_gain: float = 0.02, max_step: float = 0.1
    ) -> None:
        """gravity_compensation adds the arm's own weight (not a payload's) over kp to the targets.

        damping: of the least squares. rest_gain: pull to q_def in the null space, per control period.
        max_step: largest change of a joint reference in a control period, rad.
        """
        self.gravity_compensation = gravity_compensation
        self.name = "ik_gravity" if gravity_compensation else "ik"
        self._damping, self._rest_gain, self._max_step = damping, rest_gain, max_step
        self._reference: Tensor | None = None
        self._fresh: Tensor | None = None

    def reset(self, worlds: Tensor) -> None:
        """Let some worlds (index or mask) start from the measured joint positions again."""
        if self._fresh is not None:
            self._fresh.view(-1, 2)[worlds] = True

    @torch.no_grad()
    def act(
        self, state: WorldState, hand_pos_b: Float[Tensor, "N 2 3"], hand_quat_b: Float[Tensor, "N 2 4"]
    ) -> Float[Tensor, "N 14"]:
        """Arm joint targets, rad, order core.t1.model.ARMS."""
        arms = arms_of(state)
        if self._reference is None or self._fresh is None or len(self._reference) != len(arms.joint_pos):
            self._reference = arms.joint_pos.clone()
            self._fresh = torch.zeros(len(arms.joint_pos), dtype=torch.bool)
        q = torch.where(self._fresh[:, None], arms.joint_pos, self._reference)
        self._fresh[:] = False
        pos, quat = hand_rows(hand_pos_b, hand_quat_b)
        pose = forward_kinematics(q)
        pull = self._rest_gain * (DEFAULT_ARM_POS - q)
        step = damped_step(pose.jacobian, pose_error(pose, pos, quat), pull, self._damping)
        self._reference = (q + step.clamp(-self._max_step, self._max_step)).clamp(LOWER, UPPER)
        return join_arms(self._reference + self._feed_forward(arms))

    def _feed_forward(self, arms: Arms) -> Tensor:
        if not self.gravity_compensation:
            return torch.zeros_like(arms.joint_pos)
        return gravity_torque(arms.joint_pos, arms.gravity_b) / ARM_KP
