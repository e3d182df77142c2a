"""Where the robot's and the scene's quantities sit in the arrays of a compiled MuJoCo model."""
# pyright: reportAttributeAccessIssue=false

from dataclasses import dataclass

import mujoco
import numpy as np

from core.t1.model import HAND_LINKS, JOINT_NAMES, SIDES
from core.tasks.scene import Scene

GRIPPERS = tuple(f"{side}_gripper" for side in SIDES)


@dataclass(frozen=True)
class FreeBody:
    """Addresses of a body with a free joint."""

    body: int
    qpos: int
    "first of 7: position 3, quaternion wxyz 4"
    qvel: int
    "first of 6: linear velocity in world axes, angular velocity in body axes"


@dataclass(frozen=True)
class Layout:
    """Indices into qpos, qvel, ctrl and the per-body arrays; joints in canonical order."""

    base: FreeBody | None
    "None for a fixed base"
    trunk: int
    joint_qpos: np.ndarray
    joint_qvel: np.ndarray
    joint_ctrl: np.ndarray
    gripper_ctrl: np.ndarray
    finger_qpos: np.ndarray
    "(2, 2) qpos of the fingers by side; their sum is the opening"
    finger_qvel: np.ndarray
    "(2, 2)"
    hand_sites: np.ndarray
    foot_sites: np.ndarray
    hand_bodies: np.ndarray
    foot_force: tuple[slice, slice]
    hand_force: tuple[slice, slice]
    objects: dict[str, FreeBody]
    geoms: dict[str, int]
    "geom of each object, free or fixed"


def build_layout(model: mujoco.MjModel, scene: Scene) -> Layout:
    """Look every name up once. Raises KeyError naming what the model lacks."""
    joints = [model.joint(name) for name in JOINT_NAMES]
    fingers = [[model.joint(f"{side}_finger_{i}") for i in (1, 2)] for side in SIDES]
    return Layout(
        base=_free_body(model, "Trunk") if scene.robot == "floating" else None,
        trunk=model.body("Trunk").id,
        joint_qpos=np.array([joint.qposadr[0] for joint in joints]),
        joint_qvel=np.array([joint.dofadr[0] for joint in joints]),
        joint_ctrl=np.array([model.actuator(name).id for name in JOINT_NAMES]),
        gripper_ctrl=np.array([model.actuator(name).id for name in GRIPPERS]),
        finger_qpos=np.array([[joint.qposadr[0] for joint in pair] for pair in fingers]),
        finger_qvel=np.array([[joint.dofadr[0] for joint in pair] for pair in fingers]),
        hand_sites=np.array([model.site(f"{side}_hand").id for side in SIDES]),
        foot_sites=np.array([model.site(f"{side}_foot").id for side in SIDES]),
        hand_bodies=np.array([model.body(name).id for name in HAND_LINKS]),
        foot_force=_sensors(model, "foot_force"),
        hand_force=_sensors(model, "hand_force"),
        objects={item.name: _free_body(model, item.name) for item in scene.free_objects},
        geoms={item.name: model.geom(item.name).id for item in scene.objects},
    )


def _free_body(model: mujoco.MjModel, name: str) -> FreeBody:
    body = model.body(name)
    joint = model.joint(int(body.jntadr[0]))
    assert joint.type[0] == mujoco.mjtJoint.mjJNT_FREE, name
    return FreeBody(body.id, int(joint.qposadr[0]), int(joint.dofadr[0]))


def _sensors(model: mujoco.MjModel, suffix: str) -> tuple[slice, slice]:
    sensors = [model.sensor(f"{side}_{suffix}") for side in SIDES]
    left, right = (slice(int(s.adr[0]), int(s.adr[0] + 3)) for s in sensors)
    return left, right
