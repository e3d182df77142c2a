"""N worlds of one scene in MuJoCo, stepped on a thread pool.

Inside, everything is float64; the state leaves as float32 tensors and targets come in as float32. A world's results do
not depend on how many worlds there are, on the number of threads, or on what happens in other worlds, bit for bit.
Contact forces and joint torques are those of the last physics step (the last 5 ms of a control period), poses and
velocities those at its end.
"""
# pyright: reportAttributeAccessIssue=false

import json
import logging
import os
from dataclasses import asdict

import mujoco
import numpy as np
import safetensors.numpy
import torch
from mujoco.batch import Batch, SimulationError
from torch import Tensor

from core.backends.base import BackendDescription, InitialState, Physics, StepReport
from core.backends.initial import at_rest, check_state, default_initial_state, world_rows
from core.backends.mujoco_layout import build_layout
from core.backends.mujoco_physics import WorldPhysics
from core.backends.mujoco_scene import SolverOptions, compile_scene
from core.backends.mujoco_state import StateReader, write_free_body
from core.t1.model import JOINT_NAMES
from core.tasks.scene import Scene
from core.types import CONTROL_PERIOD_S, BodyState, JointTarget, WorldState

MAX_POSITION = 1e3
"""Bound of every position coordinate (m, rad): beyond it a world counts as diverged."""
MAX_VELOCITY = 1e3
"""Bound of every velocity coordinate (m/s, rad/s); the fastest joint is rated 18 rad/s."""

MAX_CACHED_WORLDS = 256
"""Up to here every world keeps its MuJoCo data (180 kB), so that kinematics are not computed twice at the border of two
steps; with more worlds fetching the data from memory costs as much as that saves. The results are the same bits."""

_NUMERIC_WARNINGS = [
    int(mujoco.mjtWarning.mjWARN_BADQPOS),
    int(mujoco.mjtWarning.mjWARN_BADQVEL),
    int(mujoco.mjtWarning.mjWARN_BADQACC),
    int(mujoco.mjtWarning.mjWARN_INERTIA),
]
_log = logging.getLogger(__name__)


