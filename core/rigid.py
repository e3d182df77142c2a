"""Rotations and rigid transforms in torch, batched over leading axes; quaternions are wxyz."""

import torch
from jaxtyping import Float
from torch import Tensor

W, X, Y, Z = range(4)
_PRODUCT_COLUMNS = torch.tensor((W, X, Y, Z, X, W, Z, Y, Y, Z, W, X, Z, Y, X, W))
_PRODUCT_SIGNS = torch.tensor((1, 1, 1, 1, -1, 1, -1, 1, -1, 1, 1, -1, -1, -1, 1, 1), dtype=torch.float32)
"""a ⊗ b = a_w b + a_x (-b_x, b_w, -b_z, b_y) + a_y (-b_y, b_z, b_w, -b_x) + a_z (-b_z, -b_y, b_x, b_w)"""
_COLUMN_FACTORS = torch.tensor((
    Y, X, X, X, X, Y,
    Y, Y, Z, Y, X, Z,
    Z, W, W, W, Z, W,
    Z, Z, Y, Z, Z, X,
))  # fmt: skip
_COLUMN_TERMS = torch.tensor(((1, 1, -1, -1, 1, 1), (-2, 2, 2, 2, -2, 2), (1, 0, 0, 0, 1, 0)), dtype=torch.float32)
"""offset + scale (a b + sign c d), element by element: 1 - 2 (y² + z²), 2 (x y + w z), 2 (x z - w y), and so on"""

_CONJUGATE = torch.tensor((1.0, -1.0, -1.0, -1.0))


def _take(q: Tensor, components: Tensor) -> Tensor:
    """Components of quaternions (..., 4) by number, (..., M)."""
    return q.index_select(-1, components.to(q.device))


def quat_mul(a: Float[Tensor, "*#n 4"], b: Float[Tensor, "*#n 4"]) -> Float[Tensor, "*_ 4"]:
    """Hamilton product a ⊗ b, (..., 4)."""
    # few operations on whole tensors: with tens of worlds each operation costs its call, not its arithmetic
    rows = (_take(b, _PRODUCT_COLUMNS) * _PRODUCT_SIGNS.to(b)).unflatten(-1, (4, 4))
    w, x, y, z = (a.unsqueeze(-1) * rows).unbind(-2)
    return w + x + y + z


def quat_inv(q: Float[Tensor, "*n 4"]) -> Float[Tensor, "*n 4"]:
    """Conjugate of a unit quaternion, (..., 4)."""
    return q * _CONJUGATE.to(q)


def quat_rotate(q: Float[Tensor, "*#n 4"], v: Float[Tensor, "*#n 3"]) -> Float[Tensor, "*_ 3"]:
    """Rotate v (..., 3) by q (..., 4)."""
    w, u = q[..., :1], q[..., 1:]
    t = torch.linalg.cross(u, 2.0 * v)
    return torch.addcmul(v, w, t) + torch.linalg.cross(u, t)


def quat_rotate_inv(q: Float[Tensor, "*#n 4"], v: Float[Tensor, "*#n 3"]) -> Float[Tensor, "*_ 3"]:
    """Rotate v by the inverse of q."""
    return quat_rotate(quat_inv(q), v)


def quat_normalize(q: Float[Tensor, "*n 4"]) -> Float[Tensor, "*n 4"]:
    """Unit quaternion with w >= 0."""
    q = q / q.norm(dim=-1, keepdim=True).clamp_min(1e-12)
    return torch.where(q[..., :1] < 0, -q, q)


def quat_from_rotvec(v: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n 4"]:
    """Exponential map, (..., 3) rad -> (..., 4)."""
    angle = v.norm(dim=-1, keepdim=True)
    half = 0.5 * angle
    scale = torch.where(angle > 1e-6, torch.sin(half) / angle.clamp_min(1e-12), 0.5 - angle.square() / 48.0)
    return torch.cat((torch.cos(half), scale * v), dim=-1)


def quat_to_rotvec(q: Float[Tensor, "*n 4"]) -> Float[Tensor, "*n 3"]:
    """Logarithm, shortest rotation, (..., 4) -> (..., 3) rad."""
    q = quat_normalize(q)
    w, u = q[..., :1], q[..., 1:]
    sin_half = u.norm(dim=-1, keepdim=True)
    angle = 2.0 * torch.atan2(sin_half, w)
    scale = torch.where(sin_half > 1e-6, angle / sin_half.clamp_min(1e-12), 2.0 + sin_half.square() / 3.0)
    return scale * u


def quat_from_yaw(yaw: Float[Tensor, "*n"]) -> Float[Tensor, "*n 4"]:
    """Rotation about z, (...) -> (..., 4)."""
    zero = torch.zeros_like(yaw)
    return torch.stack((torch.cos(0.5 * yaw), zero, zero, torch.sin(0.5 * yaw)), dim=-1)


def quat_from_rpy(rpy: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n 4"]:
    """Roll, pitch, yaw about fixed axes x, y, z in that order (what IMUs report), (..., 3) -> (..., 4)."""
    roll, pitch, yaw = (0.5 * rpy[..., i] for i in range(3))
    zero = torch.zeros_like(roll)
    about_x = torch.stack((torch.cos(roll), torch.sin(roll), zero, zero), dim=-1)
    about_y = torch.stack((torch.cos(pitch), zero, torch.sin(pitch), zero), dim=-1)
    about_z = torch.stack((torch.cos(yaw), zero, zero, torch.sin(yaw)), dim=-1)
    return quat_mul(about_z, quat_mul(about_y, about_x))


def yaw_of(q: Float[Tensor, "*n 4"]) -> Float[Tensor, "*n"]:
    """Heading angle of the x axis, (..., 4) -> (...)."""
    w, x, y, z = q.unbind(-1)
    return torch.atan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z))


