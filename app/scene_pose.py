"""What the 3-D view shows at one instant: poses of the robot and the objects, and what is commanded (no torch)."""

# mujoco has no stubs: pyright sees none of its names
# pyright: reportAttributeAccessIssue=false

from dataclasses import dataclass, field

import mujoco
import numpy as np

from core.t1.model import DEFAULT_BASE_HEIGHT_M, DEFAULT_JOINT_POS, JOINT_NAMES, SIDES
from trainer.session.messages import Telemetry

Array = np.ndarray
_NO_OBJECTS: dict[str, Array] = {}


@dataclass(frozen=True)
class Ghosts:
    """What is asked for, drawn translucent."""

    hand_pose_w: Array | None = None
    "(2, 7) commanded hand frames: position in m, quaternion wxyz"
    footstep_w: Array | None = None
    "(P, 4) x, y, z, yaw of planned soles"
    footstep_side: Array | None = None
    "(P,) 0 left, 1 right; negative: no footstep"
    asked_pose_w: Array | None = None
    "(2, 7) hand frames that an operator asks for, or would when taking over; NaN: not tracked"
    asked_reachable: tuple[bool, bool] = (False, False)


@dataclass(frozen=True)
class ScenePose:
    """One frame. Arrays are never written after they are put here."""

    base_pos_w: Array
    "(3,) m"
    base_quat_w: Array
    "(4,) wxyz"
    joint_pos: Array
    "(29,) rad, canonical order"
    gripper_opening: Array
    "(2,) m"
    object_pose_w: dict[str, Array] = field(default_factory=lambda: _NO_OBJECTS)
    "name -> (7,) position and wxyz quaternion; fixed objects may be listed too"
    object_size: dict[str, Array] = field(default_factory=lambda: _NO_OBJECTS)
    "name -> (3,) full edge lengths, m"
    ghosts: Ghosts = field(default_factory=Ghosts)
    beside: "ScenePose | None" = None
    "another robot with its objects, drawn translucent: a simulation of what is replayed"

    @classmethod
    def standing(cls) -> "ScenePose":
        """The default pose at the origin."""
        base = np.array([0.0, 0.0, DEFAULT_BASE_HEIGHT_M])
        return cls(base, np.array([1.0, 0, 0, 0]), DEFAULT_JOINT_POS, np.zeros(2))


class PoseWriter:
    """Writes poses into a model by joint and body name; addresses are looked up once."""

    def __init__(self, model: mujoco.MjModel) -> None:
        self._model = model
        self._base = _qpos_address(model, "base_free")
        self._joints = np.array([_qpos_address(model, name) for name in JOINT_NAMES])
        self._fingers = [_finger_addresses(model, side) for side in SIDES]

    def write(self, data: mujoco.MjData, pose: ScenePose) -> None:
        """Set qpos, object sizes and fixed objects, then body positions (kinematics only, no dynamics)."""
        if self._base >= 0:
            data.qpos[self._base : self._base + 7] = np.concatenate((pose.base_pos_w, pose.base_quat_w))
        data.qpos[self._joints] = pose.joint_pos
        for addresses, opening in zip(self._fingers, pose.gripper_opening):
            data.qpos[addresses] = 0.5 * opening
        for name, object_pose in pose.object_pose_w.items():
            self._write_object(data, name, np.asarray(object_pose, dtype=float))
        for name, size in pose.object_size.items():
            geom = mujoco.mj_name2id(self._model, mujoco.mjtObj.mjOBJ_GEOM, name)
            if geom >= 0:
                self._model.geom_size[geom] = 0.5 * np.asarray(size)
        mujoco.mj_kinematics(self._model, data)
        mujoco.mj_comPos(self._model, data)
        mujoco.mj_camlight(self._model, data)

    def _write_object(self, data: mujoco.MjData, name: str, pose: Array) -> None:
        address = _qpos_address(self._model, f"{name}_free")
        if address >= 0:
            data.qpos[address : address + 7] = pose
            return
        body = mujoco.mj_name2id(self._model, mujoco.mjtObj.mjOBJ_BODY, name)
        if body >= 0:
            self._model.body_pos[body], self._model.body_quat[body] = pose[:3], pose[3:]


def _qpos_address(model: mujoco.MjModel, joint: str) -> int:
    index = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_JOINT, joint)
    return int(model.jnt_qposadr[index]) if index >= 0 else -1


def _finger_addresses(model: mujoco.MjModel, side: str) -> Array:
    """Where the slides of one gripper's fingers are: each moves by half the opening."""
    joints = [model.joint(i) for i in range(model.njnt)]
    slides = [j for j in joints if j.type[0] == mujoco.mjtJoint.mjJNT_SLIDE and j.name.startswith(side)]
    return np.array([int(j.qposadr[0]) for j in slides], dtype=int)


def matrix_from_quat(quat: Array) -> Array:
    """(3, 3) rotation matrix of a wxyz quaternion."""
    matrix = np.empty(9)
    mujoco.mju_quat2Mat(matrix, np.asarray(quat, dtype=float))
    return matrix.reshape(3, 3)


def pose_of_telemetry(t: Telemetry) -> ScenePose:
    """What telemetry says about the picture."""
    asked = (t.vr.preview_w, t.vr.reachable) if t.vr is not None else (None, (False, False))
    ghosts = Ghosts(t.command_hand_poses_w, t.planned_steps_w, t.planned_sides, *asked)
    return ScenePose(
        base_pos_w=t.base_pose_w[:3],
        base_quat_w=t.base_pose_w[3:],
        joint_pos=t.joint_pos,
        gripper_opening=t.gripper_opening,
        object_pose_w=t.object_poses_w,
        object_size=t.object_sizes,
        ghosts=ghosts,
    )
