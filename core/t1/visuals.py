"""What the T1 looks like: materials, shells and primitives per link, left and middle; the right side is mirrored.

Shapes are this project's own drawing, made to the vendor's joint positions, link extents and published photographs
in mind: light shells, dark drives, helmet-like head with a visor, two-finger hands.
"""

from dataclasses import dataclass
from typing import Literal

from core.t1.collision import FINGER_HALF_SIZE_M, Vec3
from core.t1.shells import Loft, Rounded, Section

Material = Literal["shell", "grey", "dark", "joint", "visor", "glass", "accent", "rubber", "metal", "pad"]
Frame = Literal["z", "x", "y"]

MATERIALS: dict[Material, dict[str, str]] = {
    "shell": {"rgba": "0.87 0.88 0.9 1", "specular": "0.35", "shininess": "0.55"},
    "grey": {"rgba": "0.6 0.62 0.65 1", "specular": "0.35", "shininess": "0.5"},
    "dark": {"rgba": "0.13 0.14 0.16 1", "specular": "0.35", "shininess": "0.5"},
    "joint": {"rgba": "0.23 0.24 0.27 1", "specular": "0.5", "shininess": "0.6"},
    "visor": {"rgba": "0.025 0.03 0.04 1", "specular": "0.9", "shininess": "0.9"},
    "glass": {"rgba": "0.1 0.22 0.35 1", "specular": "1", "shininess": "0.95"},
    "accent": {"rgba": "0.15 0.65 0.95 1", "emission": "0.6"},
    "rubber": {"rgba": "0.07 0.07 0.075 1", "specular": "0.05", "shininess": "0.1"},
    "metal": {"rgba": "0.5 0.52 0.55 1", "specular": "0.8", "shininess": "0.7"},
    "pad": {"rgba": "0.86 0.45 0.14 1", "specular": "0.05", "shininess": "0.1"},
}


@dataclass(frozen=True)
class Part:
    """One visual geom in the frame of its link."""

    link: str
    material: Material
    kind: Literal["ellipsoid", "sphere", "capsule", "cylinder", "box", "shell"]
    size: tuple[float, ...] = ()
    "as MuJoCo: radii, half edges, or radius and half length; empty for a shell"
    pos: Vec3 = (0.0, 0.0, 0.0)
    axis: Frame = "z"
    "link axis along which the part's own z axis lies (for y: away from the body, so mirrored parts agree)"
    shell: str = ""
    "name of the shell"


def shell(link: str, name: str, material: Material = "shell", pos: Vec3 = (0.0, 0.0, 0.0), axis: Frame = "z") -> Part:
    return Part(link, material, "shell", (), pos, axis, name)


def drum(link: str, radius: float, half: float, pos: Vec3, axis: Frame, material: Material = "joint") -> Part:
    return Part(link, material, "cylinder", (radius, half), pos, axis)