def matrix_from_quat(q: Float[Tensor, "*n 4"]) -> Float[Tensor, "*n 3 3"]:
    """Rotation matrix, (..., 4) -> (..., 3, 3)."""
    w, x, y, z = q.unbind(-1)
    rows = (
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    )  # fmt: skip
    return torch.stack(rows, dim=-1).reshape(*q.shape[:-1], 3, 3)


def rotation_6d(q: Float[Tensor, "*n 4"]) -> Float[Tensor, "*n 6"]:
    """First two columns of the rotation matrix, a continuous representation, (..., 4) -> (..., 6)."""
    a, b, c, d = _take(q, _COLUMN_FACTORS).unflatten(-1, (4, 6)).unbind(-2)
    signs, scale, offset = _COLUMN_TERMS.to(q).unbind(0)
    return offset + scale * (a * b + signs * (c * d))


def quat_from_matrix(matrix: Float[Tensor, "*n 3 3"]) -> Float[Tensor, "*n 4"]:
    """Unit quaternion with w >= 0 of a rotation matrix, (..., 3, 3) -> (..., 4); stable for every angle."""
    m = matrix
    trace = m[..., 0, 0] + m[..., 1, 1] + m[..., 2, 2]
    squares = torch.stack(
        (
            1 + trace,
            1 + m[..., 0, 0] - m[..., 1, 1] - m[..., 2, 2],
            1 - m[..., 0, 0] + m[..., 1, 1] - m[..., 2, 2],
            1 - m[..., 0, 0] - m[..., 1, 1] + m[..., 2, 2],
        ),
        dim=-1,
    )  # 4 w^2, 4 x^2, 4 y^2, 4 z^2
    wx, wy, wz = m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]
    xy, xz, yz = m[..., 0, 1] + m[..., 1, 0], m[..., 0, 2] + m[..., 2, 0], m[..., 1, 2] + m[..., 2, 1]
    rows = torch.stack(
        (
            torch.stack((squares[..., 0], wx, wy, wz), dim=-1),
            torch.stack((wx, squares[..., 1], xy, xz), dim=-1),
            torch.stack((wy, xy, squares[..., 2], yz), dim=-1),
            torch.stack((wz, xz, yz, squares[..., 3]), dim=-1),
        ),
        dim=-2,
    )  # each row is the quaternion times 4 of one component
    best = squares.argmax(dim=-1)
    chosen = torch.gather(rows, -2, best[..., None, None].expand(*best.shape, 1, 4)).squeeze(-2)
    return quat_normalize(chosen)


def quat_from_rotation_6d(r: Float[Tensor, "*n 6"]) -> Float[Tensor, "*n 4"]:
    """Gram-Schmidt inverse of `rotation_6d`, (..., 6) -> (..., 4)."""
    x = torch.nn.functional.normalize(r[..., :3], dim=-1)
    y = torch.nn.functional.normalize(r[..., 3:] - (x * r[..., 3:]).sum(-1, keepdim=True) * x, dim=-1)
    return quat_from_matrix(torch.stack((x, y, torch.cross(x, y, dim=-1)), dim=-1))


def rotation_error(q: Float[Tensor, "*#n 4"], q_ref: Float[Tensor, "*#n 4"]) -> Float[Tensor, "*_ 3"]:
    """Rotation vector that takes q to q_ref, in the axes both are expressed in, (..., 3) rad."""
    return quat_to_rotvec(quat_mul(q_ref, quat_inv(q)))


def wrap_angle(angle: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """Into [-pi, pi)."""
    return torch.remainder(angle + torch.pi, 2 * torch.pi) - torch.pi
