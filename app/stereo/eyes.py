"""Where each eye of the operator is in the simulated world, and the asymmetric frustum that it sees through."""

import math
from dataclasses import dataclass
from typing import Literal

from core.teleop.poses import Pose, about_z, mul, rotate, yaw_of
from core.teleop.samples import Vector3

NEAR_M, FAR_M = 0.05, 30.0
ROBOT_EYES_M: Vector3 = (0.20, 0.0, 0.41)
"""4 cm in front of the T1's eyes, heading frame of the base: of the robot only its arms are in the picture."""
STAND_M: Vector3 = (-0.9, 0.5, 0.75)
"""Of the free stand: behind the robot and to its left, a little higher, relative to where the robot began."""

Stand = Literal["head", "stand"]
"""head: the robot's; stand: a place behind it that stays."""


@dataclass(frozen=True)
class Fov:
    """Angles from the axis of an eye, rad; left and down are negative."""

    left: float
    right: float
    up: float
    down: float


@dataclass(frozen=True)
class Frustum:
    """As MuJoCo's MjvGLCamera has it, at the near plane, m."""

    center: float
    half_width: float
    bottom: float
    top: float


@dataclass(frozen=True)
class EyeCamera:
    """One eye in the world."""

    pos: Vector3
    forward: Vector3
    up: Vector3
    frustum: Frustum


def frustum(fov: Fov) -> Frustum:
    """The frustum of a field of view, exactly as asymmetric as the lens."""
    left, right = NEAR_M * math.tan(fov.left), NEAR_M * math.tan(fov.right)
    return Frustum(0.5 * (left + right), 0.5 * (right - left), NEAR_M * math.tan(fov.down), NEAR_M * math.tan(fov.up))


def anchor(base: Pose, began: Pose, stand: Stand) -> Pose:
    """Where the operator's head is put, upright, looking along the robot's heading."""
    at, place = (base, ROBOT_EYES_M) if stand == "head" else (began, STAND_M)
    heading = about_z(yaw_of(at.quat))
    return Pose(_add(at.pos, rotate(heading, place)), heading)


def eye_camera(eye: Pose, reference: Pose, anchored: Pose, fov: Fov) -> EyeCamera:
    """An eye, tracked in the room, in the world: what it moved since `reference` is moved from the anchor."""
    unyaw = about_z(-yaw_of(reference.quat))
    pos = _add(anchored.pos, rotate(anchored.quat, rotate(unyaw, _subtract(eye.pos, reference.pos))))
    quat = mul(anchored.quat, mul(unyaw, eye.quat))
    return EyeCamera(pos, rotate(quat, (1.0, 0.0, 0.0)), rotate(quat, (0.0, 0.0, 1.0)), frustum(fov))


def between(left: Pose, right: Pose) -> Pose:
    """The middle of two eyes, with the rotation of the left one: the reference of the head."""
    x, y, z = (0.5 * (a + b) for a, b in zip(left.pos, right.pos))
    return Pose((x, y, z), left.quat)


def _add(a: Vector3, b: Vector3) -> Vector3:
    return a[0] + b[0], a[1] + b[1], a[2] + b[2]


def _subtract(a: Vector3, b: Vector3) -> Vector3:
    return a[0] - b[0], a[1] - b[1], a[2] - b[2]
