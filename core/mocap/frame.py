"""What every motion capture system gives: rigid bodies by name at an instant."""

import math
from dataclasses import dataclass

from core.teleop.samples import Quaternion, Vector3


@dataclass(frozen=True)
class RigidBody:
    """One body in one frame, in the world: z up, m, wxyz."""

    name: str
    pos_w: Vector3
    quat_w: Quaternion
    tracked: bool = True
    "false: not seen; the pose is an old one or none"
    residual_m: float = 0.0
    "mean error of its markers, as the system says"

    def finite(self) -> bool:
        """Whether every number is one and the quaternion has a direction."""
        numbers = (*self.pos_w, *self.quat_w)
        return all(map(math.isfinite, numbers)) and math.hypot(*self.quat_w) > 0.5


@dataclass(frozen=True)
class MocapFrame:
    """All bodies of one exposure. Times are of this computer's monotonic clock."""

    number: int
    exposure_s: float
    "when the cameras saw it"
    received_s: float
    "when it arrived here"
    bodies: tuple[RigidBody, ...]


def z_up(pos: Vector3, quat: Quaternion) -> tuple[Vector3, Quaternion]:
    """From axes with y up (x to the right, z towards us) to z up: both the world's and the body's axes change."""
    x, y, z = pos
    qw, qx, qy, qz = quat
    return (x, -z, y), (qw, qx, -qz, qy)


def y_up(pos: Vector3, quat: Quaternion) -> tuple[Vector3, Quaternion]:
    """Inverse of `z_up`."""
    x, y, z = pos
    qw, qx, qy, qz = quat
    return (x, z, -y), (qw, qx, qz, -qy)
