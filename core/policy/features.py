"""Commands as a network sees them: rotations as two matrix columns, which are continuous where quaternions jump."""

import torch
from jaxtyping import Float
from torch import Tensor

from core.rigid import quat_from_rotation_6d, rotation_6d

ACTION_FEATURES = 23
"""Base velocity 3, hand positions 6, hand rotations 12 (two matrix columns each), gripper openings 2."""

_QUATS = slice(9, 17)
_ROTATIONS = slice(9, 21)


def action_features(command: Float[Tensor, "*n 19"]) -> Float[Tensor, "*n 23"]:
    """Command vectors (`Command.to_vector`) with 6-D rotations in place of quaternions."""
    quats = command[..., _QUATS].unflatten(-1, (2, 4))
    rotations = rotation_6d(quats / quats.norm(dim=-1, keepdim=True)).flatten(-2)
    return torch.cat((command[..., : _QUATS.start], rotations, command[..., _QUATS.stop :]), dim=-1)


def command_from_features(features: Float[Tensor, "*n 23"]) -> Float[Tensor, "*n 19"]:
    """Inverse of `action_features`; columns that are not orthonormal are made so by Gram-Schmidt.

    The quaternions have unit length and w >= 0 for every finite input.
    """
    quats = quat_from_rotation_6d(features[..., _ROTATIONS].unflatten(-1, (2, 6))).flatten(-2)
    return torch.cat((features[..., : _ROTATIONS.start], quats, features[..., _ROTATIONS.stop :]), dim=-1)


def action_floor() -> Float[Tensor, "23"]:
    """Smallest range that is worth the whole of [-1, 1]: 0.1 m/s or rad/s, 0.05 m, 0.2 (6 degrees each way), 0.01 m.

    Without it a diagonal element of a rotation that hardly turns (range 0.006) weighs as much as the walking speed.
    """
    sizes = ((3, 0.1), (6, 0.05), (12, 0.2), (2, 0.01))
    return torch.cat([torch.full((count,), value) for count, value in sizes])


def action_feature_names() -> tuple[str, ...]:
    """Name of each of the 23 values, with units."""
    names = ["base_velocity_x_m_s", "base_velocity_y_m_s", "base_velocity_yaw_rad_s"]
    names += [f"{s}_hand_pos_{a}_m" for s in ("left", "right") for a in "xyz"]
    names += [f"{s}_hand_rotation_{r}{c}" for s in ("left", "right") for c in (1, 2) for r in "xyz"]
    return (*names, "left_gripper_opening_m", "right_gripper_opening_m")
