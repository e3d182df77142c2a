"""The actuated gripper of each hand: measures, drive, and how the vendor's rigid hand is split into palm and fingers.

The vendor's 29-DoF URDF has the two-finger gripper only as part of one rigid hand mesh with open fingers. Measures of
the fingers are read off that mesh (hand_link frame, left side; the right hand is its mirror image in y). Masses of the
fingers, drive stiffness and force limit are choices of this project.
"""

from dataclasses import dataclass

import numpy as np

from core.t1.facts import Link

FINGER_MASS_KG = 0.025
"""Choice of this project: an aluminium finger of the mesh's size, partly hollow."""
FINGER_SIZE_M = (0.016, 0.0635, 0.018)
"""Edge lengths of one finger in hand_link x, y, z (mesh: x 0.033..0.049, y 0.12..0.1835, z -0.009..0.009)."""
FINGER_Y_M = 0.15175
"""Finger centre along the approach axis (left +y, right -y)."""
GRIPPER_CENTRE_X_M = -0.0055
"""Middle between the fingers along hand_link x: inner faces of the open mesh at -0.044 and +0.033."""
NOMINAL_OPENING_M = 0.077
"""The opening of the vendor's mesh, at which palm plus fingers weigh and turn exactly like the vendor's hand."""

GRIPPER_KP = 1000.0
"""N/m of opening error."""
FINGER_DAMPING = 100.0
"""N s/m of each slide: full stroke in 0.45 s at the force limit.

In the joint and not in the drive, because MuJoCo integrates a drive's damping explicitly while its force is clamped:
with 5 ms steps the light fingers then bounce between the force limits.
"""
GRIPPER_FORCE_N = 10.0
"""Largest force of each finger: the SDK's scale of the gripper force ends at 1000, taken as grams."""
FINGER_ARMATURE_KG = 0.05
"""Reflected inertia of the finger drive, per finger."""


@dataclass(frozen=True)
class MassProperties:
    """Mass, centre of mass and inertia about it, in one frame."""

    mass: float
    "kg"
    com: np.ndarray
    "(3,) m"
    inertia: np.ndarray
    "(3, 3) kg m^2 about the centre of mass"

    @classmethod
    def of_link(cls, link: Link) -> "MassProperties":
        xx, yy, zz, xy, xz, yz = link.inertia
        return cls(link.mass, np.array(link.com), np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]))

    @classmethod
    def of_box(cls, mass: float, size: tuple[float, float, float], centre: np.ndarray) -> "MassProperties":
        x, y, z = np.square(size)
        return cls(mass, centre, mass / 12.0 * np.diag([y + z, x + z, x + y]))

    def about(self, point: np.ndarray) -> np.ndarray:
        """Inertia about another point, (3, 3): the parallel-axis theorem."""
        r = self.com - point
        return self.inertia + self.mass * (r @ r * np.eye(3) - np.outer(r, r))


def combine(*parts: MassProperties) -> MassProperties:
    """Rigid union of parts given in one frame."""
    mass = sum(part.mass for part in parts)
    com = sum((part.mass * part.com for part in parts), np.zeros(3)) / mass
    return MassProperties(mass, com, sum((part.about(com) for part in parts), np.zeros((3, 3))))


def remove(whole: MassProperties, *parts: MassProperties) -> MassProperties:
    """What is left of a rigid body without some of its parts: the inverse of `combine`."""
    mass = whole.mass - sum(part.mass for part in parts)
    com = (whole.mass * whole.com - sum((part.mass * part.com for part in parts), np.zeros(3))) / mass
    about_com = whole.about(com) - sum((part.about(com) for part in parts), np.zeros((3, 3)))
    return MassProperties(mass, com, about_com)


def finger_centre(side: str, finger: int, opening: float) -> np.ndarray:
    """Centre of finger 1 (+x) or 2 (-x) in the hand_link frame, (3,) m."""
    sign_x = 1.0 if finger == 1 else -1.0
    sign_y = 1.0 if side == "left" else -1.0
    x = GRIPPER_CENTRE_X_M + sign_x * 0.5 * (opening + FINGER_SIZE_M[0])
    return np.array([x, sign_y * FINGER_Y_M, 0.0])


def finger_properties(side: str, finger: int, opening: float) -> MassProperties:
    """Mass properties of one finger in the hand_link frame."""
    return MassProperties.of_box(FINGER_MASS_KG, FINGER_SIZE_M, finger_centre(side, finger, opening))


def palm_properties(hand: Link, side: str) -> MassProperties:
    """The vendor's hand without its two fingers at the nominal opening."""
    fingers = (finger_properties(side, finger, NOMINAL_OPENING_M) for finger in (1, 2))
    return remove(MassProperties.of_link(hand), *fingers)
