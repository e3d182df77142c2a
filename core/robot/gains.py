"""Gains and poses of the hardware sequence, in canonical joint order (numpy)."""

import numpy as np

from core.t1.model import ARMS, HEAD, KD, LEGS, NUM_JOINTS, WAIST, joint_index

PREPARE_KP = np.zeros(NUM_JOINTS)
"""(29,) Nm/rad: stiff enough to stand in a fixed pose. Legs, waist, head: booster_deploy; arms: the SDK's example."""
PREPARE_KD = np.zeros(NUM_JOINTS)
PREPARE_KP[HEAD], PREPARE_KD[HEAD] = 40.0, 0.65
PREPARE_KP[ARMS] = np.tile((70.0, 70.0, 70.0, 70.0, 50.0, 70.0, 50.0), 2)
PREPARE_KD[ARMS] = 1.5
PREPARE_KP[WAIST], PREPARE_KD[WAIST] = 350.0, 5.0
PREPARE_KP[LEGS] = np.tile((350.0, 350.0, 180.0, 350.0, 350.0, 350.0), 2)
PREPARE_KD[LEGS] = np.tile((7.5, 7.5, 3.0, 5.5, 5.0, 5.0), 2)

DAMPING_KD = np.minimum(KD, 2.0)
"""(29,) Nm s/rad of damping frames: kp 0, so that joints give way slowly."""

_PREPARE_POSE = {
    "Left_Shoulder_Pitch": 0.25, "Left_Shoulder_Roll": -1.4, "Left_Elbow_Yaw": -0.5,
    "Right_Shoulder_Pitch": 0.25, "Right_Shoulder_Roll": 1.4, "Right_Elbow_Yaw": 0.5,
    "Left_Hip_Pitch": -0.1, "Left_Knee_Pitch": 0.2, "Left_Ankle_Pitch": -0.1,
    "Right_Hip_Pitch": -0.1, "Right_Knee_Pitch": 0.2, "Right_Ankle_Pitch": -0.1,
}  # fmt: skip
PREPARE_POSE = np.zeros(NUM_JOINTS)
"""(29,) rad: where the firmware stands in its prepare mode (SDK examples)."""
for _name, _value in _PREPARE_POSE.items():
    PREPARE_POSE[joint_index(_name)] = _value
