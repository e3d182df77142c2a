"""Collision primitives of the T1 and their contact groups: few geoms, so that contact stays cheap.

Two geoms touch when one's `contype` shares a bit with the other's `conaffinity`. The world (floor, table, boxes) has
contype WORLD and conaffinity WORLD. Robot geoms listen to WORLD and to the groups they may hit:

| group | geoms | touches |
|---|---|---|
| sole | sole box of each foot | world |
| foot | capsule along each foot | the other leg |
| leg | shank and thigh capsules | world, the other leg |
| torso | trunk box, waist capsule, head sphere | world |
| arm | arm capsules, palm box, pad, fingers | world, torso, legs, the other arm |

In "locomotion" only the soles touch the world and the legs each other.
"""

from dataclasses import dataclass
from typing import Literal

from core.t1.gripper import FINGER_SIZE_M, GRIPPER_CENTRE_X_M

Vec3 = tuple[float, float, float]

WORLD = 1
LEFT_LEG = 2
RIGHT_LEG = 4
TORSO = 8
LEFT_ARM = 16
RIGHT_ARM = 32

Group = Literal["sole", "foot", "leg", "torso", "arm"]


@dataclass(frozen=True)
class Shape:
    """One primitive in the frame of its link, left or middle side."""

    name: str
    link: str
    group: Group
    kind: Literal["box", "capsule", "sphere"]
    size: tuple[float, ...]
    "box: half edges; capsule, sphere: radius. m"
    pos: Vec3 = (0.0, 0.0, 0.0)
    "centre (box, sphere), m"
    ends: tuple[Vec3, Vec3] | None = None
    "end points of a capsule's axis, m"


_LEFT_SHAPES = (
    Shape("left_sole", "left_foot_link", "sole", "box", (0.112434, 0.05, 0.02183), (0.0101079, 0.0, -0.0214208)),
    Shape(
        "left_foot", "left_foot_link", "foot", "capsule", (0.04,), ends=((-0.055, 0.0, -0.002), (0.075, 0.0, -0.002))
    ),
    Shape("left_shank", "Shank_Left", "leg", "capsule", (0.045,), ends=((0.0, 0.0, -0.04), (0.0, 0.0, -0.23))),
    Shape("left_thigh", "Hip_Yaw_Left", "leg", "capsule", (0.052,), ends=((-0.002, 0.0, 0.03), (-0.013, 0.0, -0.11))),
    Shape("left_upper_arm", "AL3", "arm", "capsule", (0.034,), ends=((0.0, 0.0, 0.0), (0.0, 0.14, 0.0))),
    Shape("left_forearm", "AL4", "arm", "capsule", (0.036,), ends=((0.0, 0.01, 0.0), (0.0, 0.105, 0.0))),
    Shape("left_wrist", "AL6", "arm", "capsule", (0.03,), ends=((0.0, 0.0, 0.0), (0.0, 0.05, 0.0))),
    Shape("left_palm", "left_hand_link", "arm", "box", (0.0355, 0.0675, 0.02925), (-0.0055, 0.0525, 0.01625)),
    Shape("left_pad", "left_hand_link", "arm", "box", (0.033, 0.05, 0.011), (-0.0055, 0.08, -0.024)),
)

_MIDDLE_SHAPES = (
    Shape("trunk", "Trunk", "torso", "box", (0.085, 0.09, 0.145), (0.06, 0.0, 0.12)),
    Shape("waist", "Waist", "torso", "capsule", (0.06,), ends=((0.0, -0.04, 0.0), (0.0, 0.04, 0.0))),
    Shape("head", "H2", "torso", "sphere", (0.08,), (0.01, 0.0, 0.11)),
)

FINGER_HALF_SIZE_M = tuple(0.5 * edge for edge in FINGER_SIZE_M)
GRASP_POS_LEFT_M = (GRIPPER_CENTRE_X_M, 0.165, 0.0)
"""Grasp centre in the left hand_link frame; the right one is mirrored in y."""


def mirror_link(name: str) -> str:
    """Name of the right-hand twin of a left link."""
    if name.startswith("AL"):
        return "AR" + name[2:]
    return name.replace("Left", "Right").replace("left", "right")


def _mirror_point(p: Vec3) -> Vec3:
    return (p[0], -p[1] if p[1] else 0.0, p[2])


def _mirror(shape: Shape) -> Shape:
    ends = None if shape.ends is None else (_mirror_point(shape.ends[0]), _mirror_point(shape.ends[1]))
    name = shape.name.replace("left", "right")
    return Shape(name, mirror_link(shape.link), shape.group, shape.kind, shape.size, _mirror_point(shape.pos), ends)


COLLISION_SHAPES: tuple[Shape, ...] = (*_LEFT_SHAPES, *(_mirror(s) for s in _LEFT_SHAPES), *_MIDDLE_SHAPES)


def contact_masks(group: Group, left: bool) -> tuple[int, int]:
    """(contype, conaffinity) of a robot geom."""
    match group:
        case "sole":
            return 0, WORLD
        case "foot":
            return (LEFT_LEG, RIGHT_LEG) if left else (RIGHT_LEG, LEFT_LEG)
        case "leg":
            return (LEFT_LEG, WORLD | RIGHT_LEG) if left else (RIGHT_LEG, WORLD | LEFT_LEG)
        case "torso":
            return TORSO, WORLD
        case "arm":
            others = WORLD | TORSO | LEFT_LEG | RIGHT_LEG
            return (LEFT_ARM, others | RIGHT_ARM) if left else (RIGHT_ARM, others | LEFT_ARM)
