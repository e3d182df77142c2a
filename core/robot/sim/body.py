"""The simulated robot's body: the MuJoCo T1 at 500 Hz with gains that every frame may change, and a gantry rope."""

# pyright: reportAttributeAccessIssue=false

from dataclasses import dataclass, field, replace

import mujoco
import numpy as np
import torch

from core.backends.base import InitialState
from core.backends.initial import default_initial_state
from core.backends.mass import matrix_from_quat
from core.backends.mujoco_layout import FreeBody, build_layout
from core.backends.mujoco_scene import FLOOR, SOLVERS, compile_scene
from core.backends.mujoco_state import write_free_body
from core.robot.wire import FRAME_PERIOD_S
from core.t1.model import NUM_JOINTS
from core.tasks.scene import Scene
from core.types import BodyState, WorldState

HOISTED_M, SLACK_M = 0.03, -0.08
"""Height of the gantry's rope over the standing trunk: feet just off the floor, or slack until the robot sinks."""
_LIFT_M_S, _LOWER_M_S = 0.5, 0.1
_ROPE_STIFFNESS, _ROPE_DAMPING = 8000.0, 800.0
_RAIL_STIFFNESS, _RAIL_DAMPING = 600.0, 150.0
_HARNESS_STIFFNESS, _HARNESS_DAMPING = 300.0, 30.0
_GRAVITY_W = np.array([0.0, 0.0, -9.81])


@dataclass
class Drive:
    """What the motors do: torque = kp (q - q_measured) + kd (dq - dq_measured) + tau, limited. All (29,)."""

    q: np.ndarray = field(default_factory=lambda: np.zeros(NUM_JOINTS))
    dq: np.ndarray = field(default_factory=lambda: np.zeros(NUM_JOINTS))
    tau: np.ndarray = field(default_factory=lambda: np.zeros(NUM_JOINTS))
    kp: np.ndarray = field(default_factory=lambda: np.zeros(NUM_JOINTS))
    kd: np.ndarray = field(default_factory=lambda: np.zeros(NUM_JOINTS))

    @property
    def limp(self) -> bool:
        """Whether no joint is held: damping."""
        return not self.kp.any()


