"""Pure terms of observations and verdicts, one formula each (torch, SI, wxyz)."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from core.rigid import quat_inv, quat_mul, quat_rotate_inv, rotation_6d
from core.t1.model import PALM_FACE_OFFSET_M
from core.types import BodyState, WorldState


def points_in_base(state: WorldState, pos_w: Float[Tensor, "N K 3"]) -> Float[Tensor, "N K 3"]:
    """World points in the base frame, m."""
    return quat_rotate_inv(state.base_quat_w[:, None], pos_w - state.base_pos_w[:, None])


def rotations_in_base(state: WorldState, quat_w: Float[Tensor, "N K 4"]) -> Float[Tensor, "N K 4"]:
    """World rotations relative to the base, wxyz."""
    return quat_mul(quat_inv(state.base_quat_w)[:, None], quat_w)


def positions_b(state: WorldState, pos_w: Float[Tensor, "N K 3"]) -> Float[Tensor, "N D"]:
    """(N, 3 K) m: points in the base frame, side by side."""
    return points_in_base(state, pos_w).flatten(1)


def rotations_b(state: WorldState, quat_w: Float[Tensor, "N K 4"]) -> Float[Tensor, "N D"]:
    """(N, 6 K): rotations in the base frame, two matrix columns each."""
    return rotation_6d(rotations_in_base(state, quat_w)).flatten(1)


def upright_cosine(quat_w: Float[Tensor, "*n 4"]) -> Float[Tensor, "*n"]:
    """Cosine between a body's z axis and the vertical: 1 upright, 0 on its side."""
    _, x, y, _ = quat_w.unbind(-1)
    return 1.0 - 2.0 * (x * x + y * y)


def height_gain(body: BodyState, rest_height: Float[Tensor, "N"]) -> Float[Tensor, "N"]:
    """How far a body's centre is above its resting height, m."""
    return body.pos_w[:, 2] - rest_height


def hands_in_body(state: WorldState, body: BodyState) -> Float[Tensor, "N 2 3"]:
    """Both hand frames' origins in a body's frame, m."""
    return quat_rotate_inv(body.quat_w[:, None], state.hand_pos_w - body.pos_w[:, None])


def hands_hold_box(
    state: WorldState, box: BodyState, size: Float[Tensor, "N 3"], tolerance: float
) -> Bool[Tensor, "N"]:
    """Palm pads at opposite y faces of a box: over the faces, and no further off them than the tolerance in m."""
    hands = hands_in_body(state, box)  # (N, 2, 3)
    half = 0.5 * size[:, None]
    over_face = (hands[..., 0].abs() <= half[..., 0] + tolerance) & (hands[..., 2].abs() <= half[..., 2] + tolerance)
    at_face = (hands[..., 1].abs() - half[..., 1] - PALM_FACE_OFFSET_M).abs() <= tolerance
    opposite = hands[:, 0, 1] * hands[:, 1, 1] < 0
    return (over_face & at_face).all(dim=-1) & opposite


def hands_near_box(state: WorldState, box: BodyState, size: Float[Tensor, "N 3"], margin: float) -> Bool[Tensor, "N"]:
    """Both palm centres within a margin in m around a box."""
    return (hands_in_body(state, box).abs() <= 0.5 * size[:, None] + margin).all(dim=-1).all(dim=-1)


def is_standing(state: WorldState, min_height: float, min_cosine: float) -> Bool[Tensor, "N"]:
    """Trunk high above the lower foot (m) and upright (cosine)."""
    return (height_over_feet(state) >= min_height) & (upright_cosine(state.base_quat_w) >= min_cosine)


def height_over_feet(state: WorldState) -> Float[Tensor, "N"]:
    """Trunk origin above the lower sole, m."""
    return state.base_pos_w[:, 2] - state.foot_pos_w[..., 2].amin(dim=-1)


def rotate_2d(v: Float[Tensor, "*n 2"], angle: Float[Tensor, "*n"]) -> Float[Tensor, "*n 2"]:
    """Rotate plane vectors by an angle in rad."""
    c, s = torch.cos(angle), torch.sin(angle)
    return torch.stack((c * v[..., 0] - s * v[..., 1], s * v[..., 0] + c * v[..., 1]), dim=-1)
