"""Poses as plain tuples of floats: what the input process and the clutch need 120 times a second, without torch.

`core.rigid` is the same mathematics for batches; for one quaternion a tensor costs fifty times as much, and the input
process must start within a tenth of a second. The tests compare the two.
"""

import math
from dataclasses import dataclass

from core.teleop.samples import ZERO, Quaternion, Vector3

IDENTITY: Quaternion = (1.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Pose:
    """Position (m) and rotation (wxyz)."""

    pos: Vector3 = ZERO
    quat: Quaternion = IDENTITY


ORIGIN = Pose()


def mul(a: Quaternion, b: Quaternion) -> Quaternion:
    """Hamilton product."""
    aw, ax, ay, az = a
    bw, bx, by, bz = b
    return (
        aw * bw - ax * bx - ay * by - az * bz,
        aw * bx + ax * bw + ay * bz - az * by,
        aw * by - ax * bz + ay * bw + az * bx,
        aw * bz + ax * by - ay * bx + az * bw,
    )


def inverse(q: Quaternion) -> Quaternion:
    """Conjugate of a unit quaternion."""
    return q[0], -q[1], -q[2], -q[3]


def rotate(q: Quaternion, v: Vector3) -> Vector3:
    """v rotated by q."""
    _, x, y, z = mul(mul(q, (0.0, *v)), inverse(q))
    return x, y, z


def about_z(yaw: float) -> Quaternion:
    """Rotation about the vertical, rad."""
    return math.cos(0.5 * yaw), 0.0, 0.0, math.sin(0.5 * yaw)


def yaw_of(q: Quaternion) -> float:
    """Heading of the x axis, rad."""
    w, x, y, z = q
    return math.atan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z))


def angle_between(a: Quaternion, b: Quaternion) -> float:
    """Angle of the rotation that takes one to the other, 0 to pi rad."""
    w, x, y, z = mul(a, inverse(b))
    return 2.0 * math.atan2(math.sqrt(x * x + y * y + z * z), abs(w))


def distance(a: Vector3, b: Vector3) -> float:
    """Distance of two points, m."""
    return math.dist(a, b)


def from_openxr(pos: Vector3, quat_xyzw: Quaternion) -> Pose:
    """A pose in OpenXR's axes (x right, y up, z backwards; xyzw) in ours (x forward, y left, z up; wxyz).

    Both the frame it is given in and the frame it describes change their axes, so the identity stays the identity.
    """
    x, y, z = pos
    qx, qy, qz, qw = quat_xyzw
    return Pose((-z, -x, y), (qw, -qz, -qx, qy))


def to_openxr(pose: Pose) -> tuple[Vector3, Quaternion]:
    """Inverse of `from_openxr`: position and xyzw quaternion."""
    x, y, z = pose.pos
    qw, qx, qy, qz = pose.quat
    return (-y, z, -x), (-qy, qz, -qx, qw)
