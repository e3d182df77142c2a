"""Reward terms of pi_lower: Table II of the paper, one function a term, and the kernels added to it (see `WEIGHTS`)."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

WEIGHTS = {
    # Table II
    "foot_position": 5.0,
    "foot_yaw": 3.0,
    "base_velocity": 1.0,
    "joint_position": 0.5,
    "joint_velocity": 0.3,
    "action_smoothness": -0.5,
    "joint_acceleration": -1e-5,
    "torque_limit": -0.5,
    "joint_limit": -1e-4,
    "ankle_posture": -2.0,
    "base_orientation": 3.0,
    "air_time": 20.0,
    "base_height": -3.0,
    # not in the paper: kernels with a slope far from the goal, the base of the reference, contact timing, touch-down
    "foot_position_wide": 2.5,
    "foot_yaw_wide": 1.5,
    "base_position": 1.0,
    "base_yaw": 0.5,
    "contact_phase": -1.5,
    "placement": 10.0,
}
"""Rate of each term, per second (the sum is multiplied by the control period)."""

RAMPED = {"action_smoothness": 0.002, "joint_acceleration": 0.01}
"""Terms of the regularisation curriculum: factor at the beginning of training, 1 at the end of the ramp (B37)."""

HEIGHT_RANGE_M = (0.60, 0.70)
AIR_TIME_S = 0.30
"""tau of Table II is 0.4 s; our swing lasts 0.36 s, so a full swing would be punished with it."""


def kernel(square: Float[Tensor, "*n"], sigma: float) -> Float[Tensor, "*n"]:
    """exp(-e^2 / sigma^2) of squared errors."""
    return torch.exp(-square / sigma**2)


def excess(value: Float[Tensor, "N J"], limit: Float[Tensor, "J"]) -> Float[Tensor, "N"]:
    """Sum of what exceeds the limits in magnitude."""
    return (value.abs() - limit).clamp_min(0.0).sum(dim=-1)


def outside(value: Float[Tensor, "N J"], lower: Float[Tensor, "J"], upper: Float[Tensor, "J"]) -> Float[Tensor, "N"]:
    """Sum of what lies outside a range."""
    return ((lower - value).clamp_min(0.0) + (value - upper).clamp_min(0.0)).sum(dim=-1)


def height_outside(height: Float[Tensor, "N"]) -> Float[Tensor, "N"]:
    """Squared distance of the trunk height (m) from `HEIGHT_RANGE_M`."""
    low, high = HEIGHT_RANGE_M
    return (low - height).clamp_min(0.0).square() + (height - high).clamp_min(0.0).square()


def landed_air_time(landed: Bool[Tensor, "N 2"], air_time_s: Float[Tensor, "N 2"]) -> Float[Tensor, "N"]:
    """Sum over the feet that touch down now of their time in the air beyond `AIR_TIME_S`."""
    return (landed.float() * (air_time_s - AIR_TIME_S)).sum(dim=-1)


def wrong_contact(
    loaded: Bool[Tensor, "N 2"], flying: Bool[Tensor, "N 2"], standing: Bool[Tensor, "N 2"]
) -> Float[Tensor, "N"]:
    """Number of feet that carry load in mid swing or carry none in single support."""
    return ((loaded & flying) | (~loaded & standing)).float().sum(dim=-1)
