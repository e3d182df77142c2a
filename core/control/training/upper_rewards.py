"""Reward terms of pi_upper, paper Table III, per hand. Each function is one row, without its weight."""

import torch
from jaxtyping import Float
from torch import Tensor

from core.control.arm_chain import ARM_JOINTS, LOWER, UPPER
from core.control.upper import DEFAULT_ARM_POS

POSITION_SIGMAS_M = (0.4, 0.1, 0.08)
"""Coarse, fine, precise (B38)."""
ROTATION_SIGMAS_RAD = (0.8, 0.5, 0.3)
"""B39."""
EXTRA_POSITION_SIGMAS_M = (0.02,)
EXTRA_ROTATION_SIGMAS_RAD = (0.08,)
"""A "very precise" kernel each, which Table III does not have: 0.4 cm is far below its finest sigma. A still finer pair
(1 cm, 0.04 rad) held 0.21 instead of 0.35 cm but chattered: targets moved 0.06 to 0.35 rad a control period on a still
command, against 0.003 rad without it."""

EFFORT = torch.tensor([joint.effort for joint in ARM_JOINTS])
"""(7,) Nm."""
SOFT_EFFORT = 0.9
"""Share of the torque limit above which torque costs (B45)."""
SOFT_LIMIT_RAD = 0.1
"""Margin inside the joint limits where position begins to cost (B46)."""


def kernels(error: Float[Tensor, "M 3"], sigmas: tuple[float, ...]) -> Float[Tensor, "M"]:
    """Sum of exp(-|e|^2 / sigma^2) over the sigmas."""
    squared = error.square().sum(dim=-1)
    return sum((torch.exp(-squared / sigma**2) for sigma in sigmas), torch.zeros_like(squared))


def posture(joint_pos: Float[Tensor, "M 7"]) -> Float[Tensor, "M"]:
    """L1 distance to q_def, mean over joints (B40)."""
    return (joint_pos - DEFAULT_ARM_POS).abs().mean(dim=-1)


def squared(change: Float[Tensor, "M 7"]) -> Float[Tensor, "M"]:
    """Sum of squares: action change (B41), joint velocity (B42), joint acceleration (B43)."""
    return change.square().sum(dim=-1)


def torque_excess(torque: Float[Tensor, "M 7"]) -> Float[Tensor, "M"]:
    """Torque beyond the soft limit, as shares of the limit, summed (B45)."""
    return (torque.abs() / EFFORT - SOFT_EFFORT).clamp_min(0.0).sum(dim=-1)


def limit_excess(joint_pos: Float[Tensor, "M 7"]) -> Float[Tensor, "M"]:
    """How far joints are inside the margin of their limits, rad, summed (B46)."""
    below = (LOWER + SOFT_LIMIT_RAD - joint_pos).clamp_min(0.0)
    above = (joint_pos - UPPER + SOFT_LIMIT_RAD).clamp_min(0.0)
    return (below + above).sum(dim=-1)