SHELLS: tuple[Loft | Rounded, ...] = (
    Loft(
        "torso",
        (
            Section(-0.055, 0.06, 0.076, 0.06, 3.0),
            Section(-0.01, 0.072, 0.086, 0.058, 3.0),
            Section(0.08, 0.082, 0.097, 0.056, 3.2),
            Section(0.17, 0.088, 0.107, 0.057, 3.4),
            Section(0.22, 0.084, 0.109, 0.058, 3.4),
            Section(0.258, 0.064, 0.08, 0.06, 2.8),
        ),
        bevel=0.022,
        rings=9,
        points=28,
    ),
    Loft(
        "chest",
        (
            Section(0.075, 0.03, 0.058, 0.115, 3.4),
            Section(0.12, 0.034, 0.068, 0.116, 3.6),
            Section(0.19, 0.034, 0.077, 0.116, 3.6),
            Section(0.222, 0.03, 0.07, 0.114, 3.4),
        ),
        bevel=0.01,
        points=24,
    ),
    Loft(
        "belt",
        (Section(-0.006, 0.0695, 0.0845, 0.0, 3.0), Section(0.006, 0.0715, 0.0865, 0.0, 3.0)),
        bevel=0.001,
        rings=2,
        points=28,
    ),
    Rounded("backpack", (0.03, 0.075, 0.085), 0.3, 0.35),
    Rounded("shoulder_yoke", (0.052, 0.02, 0.05), 1.0, 0.4),
    Loft(
        "helmet",
        (
            Section(0.018, 0.048, 0.046, 0.004, 2.4),
            Section(0.055, 0.076, 0.068, 0.007, 2.6),
            Section(0.11, 0.088, 0.077, 0.005, 2.5),
            Section(0.155, 0.081, 0.071, 0.002, 2.5),
            Section(0.19, 0.058, 0.051, -0.001, 2.3),
        ),
        bevel=0.03,
        rings=10,
        points=28,
    ),
    Loft(
        "visor",
        (
            Section(0.066, 0.05, 0.054, 0.043, 2.6),
            Section(0.105, 0.056, 0.069, 0.045, 2.6),
            Section(0.148, 0.048, 0.062, 0.042, 2.6),
        ),
        bevel=0.012,
        rings=8,
        points=28,
    ),
    Rounded("collar", (0.045, 0.045, 0.018), 1.0, 0.5),
    Rounded("ear", (0.03, 0.03, 0.011), 1.0, 0.45),
    Loft(
        "pelvis",
        (
            Section(-0.062, 0.044, 0.04, 0.0, 3.0),
            Section(-0.02, 0.06, 0.062, -0.002, 3.4),
            Section(0.03, 0.06, 0.066, -0.002, 3.4),
            Section(0.05, 0.052, 0.058, 0.0, 3.0),
        ),
        bevel=0.012,
        points=24,
    ),
    Rounded("hip_motor", (0.05, 0.05, 0.034), 1.0, 0.4),
    Rounded("hip_mount", (0.046, 0.046, 0.03), 1.0, 0.4),
    Rounded("hip_roll_motor", (0.042, 0.042, 0.054), 1.0, 0.35),
    Loft(
        "thigh",
        (
            Section(-0.125, 0.052, 0.046, -0.012, 3.0),
            Section(-0.06, 0.057, 0.053, -0.007, 3.0),
            Section(0.0, 0.058, 0.056, -0.002, 2.8),
            Section(0.035, 0.05, 0.05, 0.0, 2.5),
        ),
        bevel=0.014,
    ),
    Rounded("knee", (0.053, 0.053, 0.05), 1.0, 0.3),
    Rounded("knee_cap", (0.036, 0.036, 0.009), 1.0, 0.45),
    Loft(
        "shank",
        (
            Section(-0.245, 0.031, 0.03, 0.0, 2.6),
            Section(-0.18, 0.041, 0.037, -0.004, 2.8),
            Section(-0.11, 0.051, 0.044, -0.008, 3.0),
            Section(-0.05, 0.05, 0.043, -0.004, 3.0),
            Section(-0.02, 0.042, 0.038, 0.0, 2.6),
        ),
        bevel=0.012,
    ),
    Loft(
        "calf",
        (
            Section(-0.2, 0.02, 0.036, -0.036, 3.0),
            Section(-0.13, 0.028, 0.047, -0.042, 3.2),
            Section(-0.065, 0.024, 0.044, -0.038, 3.0),
        ),
        bevel=0.01,
        points=16,
    ),
    Loft(
        "foot",
        (
            Section(-0.031, 0.109, 0.048, 0.0103, 3.6),
            Section(-0.012, 0.1, 0.045, 0.006, 3.2),
            Section(0.008, 0.062, 0.037, -0.002, 2.8),
            Section(0.022, 0.036, 0.03, 0.0, 2.6),
        ),
        bevel=0.008,
        rings=8,
        points=28,
    ),
    Loft(
        "sole",
        (Section(-0.0432, 0.1124, 0.05, 0.0101, 3.8), Section(-0.026, 0.1124, 0.05, 0.0101, 3.8)),
        bevel=0.004,
        rings=2,
        points=28,
    ),
    Loft(
        "upper_arm",
        (
            Section(0.012, 0.036, 0.036, 0.0, 2.6),
            Section(0.05, 0.041, 0.041, 0.0, 2.8),
            Section(0.1, 0.038, 0.038, 0.0, 2.8),
            Section(0.128, 0.033, 0.033, 0.0, 2.6),
        ),
    ),
    Rounded("elbow", (0.036, 0.036, 0.042), 1.0, 0.35),
    Loft(
        "forearm",
        (
            Section(0.018, 0.033, 0.034, 0.0, 2.8),
            Section(0.05, 0.039, 0.039, 0.0, 3.0),
            Section(0.098, 0.035, 0.035, 0.0, 2.8),
        ),
    ),
    Rounded("wrist", (0.028, 0.028, 0.036), 1.0, 0.35),
    Loft(
        "cuff",
        (
            Section(0.012, 0.026, 0.028, 0.0, 2.8),
            Section(0.035, 0.031, 0.031, 0.0, 3.0),
            Section(0.06, 0.028, 0.028, 0.0, 2.8),
        ),
        bevel=0.007,
        points=16,
    ),
    Loft(
        "palm",
        (
            Section(-0.012, 0.025, 0.022, 0.0, 3.0),
            Section(0.03, 0.033, 0.028, 0.0, 3.6),
            Section(0.1, 0.0355, 0.0285, 0.0, 4.0),
            Section(0.128, 0.034, 0.026, 0.0, 4.0),
        ),
        bevel=0.007,
    ),
    Rounded("hand_back", (0.026, 0.042, 0.008), 0.35, 0.5),
    Rounded("palm_pad", (0.033, 0.05, 0.011), 0.18, 0.18),
    Rounded("finger", (0.008, 0.03175, 0.009), 0.3, 0.3),
)

