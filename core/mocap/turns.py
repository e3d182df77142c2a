"""Rotation vectors and quaternions of one body, as plain tuples (see `core.teleop.poses`)."""

import math

import numpy as np

from core.teleop.poses import inverse, mul
from core.teleop.samples import Quaternion, Vector3


def turned(quat: Quaternion, turn: Vector3) -> Quaternion:
    """Turned by a rotation vector (rad) in world axes."""
    angle = math.hypot(*turn)
    scale = math.sin(0.5 * angle) / angle if angle > 1e-9 else 0.5
    x, y, z = turn
    return mul((math.cos(0.5 * angle), scale * x, scale * y, scale * z), quat)


def rotation_vector(a: Quaternion, b: Quaternion) -> Vector3:
    """In world axes, from a to b, the short way, rad."""
    w, x, y, z = mul(b, inverse(a))
    if w < 0:
        w, x, y, z = -w, -x, -y, -z
    sine = math.hypot(x, y, z)
    scale = 2.0 * math.atan2(sine, w) / sine if sine > 1e-9 else 2.0
    return scale * x, scale * y, scale * z


def as_vector(values: np.ndarray) -> Vector3:
    """Three numbers of an array as plain floats."""
    x, y, z = map(float, values)
    return x, y, z


def as_quaternion(values: np.ndarray) -> Quaternion:
    """Four numbers of an array, wxyz, as plain floats."""
    w, x, y, z = map(float, values)
    return w, x, y, z
