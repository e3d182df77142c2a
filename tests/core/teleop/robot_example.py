"""A robot that stands, for the tests of the mapper."""

import torch

from core.rigid import quat_from_rotvec, quat_mul, quat_rotate
from core.types import WorldState


def standing_state(tilt: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> WorldState:
    quat = torch.tensor([[1.0, 0.0, 0.0, 0.0]])
    base_quat = quat_from_rotvec(torch.tensor([tilt]))
    base_pos = torch.tensor([[0.0, 0.0, 0.68]])
    hands_b = torch.tensor([[[0.3, 0.25, 0.0], [0.3, -0.25, 0.0]]])
    hands_w = base_pos[:, None] + quat_rotate(base_quat[:, None], hands_b)
    zero = torch.zeros(1, 3)
    return WorldState(
        time_s=torch.zeros(1), base_pos_w=base_pos, base_quat_w=base_quat, base_lin_vel_b=zero, base_ang_vel_b=zero,
        joint_pos=torch.zeros(1, 29), joint_vel=torch.zeros(1, 29), joint_torque=torch.zeros(1, 29),
        gripper_opening=torch.full((1, 2), 0.05), hand_pos_w=hands_w,
        hand_quat_w=quat_mul(base_quat[:, None], quat.repeat(1, 2, 1)), foot_pos_w=torch.zeros(1, 2, 3),
        foot_quat_w=quat.repeat(1, 2, 1), foot_force_w=torch.zeros(1, 2, 3), hand_force_w=torch.zeros(1, 2, 3),
    )  # fmt: skip
