"""A walking controller without learning: the reference gait with hand-tuned balance feedback, a baseline."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from core.control import lower
from core.control.footstep_config import FootstepConfig
from core.control.footsteps import STAND, FootstepCommand, rotate_xy
from core.control.training.gait import ReferenceGait
from core.control.training.lower_config import GaitConfig
from core.rigid import quat_from_yaw, quat_inv, quat_mul, quat_rotate, quat_to_rotvec, yaw_of
from core.t1.model import LEGS
from core.types import WorldState


@dataclass(frozen=True)
class ModelBasedConfig:
    """Gains of the feedback on top of the reference."""

    ankle_stiffness_factor: float = 3.0
    "the ankles' vendor stiffness (50 Nm/rad) cannot hold the robot upright: targets are stretched by this factor"
    trunk_gain: float = 0.5
    "hip angle per trunk tilt, rad/rad"
    trunk_rate_gain: float = 0.04
    "hip angle per trunk turning rate, s"
    dcm_gain: float = 0.8
    "ankle angle per error of the divergent component of motion, rad/m"


class ModelBasedController:
    """Reference, feed-forward of the ground reaction, trunk feedback at the stance hip, DCM feedback at the ankles."""

    name = "model-based"

    def __init__(
        self, num_worlds: int, config: ModelBasedConfig | None = None, footsteps: FootstepConfig | None = None
    ) -> None:
        self.config = config or ModelBasedConfig()
        self.gait = ReferenceGait(num_worlds, GaitConfig(), footsteps)
        self._fresh = torch.ones(num_worlds, dtype=torch.bool)

    def reset(self, worlds: Tensor) -> None:
        """Begin anew in the chosen worlds (M,)."""
        self._fresh[worlds] = True

    def act(self, state: WorldState, command: FootstepCommand) -> Float[Tensor, "N 12"]:
        """Leg joint targets (N, 12) rad, order core.t1.model.LEGS."""
        fresh = self._fresh.nonzero().squeeze(-1)
        if len(fresh):
            self.gait.reset(fresh, state)
            self._fresh[:] = False
        reference = self.gait.update(state, command)
        targets = (reference.joint_pos + reference.feed_forward).clone()
        yaw = yaw_of(state.base_quat_w)
        level = quat_from_yaw(yaw)
        tilt = quat_to_rotvec(quat_mul(quat_inv(level), state.base_quat_w))  # heading axes
        rate = state.base_ang_vel_b
        velocity = quat_rotate(state.base_quat_w, state.base_lin_vel_b)[:, :2]
        off = rotate_xy(-yaw, state.base_pos_w[:, :2] - reference.base_pos_w[:, :2])
        drift = rotate_xy(-yaw, velocity - reference.base_vel_w)
        dcm_error = off + drift / self.gait.omega
        c = self.config
        tilt = tilt - torch.stack((reference.base_roll, *[torch.zeros_like(yaw)] * 2), -1)
        loaded = torch.stack((command.swing != 0, command.swing != 1), dim=-1).float()
        both = (command.swing == STAND).float()[:, None]
        share = loaded / (1.0 + both)
        for side, start in ((0, 0), (1, 6)):
            carry = loaded[:, side]
            targets[:, start] += carry * (c.trunk_gain * tilt[:, 1] + c.trunk_rate_gain * rate[:, 1])
            targets[:, start + 1] += carry * (c.trunk_gain * tilt[:, 0] + c.trunk_rate_gain * rate[:, 0])
            targets[:, start + 4] += 2.0 * share[:, side] * c.dcm_gain * dcm_error[:, 0]
            targets[:, start + 5] -= 2.0 * share[:, side] * c.dcm_gain * dcm_error[:, 1]
        ankles = [4, 5, 10, 11]
        actual = state.joint_pos[:, LEGS][:, ankles]
        feed_forward = reference.feed_forward[:, ankles]
        stretched = actual + c.ankle_stiffness_factor * (targets[:, ankles] - feed_forward - actual) + feed_forward
        targets[:, ankles] = stretched
        return lower.clamp_targets(targets)