LEFT_PARTS: tuple[Part, ...] = (
    # shoulder and arm; links extend along +y
    shell("Trunk", "shoulder_yoke", "joint", (0.0575, 0.108, 0.219), "y"),
    Part("AL1", "shell", "ellipsoid", (0.05, 0.042, 0.052), (0.0, 0.044, 0.0)),
    drum("AL1", 0.031, 0.054, (0.0, 0.047, 0.0), "x"),
    drum("AL1", 0.02, 0.0555, (0.0, 0.047, 0.0), "x", "dark"),
    drum("AL2", 0.033, 0.02, (0.0, 0.052, 0.0), "y", "dark"),
    shell("AL3", "upper_arm", axis="y"),
    shell("AL3", "elbow", "joint", (0.0, 0.1471, 0.0)),
    drum("AL3", 0.022, 0.0435, (0.0, 0.1471, 0.0), "z", "dark"),
    shell("AL4", "forearm", "shell", axis="y"),
    drum("AL4", 0.029, 0.012, (0.0, 0.012, 0.0), "y", "dark"),
    drum("AL5", 0.03, 0.012, (0.0, 0.008, 0.0), "y", "dark"),
    shell("AL5", "wrist", "joint", (0.0, 0.042, 0.0)),
    shell("AL6", "cuff", "grey", axis="y"),
    drum("AL6", 0.021, 0.03, (0.00475, 0.07, 0.0015), "x", "dark"),
    # hand
    shell("left_hand_link", "palm", "dark", (-0.0055, 0.0, 0.01625), "y"),
    shell("left_hand_link", "hand_back", "shell", (-0.0055, 0.06, 0.044)),
    shell("left_hand_link", "palm_pad", "pad", (-0.0055, 0.08, -0.024)),
    Part("left_hand_link", "metal", "box", (0.058, 0.006, 0.006), (-0.0055, 0.127, 0.0)),
    # leg
    shell("Waist", "hip_mount", "joint", (0.0, 0.052, 0.0), "y"),
    shell("Hip_Pitch_Left", "hip_motor", "shell", (0.0, 0.004, 0.0), "y"),
    drum("Hip_Pitch_Left", 0.026, 0.0365, (0.0, 0.004, 0.0), "y", "dark"),
    shell("Hip_Pitch_Left", "hip_roll_motor", "joint", (-0.002, 0.0, -0.026), "x"),
    drum("Hip_Roll_Left", 0.044, 0.024, (0.0, 0.0, -0.062), "z", "dark"),
    shell("Hip_Yaw_Left", "thigh"),
    shell("Hip_Yaw_Left", "knee", "joint", (-0.014, 0.0, -0.134), "y"),
    shell("Shank_Left", "knee_cap", "shell", (0.0, 0.047, 0.0), "y"),
    shell("Shank_Left", "knee_cap", "shell", (0.0, -0.047, 0.0), "y"),
    shell("Shank_Left", "shank"),
    shell("Shank_Left", "calf", "dark"),
    drum("Shank_Left", 0.024, 0.034, (0.0, 0.0, -0.262), "z", "joint"),
    drum("Ankle_Cross_Left", 0.016, 0.034, (0.0, 0.0, 0.0), "y", "metal"),
    drum("Ankle_Cross_Left", 0.014, 0.024, (0.0, 0.0, -0.012), "x", "metal"),
    shell("left_foot_link", "foot", "grey"),
    shell("left_foot_link", "sole", "rubber"),
)

MIDDLE_PARTS: tuple[Part, ...] = (
    shell("Trunk", "torso"),
    shell("Trunk", "chest", "dark"),
    shell("Trunk", "belt", "joint", (0.059, 0.0, -0.026)),
    Part("Trunk", "accent", "box", (0.0025, 0.028, 0.0025), (0.1492, 0.0, 0.19)),
    shell("Trunk", "backpack", "dark", (-0.022, 0.0, 0.11)),
    shell("Trunk", "collar", "dark", (0.0625, 0.0, 0.258)),
    drum("Trunk", 0.052, 0.02, (0.0625, 0.0, -0.062), "z", "dark"),
    drum("H1", 0.03, 0.03, (0.0, 0.0, 0.036), "z"),
    drum("H1", 0.024, 0.036, (0.0, 0.0, 0.06185), "y", "dark"),
    shell("H2", "helmet"),
    shell("H2", "visor", "visor"),
    Part("H2", "glass", "ellipsoid", (0.004, 0.013, 0.013), (0.0975, 0.027, 0.104)),
    Part("H2", "glass", "ellipsoid", (0.004, 0.013, 0.013), (0.0975, -0.027, 0.104)),
    Part("H2", "accent", "box", (0.003, 0.016, 0.0018), (0.0945, 0.0, 0.134)),
    shell("H2", "ear", "joint", (0.0, 0.078, 0.11), "y"),
    shell("H2", "ear", "joint", (0.0, -0.078, 0.11), "y"),
    shell("Waist", "pelvis", "shell"),
)


def finger_parts(side: str, finger: int) -> tuple[Part, ...]:
    """A finger in its own frame: metal bar, rubber tip on the inner face."""
    inner = -1.0 if finger == 1 else 1.0
    link = f"{side}_finger_{finger}"
    half_x, half_y, half_z = FINGER_HALF_SIZE_M
    tip_y = 0.35 * half_y if side == "left" else -0.35 * half_y
    return (
        shell(link, "finger", "joint"),
        Part(link, "rubber", "box", (0.0015, 0.5 * half_y, 0.9 * half_z), (inner * (half_x - 0.0013), tip_y, 0.0)),
    )