class MujocoBackend:
    """The simulator that comes with the application. Implements `SimulatedBackend`."""

    def __init__(
        self, scene: Scene, num_worlds: int, num_threads: int = 0, solver: SolverOptions | None = None
    ) -> None:
        """Compile the scene and put every world into the default pose.

        num_threads: 0 uses every core that this process may use. solver overrides the scene's solver options.
        """
        if num_worlds < 1:
            raise ValueError(f"num_worlds must be at least 1, got {num_worlds}")
        _silence_mujoco()
        model = compile_scene(scene, solver=solver, lean=True)
        self.num_threads = min(num_threads or len(os.sched_getaffinity(0)), num_worlds)
        self.model = model
        self._scene = scene
        self._num_worlds = num_worlds
        self._substeps = round(CONTROL_PERIOD_S / model.opt.timestep)
        if abs(self._substeps * model.opt.timestep - CONTROL_PERIOD_S) > 1e-12:
            raise ValueError(f"timestep {model.opt.timestep} s must divide the control period {CONTROL_PERIOD_S} s")
        self._layout = build_layout(model, scene)
        self._batch: Batch | None = Batch(
            model, num_worlds, self.num_threads, persistent=num_worlds <= MAX_CACHED_WORLDS
        )
        self._qpos, self._qvel = self._batch.bind("qpos"), self._batch.bind("qvel")
        self._ctrl, self._wrench = self._batch.bind("ctrl"), self._batch.bind("xfrc_applied")
        self._warmstart, self._time = self._batch.bind("qacc_warmstart"), self._batch.bind("time")
        self._physics = WorldPhysics(self._batch, self._layout, scene)
        self._reader = StateReader(self._batch, self._layout)
        self._initial_qpos, self._initial_qvel = self._qpos.copy(), self._qvel.copy()
        self._initial_ctrl = self._ctrl.copy()
        self.reset(torch.arange(num_worlds), default_initial_state(scene, num_worlds))

    def describe(self) -> BackendDescription:
        """Names, rates, sizes, version, solver."""
        option = self.model.opt
        return BackendDescription(
            name="mujoco",
            version=mujoco.__version__,
            num_worlds=self._num_worlds,
            control_period_s=CONTROL_PERIOD_S,
            physics_timestep_s=option.timestep,
            joint_names=JOINT_NAMES,
            scene=self._scene,
            settings={
                "integrator": "implicitfast",
                "solver": "newton",
                "cone": "elliptic" if option.cone == mujoco.mjtCone.mjCONE_ELLIPTIC else "pyramidal",
                "impratio": option.impratio,
                "iterations": int(option.iterations),
                "ls_iterations": int(option.ls_iterations),
            },
        )

    def reset(self, worlds: Tensor, initial: InitialState, physics: Physics | None = None) -> None:
        """Start the chosen worlds (M,) anew: state, time 0, no external wrench, no damping mode, joints held.

        A fixed base stays where the scene put it: base fields are ignored. Raises ValueError on a non-finite state, on
        objects that the scene does not have, or on indices out of range.
        """
        batch, rows = self._open(), world_rows(worlds, self._num_worlds)
        if rows.size == 0:
            return
        self._write_state(rows, initial)
        self._ctrl[rows[:, None], self._layout.joint_ctrl] = self._qpos[rows[:, None], self._layout.joint_qpos]
        self._ctrl[rows[:, None], self._layout.gripper_ctrl] = initial.gripper_opening.cpu().numpy()
        self._initial_qpos[rows], self._initial_qvel[rows] = self._qpos[rows], self._qvel[rows]
        self._initial_ctrl[rows] = self._ctrl[rows]
        if physics is not None:
            self._physics.apply(rows, physics)
        self._start(batch, rows)

    def set_state(self, worlds: Tensor, state: InitialState) -> None:
        """Write states without touching time, physics or targets. Same errors as `reset`."""
        batch, rows = self._open(), world_rows(worlds, self._num_worlds)
        if rows.size == 0:
            return
        self._write_state(rows, state)
        self._forward(batch, rows)

    def step(self, target: JointTarget) -> StepReport:
        """Advance every world by 20 ms with joint targets held. Raises ValueError on a non-finite target.

        Grippers keep following their opening in damping mode.
        """
        batch = self._open()
        self._write_target(target)
        failed = np.zeros(self._num_worlds, dtype=bool)
        try:
            batch.step(nstep=self._substeps, stage=mujoco.mjtStage.mjSTAGE_VEL.value)
        except SimulationError as error:
            failed[error.ids] = True
            _log.warning("%s", error)
        self._reader.mark_all()
        failed |= self._diverged()
        if failed.any():
            self._recover(batch, np.flatnonzero(failed))
        return StepReport(diverged=torch.from_numpy(failed))

    def read_state(self) -> WorldState:
        """The state now, in tensors that later calls overwrite."""
        self._open()
        return self._reader.read()

    def apply_wrench(self, body: str, force_w: Tensor, torque_w: Tensor) -> None:
        """External force (N, 3) N and torque (N, 3) Nm at a link's centre of mass, world axes, held until changed.

        A reset takes it off the worlds reset. Raises ValueError for an unknown body.
        """
        self._open()
        try:
            index = self.model.body(body).id
        except KeyError as error:
            raise ValueError(f"body {body!r} does not exist in scene {self._scene.name!r}") from error
        self._wrench[:, index, :3] = force_w.detach().cpu().numpy()
        self._wrench[:, index, 3:] = torque_w.detach().cpu().numpy()

    def set_gravity(self, gravity_w: Tensor) -> None:
        """Gravity (N, 3) m/s^2 of every world, until changed here or by the physics of a reset."""
        self._open()
        self._physics.set_gravity(gravity_w)

    def snapshot(self) -> bytes:
        """Everything that later steps depend on, as safetensors bytes."""
        batch = self._open()
        arrays = {
            "state": batch.state,
            "initial_qpos": self._initial_qpos,
            "initial_qvel": self._initial_qvel,
            "initial_ctrl": self._initial_ctrl,
            "fingerprint": self._fingerprint(),
        }
        arrays |= {f"physics/{name}": value for name, value in self._physics.fields().items()}
        arrays |= {f"read/{name}": value for name, value in self._reader.arrays().items()}
        return safetensors.numpy.save({name: np.ascontiguousarray(value) for name, value in arrays.items()})

    def restore(self, snapshot: bytes) -> None:
        """Undo everything since `snapshot`, bit for bit. Raises ValueError when it is of another scene or size."""
        batch = self._open()
        try:
            arrays = safetensors.numpy.load(snapshot)
        except safetensors.SafetensorError as error:
            raise ValueError(f"not a snapshot: {error}") from error
        if not np.array_equal(arrays.get("fingerprint", np.zeros(0)), self._fingerprint()):
            raise ValueError("the snapshot is of another scene, solver, MuJoCo version or number of worlds")
        self._physics.restore(_subtree(arrays, "physics/"))
        batch.state[:] = arrays["state"]
        self._initial_qpos[:], self._initial_qvel[:] = arrays["initial_qpos"], arrays["initial_qvel"]
        self._initial_ctrl[:] = arrays["initial_ctrl"]
        self._reader.load(_subtree(arrays, "read/"))

    def close(self) -> None:
        """Stop the threads. Safe to call twice; any other call afterwards raises RuntimeError."""
        self._batch = None

    def controls(self) -> np.ndarray:
        """(N, nu) a copy of the last controls in MuJoCo's order, for measurements."""
        return self._ctrl.copy()

    def physics_states(self) -> np.ndarray:
        """(N, S) a copy of every world's mjSTATE_FULLPHYSICS (time, qpos, qvel), for measurements."""
        self._open()
        return np.concatenate([self._time[:, None], self._qpos, self._qvel], axis=1)

    def _open(self) -> Batch:
        if self._batch is None:
            raise RuntimeError("this backend is closed: make a new one")
        return self._batch

    def _write_state(self, rows: np.ndarray, state: InitialState) -> None:
        layout = self._layout
        check_state(state, len(rows), self._scene)
        qpos, qvel = self._qpos[rows], self._qvel[rows]
        qpos[:, layout.joint_qpos] = state.joint_pos.cpu().numpy()
        qvel[:, layout.joint_qvel] = state.joint_vel.cpu().numpy()
        opening = state.gripper_opening.cpu().numpy().astype(np.float64)
        qpos[:, layout.finger_qpos] = 0.5 * opening[:, :, None]
        qvel[:, layout.finger_qvel] = 0.0
        if layout.base is not None:
            base = BodyState(state.base_pos_w, state.base_quat_w, state.base_lin_vel_b, state.base_ang_vel_b)
            write_free_body(qpos, qvel, layout.base, base, velocity_axes="body")
        for item in self._scene.free_objects:
            body = state.objects.get(item.name, at_rest(item.pos, len(rows)))
            write_free_body(qpos, qvel, layout.objects[item.name], body, velocity_axes="world")
        self._qpos[rows], self._qvel[rows] = qpos, qvel

    def _write_target(self, target: JointTarget) -> None:
        damping = target.damping.detach().cpu().numpy()
        position = target.position.detach().cpu().numpy()
        self._physics.set_damping(damping)
        if damping.any():
            position = np.where(damping[:, None], self._qpos[:, self._layout.joint_qpos], position)
        self._ctrl[:, self._layout.joint_ctrl] = position
        self._ctrl[:, self._layout.gripper_ctrl] = target.gripper_opening.detach().cpu().numpy()
        if not np.isfinite(self._ctrl.sum()):
            bad = np.flatnonzero(~np.isfinite(self._ctrl).all(axis=1))
            raise ValueError(f"joint targets of worlds {bad.tolist()} are not finite")

    def _start(self, batch: Batch, rows: np.ndarray) -> None:
        """Begin an episode at the state rows as written."""
        self._time[rows] = 0.0
        self._warmstart[rows] = 0.0
        self._wrench[rows] = 0.0
        damping = self._physics.damping.copy()
        damping[rows] = False
        self._physics.set_damping(damping)
        batch.warning[rows] = 0
        self._forward(batch, rows)

    def _forward(self, batch: Batch, rows: np.ndarray) -> None:
        batch.forward(np.sort(rows))
        self._reader.mark(rows)

    def _diverged(self) -> np.ndarray:
        """(N,) bool: NaN or unbounded coordinates, or a numerical warning of MuJoCo since the last reset."""
        batch = self._open()
        bounded = (np.abs(self._qpos) < MAX_POSITION).all(axis=1) & (np.abs(self._qvel) < MAX_VELOCITY).all(axis=1)
        return ~bounded | batch.warning[:, _NUMERIC_WARNINGS, 1].any(axis=1)

    def _recover(self, batch: Batch, rows: np.ndarray) -> None:
        """Put diverged worlds back to their last initial states."""
        _log.warning("worlds %s diverged and were reset", rows.tolist())
        self._qpos[rows], self._qvel[rows] = self._initial_qpos[rows], self._initial_qvel[rows]
        self._ctrl[rows] = self._initial_ctrl[rows]
        self._start(batch, rows)

    def _fingerprint(self) -> np.ndarray:
        description = asdict(self.describe())
        return np.frombuffer(json.dumps(description, sort_keys=True).encode(), dtype=np.uint8)


def _subtree(arrays: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}


def _silence_mujoco() -> None:
    """Divergence is reported by `step`; MuJoCo would also write a log file into the working directory."""
    config = mujoco.MjLogConfig.get()
    config.logto_file = config.logto_console = False
    mujoco.MjLogConfig.set(config)