class Body:
    """One robot in one scene."""

    def __init__(
        self, scene: Scene, initial: InitialState | None = None, gantry: bool = True, floor_friction: float = 1.0
    ) -> None:
        """gantry: a harness above the robot that lifts it to stand up and catches it when it sinks."""
        solver = replace(SOLVERS[scene.contacts], timestep_s=FRAME_PERIOD_S)
        self.model = compile_scene(scene, solver=solver, lean=True)
        self.model.geom(FLOOR).friction[0] = floor_friction
        self.data = mujoco.MjData(self.model)
        self.layout = build_layout(self.model, scene)
        self._write(initial or default_initial_state(scene, 1))
        self.gantry = gantry
        self.hoisted = True
        "whether the gantry lifts the robot off the floor"
        self.caught = False
        "whether the slack harness had to carry the robot since it was lifted last: it would have fallen"
        self._standing_m = float(self.pos[2])
        self._rope_m = HOISTED_M
        self._hangs_from_w = self.pos[:2].copy()
        self._drive: Drive | None = None
        self.push_w = np.zeros(3)
        "N on the trunk, for tests"
        self.torque = np.zeros(NUM_JOINTS)

    def step(self, drive: Drive, gripper_opening: np.ndarray) -> None:
        """2 ms with constant drives; gripper_opening (2,) m."""
        model, data, ctrl = self.model, self.data, self.layout.joint_ctrl
        if drive is not self._drive:
            model.actuator_gainprm[ctrl, 0] = drive.kp
            bias = np.stack((drive.kd * drive.dq + drive.tau, -drive.kp, -drive.kd), axis=1)
            model.actuator_biasprm[ctrl, :3] = bias
            data.ctrl[ctrl] = drive.q
            self._drive = drive
        data.ctrl[self.layout.gripper_ctrl] = gripper_opening
        self._pull()
        mujoco.mj_step(model, data)
        self.torque = data.actuator_force[ctrl]

    # ------------------------------------------------------------------ sensors

    @property
    def q(self) -> np.ndarray:
        """(29,) rad."""
        return self.data.qpos[self.layout.joint_qpos]

    @property
    def dq(self) -> np.ndarray:
        """(29,) rad/s."""
        return self.data.qvel[self.layout.joint_qvel]

    @property
    def quat(self) -> np.ndarray:
        """(4,) wxyz of the trunk."""
        return self.data.xquat[self.layout.trunk]

    @property
    def pos(self) -> np.ndarray:
        """(3,) m of the trunk."""
        return self.data.xpos[self.layout.trunk]

    def gyro(self) -> np.ndarray:
        """(3,) rad/s, trunk axes."""
        start = self._base().qvel
        return self.data.qvel[start + 3 : start + 6]

    def velocity_b(self) -> np.ndarray:
        """(3,) m/s of the trunk origin in its own axes: the truth that the robot does not measure."""
        start = self._base().qvel
        return self._rotation().T @ self.data.qvel[start : start + 3]

    def accelerometer(self) -> np.ndarray:
        """(3,) m/s^2 at the trunk origin, trunk axes; +9.81 in z at rest."""
        start = self._base().qvel
        return self._rotation().T @ (self.data.qacc[start : start + 3] - _GRAVITY_W)

    def gripper_opening(self) -> np.ndarray:
        """(2,) m."""
        return self.data.qpos[self.layout.finger_qpos].sum(axis=1)

    def world_state(self) -> WorldState:
        """What the firmware's own balance controller sees (N = 1)."""
        data, layout = self.data, self.layout

        def row(values: np.ndarray) -> torch.Tensor:
            return torch.as_tensor(np.array(values, dtype=np.float32))[None]

        forces = np.stack([data.sensordata[part] for part in (*layout.foot_force, *layout.hand_force)])
        return WorldState(
            time_s=torch.tensor([data.time], dtype=torch.float32),
            base_pos_w=row(self.pos),
            base_quat_w=row(self.quat),
            base_lin_vel_b=row(self.velocity_b()),
            base_ang_vel_b=row(self.gyro()),
            joint_pos=row(self.q),
            joint_vel=row(self.dq),
            joint_torque=row(self.torque),
            gripper_opening=row(self.gripper_opening()),
            hand_pos_w=row(data.site_xpos[layout.hand_sites]),
            hand_quat_w=row(self._site_quats(layout.hand_sites)),
            foot_pos_w=row(data.site_xpos[layout.foot_sites]),
            foot_quat_w=row(self._site_quats(layout.foot_sites)),
            foot_force_w=row(forces[:2]),
            hand_force_w=row(forces[2:]),
        )

    def trunk_pose(self) -> np.ndarray:
        """(7,) position and quaternion wxyz of the trunk."""
        return np.concatenate((self.pos, self.quat))

    def object_pose(self, name: str) -> np.ndarray:
        """(7,) position and quaternion wxyz of a free object."""
        start = self.layout.objects[name].qpos
        return self.data.qpos[start : start + 7].copy()

    # ------------------------------------------------------------------ details

    def _site_quats(self, sites: np.ndarray) -> np.ndarray:
        quats = np.zeros((len(sites), 4))
        for quat, site in zip(quats, sites):
            mujoco.mju_mat2Quat(quat, self.data.site_xmat[site])
        return quats

    def _base(self) -> FreeBody:
        assert self.layout.base is not None, "the robot needs a floating base"
        return self.layout.base

    def _rotation(self) -> np.ndarray:
        return self.data.xmat[self.layout.trunk].reshape(3, 3)

    def _pull(self) -> None:
        """The push of a test, and the harness: a rope that only pulls and follows the robot, and holds it upright."""
        wrench = self.data.xfrc_applied[self.layout.trunk]
        wrench[:] = 0.0
        wrench[:3] = self.push_w
        if not self.gantry:
            return
        wanted = HOISTED_M if self.hoisted else SLACK_M
        self.caught = self.caught and not self.hoisted
        change = wanted - self._rope_m
        self._rope_m += min(max(change, -_LOWER_M_S * FRAME_PERIOD_S), _LIFT_M_S * FRAME_PERIOD_S)
        below = self._standing_m + self._rope_m - float(self.pos[2])
        if below <= 0:
            self._hangs_from_w = self.pos[:2].copy()  # the rail follows a robot that walks by itself
            return
        self.caught = self.caught or self._rope_m < SLACK_M + 1e-6
        start = self._base().qvel
        velocity = self.data.qvel[start : start + 3]
        wrench[:2] += _RAIL_STIFFNESS * (self._hangs_from_w - self.pos[:2]) - _RAIL_DAMPING * velocity[:2]
        wrench[2] += max(0.0, _ROPE_STIFFNESS * below - _ROPE_DAMPING * velocity[2])
        tilt_w = np.cross(self._rotation()[:, 2], (0.0, 0.0, 1.0))
        wrench[3:] += _HARNESS_STIFFNESS * tilt_w - _HARNESS_DAMPING * (self._rotation() @ self.gyro())

    def _write(self, initial: InitialState) -> None:
        qpos, qvel = self.data.qpos[None].copy(), self.data.qvel[None].copy()
        base = BodyState(initial.base_pos_w, initial.base_quat_w, initial.base_lin_vel_b, initial.base_ang_vel_b)
        write_free_body(qpos, qvel, self._base(), base, velocity_axes="body")
        qpos[0, self.layout.joint_qpos] = initial.joint_pos[0].numpy()
        qpos[0, self.layout.finger_qpos] = 0.5 * initial.gripper_opening[0].numpy()[:, None]
        for name, body in initial.objects.items():
            write_free_body(qpos, qvel, self.layout.objects[name], body, velocity_axes="world")
        self.data.qpos[:], self.data.qvel[:] = qpos[0], qvel[0]
        mujoco.mj_forward(self.model, self.data)


def rpy_from_quat(quat: np.ndarray) -> np.ndarray:
    """(3,) roll, pitch, yaw (fixed axes) of a quaternion wxyz."""
    m = matrix_from_quat(quat[None])[0]
    return np.array(
        [np.arctan2(m[2, 1], m[2, 2]), np.arcsin(np.clip(-m[2, 0], -1.0, 1.0)), np.arctan2(m[1, 0], m[0, 0])]
    )
