"""Joint order, groups, limits, default pose and frames of the T1: the one owner of joint order."""

import numpy as np

from core.t1.facts import JOINTS, LINKS

JOINT_NAMES: tuple[str, ...] = tuple(joint.name for joint in JOINTS)
"""Canonical order, J = 29: head 2, left arm 7, right arm 7, waist, left leg 6, right leg 6 (URDF = SDK order)."""

NUM_JOINTS = len(JOINT_NAMES)
TOTAL_MASS_KG = sum(link.mass for link in LINKS)


def joint_index(name: str) -> int:
    """Index of a joint in canonical order. Raises ValueError naming the known joints."""
    try:
        return JOINT_NAMES.index(name)
    except ValueError:
        raise ValueError(f"joint {name!r} does not exist; known: {', '.join(JOINT_NAMES)}") from None


def _indices(first: str, last: str) -> np.ndarray:
    return np.arange(joint_index(first), joint_index(last) + 1)


HEAD = _indices("AAHead_yaw", "Head_pitch")
LEFT_ARM = _indices("Left_Shoulder_Pitch", "Left_Hand_Roll")
RIGHT_ARM = _indices("Right_Shoulder_Pitch", "Right_Hand_Roll")
ARMS = np.concatenate([LEFT_ARM, RIGHT_ARM])
WAIST = joint_index("Waist")
LEFT_LEG = _indices("Left_Hip_Pitch", "Left_Ankle_Roll")
RIGHT_LEG = _indices("Right_Hip_Pitch", "Right_Ankle_Roll")
LEGS = np.concatenate([LEFT_LEG, RIGHT_LEG])

LOWER_LIMIT = np.array([joint.lower for joint in JOINTS])
UPPER_LIMIT = np.array([joint.upper for joint in JOINTS])
EFFORT_LIMIT = np.array([joint.effort for joint in JOINTS])
VELOCITY_LIMIT = np.array([joint.velocity for joint in JOINTS])
KP = np.array([joint.kp for joint in JOINTS])
KD = np.array([joint.kd for joint in JOINTS])
ARMATURE = np.array([joint.armature for joint in JOINTS])

_DEFAULT_POSE = {
    # arms: hands in front of the trunk at (0.32, +-0.21, 0.02) m, palms facing each other, 0.5 rad from every limit
    "Left_Shoulder_Pitch": 0.06, "Left_Shoulder_Roll": -0.69, "Left_Elbow_Pitch": 0.69, "Left_Elbow_Yaw": -1.64,
    "Left_Wrist_Pitch": -0.69, "Left_Wrist_Yaw": -0.51, "Left_Hand_Roll": 0.55,
    "Right_Shoulder_Pitch": 0.06, "Right_Shoulder_Roll": 0.69, "Right_Elbow_Pitch": 0.69, "Right_Elbow_Yaw": 1.64,
    "Right_Wrist_Pitch": -0.69, "Right_Wrist_Yaw": 0.51, "Right_Hand_Roll": -0.55,
    # legs: booster_train default
    "Left_Hip_Pitch": -0.2, "Left_Knee_Pitch": 0.4, "Left_Ankle_Pitch": -0.2,
    "Right_Hip_Pitch": -0.2, "Right_Knee_Pitch": 0.4, "Right_Ankle_Pitch": -0.2,
}  # fmt: skip
DEFAULT_JOINT_POS = np.array([_DEFAULT_POSE.get(name, 0.0) for name in JOINT_NAMES])
"""q_def, (29,) rad: the vendor's stand (booster_train), arms ready to manipulate."""

DEFAULT_BASE_HEIGHT_M = 0.6791
"""Trunk-origin height with the soles on the floor in the default pose (facts table)."""

GRIPPER_MAX_OPENING_M = 0.077
"""Stroke of one gripper: opening 0 to 77 mm."""

SIDES = ("left", "right")
HAND_LINKS = ("left_hand_link", "right_hand_link")
FOOT_LINKS = ("left_foot_link", "right_foot_link")
SOLE_Z_M = -0.0432508
"""Sole plane below the ankle-roll axis (foot link origin)."""

HAND_FRAME_OFFSET_M = (0.10, 0.165)
"""From the hand link origin along the approach axis: palm centre (hand frame), grasp centre."""

PALM_FACE_OFFSET_M = 0.035
"""From the hand frame to the outer face of the palm pad, towards the other hand (left -y, right +y of the hand frame).

The wrist (radius 0.03) stands 1.7 cm proud of the bare palm (at 0.013), so that a flat squeeze would touch with the
wrist. The pad is 2.2 cm thick, has no mass, and is not on the real robot.
"""
