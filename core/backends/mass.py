"""Mass properties of rigid bodies, batched in numpy: inertia of a box, a point mass added to a body."""

import numpy as np
from jaxtyping import Float

_WX, _WY, _WZ, _XX, _XY, _XZ, _YY, _YZ, _ZZ = 1, 2, 3, 5, 6, 7, 10, 11, 15
"""Places of the products of two components of a quaternion in their 4 x 4 table, row by row."""
_FIRST = np.array((_YY, _XY, _XZ, _XY, _XX, _YZ, _XZ, _YZ, _XX))
_SECOND = np.array((_ZZ, _WZ, _WY, _WZ, _ZZ, _WX, _WY, _WX, _YY))
_SIGN = np.array((1.0, -1.0, 1.0, 1.0, 1.0, -1.0, -1.0, 1.0, 1.0))
_SCALE = np.array((-2.0, 2.0, 2.0, 2.0, -2.0, 2.0, 2.0, 2.0, -2.0))
_IDENTITY = np.eye(3).reshape(9)
"""A rotation matrix is I + scale (first + sign second): 1 - 2 (y² + z²), 2 (x y - w z), and so on."""


def box_inertia(mass: Float[np.ndarray, "M"], size: Float[np.ndarray, "M 3"]) -> Float[np.ndarray, "M 3"]:
    """Principal inertia of uniform cuboids about their centres, kg m^2; `size` are full edge lengths in m."""
    squares = np.square(size)
    return mass[:, None] / 12.0 * (squares.sum(axis=1, keepdims=True) - squares)


def matrix_from_quat(quat: Float[np.ndarray, "*n 4"]) -> Float[np.ndarray, "*n 3 3"]:
    """Rotation matrices of unit quaternions wxyz, in float64."""
    # few operations on whole arrays: with tens of worlds each operation costs its call, not its arithmetic
    products = (quat[..., :, None] * quat[..., None, :]).reshape(*quat.shape[:-1], 16)
    sums = products.take(_FIRST, axis=-1) + _SIGN * products.take(_SECOND, axis=-1)
    return (_IDENTITY + _SCALE * sums).reshape(*quat.shape[:-1], 3, 3)


def quat_from_matrix(matrix: Float[np.ndarray, "M 3 3"]) -> Float[np.ndarray, "M 4"]:
    """Unit quaternions wxyz of rotation matrices, as the largest eigenvector of Bar-Itzhack's matrix (stable)."""
    m = matrix
    k = np.zeros((len(m), 4, 4))
    k[:, 0, 0] = m[:, 0, 0] + m[:, 1, 1] + m[:, 2, 2]
    k[:, 1, 0], k[:, 2, 0], k[:, 3, 0] = (
        m[:, 2, 1] - m[:, 1, 2],
        m[:, 0, 2] - m[:, 2, 0],
        m[:, 1, 0] - m[:, 0, 1],
    )
    k[:, 1:, 1:] = m + np.swapaxes(m, 1, 2) - np.eye(3) * k[:, 0, 0][:, None, None]
    return np.linalg.eigh(k)[1][:, :, -1]  # eigh reads the lower triangle; the last eigenvector is the largest


def add_point_mass(
    mass: float,
    com: Float[np.ndarray, "3"],
    inertia: Float[np.ndarray, "3"],
    inertia_quat: Float[np.ndarray, "4"],
    point: Float[np.ndarray, "3"],
    point_mass: Float[np.ndarray, "M"],
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """One body with M different point masses attached at `point` (body frame, m).

    Takes and returns mass (M,), centre of mass (M, 3), principal inertia (M, 3) and the rotation of the principal axes
    (M, 4), all in the body frame. Parallel-axis theorem with the reduced mass of the two parts.
    """
    total = mass + point_mass
    arm = point - com
    new_com = com + (point_mass / total)[:, None] * arm
    axes = matrix_from_quat(inertia_quat)
    reduced = mass * point_mass / total
    spread = arm @ arm * np.eye(3) - np.outer(arm, arm)
    tensor = (axes * inertia) @ axes.T + reduced[:, None, None] * spread
    principal, rotation = np.linalg.eigh(tensor)
    rotation *= np.sign(np.linalg.det(rotation))[:, None, None]
    return total, new_com, principal, quat_from_matrix(rotation)
