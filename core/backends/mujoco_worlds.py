"""The arrays of N MuJoCo worlds: writing states and targets, starting episodes, finding and reviving broken worlds."""

# pyright: reportAttributeAccessIssue=false

import logging

import mujoco
import numpy as np
from mujoco.batch import Batch, SimulationError

from core.backends.base import InitialState
from core.backends.initial import at_rest, check_state
from core.backends.mujoco_layout import Layout
from core.backends.mujoco_physics import WorldPhysics
from core.backends.mujoco_state import StateReader, write_free_body
from core.tasks.scene import Scene
from core.types import BodyState, JointTarget

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


class BatchedWorlds:
    """A MuJoCo batch with its state rows, physics parameters and reader; rows are world indices (M,) int64."""

    def __init__(self, model: mujoco.MjModel, layout: Layout, scene: Scene, num_worlds: int, num_threads: int) -> None:
        self.batch = Batch(model, num_worlds, num_threads, persistent=num_worlds <= MAX_CACHED_WORLDS)
        self._layout = layout
        self._scene = scene
        self.time, self.qpos, self.qvel = (self.batch.bind(name) for name in ("time", "qpos", "qvel"))
        self.ctrl, self.wrench = self.batch.bind("ctrl"), self.batch.bind("xfrc_applied")
        self._warmstart = self.batch.bind("qacc_warmstart")
        self.physics = WorldPhysics(self.batch, layout, scene)
        self.reader = StateReader(self.batch, layout)
        self._initial = {"qpos": self.qpos.copy(), "qvel": self.qvel.copy(), "ctrl": self.ctrl.copy()}

    def write_state(self, rows: np.ndarray, state: InitialState) -> None:
        """Positions and velocities. Raises ValueError before anything is written."""
        check_state(state, len(rows), self._scene)
        layout = self._layout
        qpos, qvel = self.qpos[rows], self.qvel[rows]
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
        self.qpos[rows], self.qvel[rows] = qpos, qvel

    def begin(self, rows: np.ndarray, gripper_opening: np.ndarray) -> None:
        """Make the state as written the start of an episode, with joints held where they are."""
        self.ctrl[rows[:, None], self._layout.joint_ctrl] = self.qpos[rows[:, None], self._layout.joint_qpos]
        self.ctrl[rows[:, None], self._layout.gripper_ctrl] = gripper_opening
        for name, values in self._initial.items():
            values[rows] = getattr(self, name)[rows]
        self._restart(rows)

    def recover(self, rows: np.ndarray) -> None:
        """Put diverged worlds back to the start of their episodes."""
        _log.warning("worlds %s diverged and were reset", rows.tolist())
        for name, values in self._initial.items():
            getattr(self, name)[rows] = values[rows]
        self._restart(rows)

    def forward(self, rows: np.ndarray) -> None:
        """Bring everything that follows from the state up to date."""
        self.batch.forward(np.sort(rows))
        self.reader.mark(rows)

    def write_target(self, target: JointTarget) -> None:
        """Raises ValueError on a target that is not finite in a world without damping mode."""
        damping = target.damping.detach().cpu().numpy()
        position = target.position.detach().cpu().numpy()
        self.physics.set_damping(damping)
        if damping.any():
            position = np.where(damping[:, None], self.qpos[:, self._layout.joint_qpos], position)
        self.ctrl[:, self._layout.joint_ctrl] = position
        self.ctrl[:, self._layout.gripper_ctrl] = target.gripper_opening.detach().cpu().numpy()
        if not np.isfinite(self.ctrl.sum()):
            bad = np.flatnonzero(~np.isfinite(self.ctrl).all(axis=1))
            raise ValueError(f"joint targets of worlds {bad.tolist()} are not finite")

    def step(self, substeps: int) -> np.ndarray:
        """Advance every world; (N,) bool: worlds that diverged, not yet recovered."""
        failed = np.zeros(self.batch.nsim, dtype=bool)
        try:
            self.batch.step(nstep=substeps, stage=mujoco.mjtStage.mjSTAGE_VEL.value)
        except SimulationError as error:
            failed[error.ids] = True
            _log.warning("%s", error)
        self.reader.mark_all()
        return failed | self._is_broken()

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything that later steps depend on."""
        arrays = {"state": self.batch.state}
        arrays |= {f"initial/{name}": value for name, value in self._initial.items()}
        arrays |= {f"physics/{name}": value for name, value in self.physics.fields().items()}
        return arrays | {f"read/{name}": value for name, value in self.reader.arrays().items()}

    def load(self, arrays: dict[str, np.ndarray]) -> None:
        """Inverse of `arrays`."""
        self.physics.restore(_subtree(arrays, "physics/"))
        self.batch.state[:] = arrays["state"]
        for name, values in self._initial.items():
            values[:] = arrays[f"initial/{name}"]
        self.reader.load(_subtree(arrays, "read/"))

    def _restart(self, rows: np.ndarray) -> None:
        """Time 0, no memory of the solver, no wrench, no damping mode."""
        self.time[rows] = 0.0
        self._warmstart[rows] = 0.0
        self.wrench[rows] = 0.0
        damping = self.physics.damping.copy()
        damping[rows] = False
        self.physics.set_damping(damping)
        self.batch.warning[rows] = 0
        self.forward(rows)

    def _is_broken(self) -> np.ndarray:
        """(N,) bool: NaN or unbounded coordinates, or a numerical warning of MuJoCo since the episode began."""
        bounded = (np.abs(self.qpos) < MAX_POSITION).all(axis=1) & (np.abs(self.qvel) < MAX_VELOCITY).all(axis=1)
        return ~bounded | self.batch.warning[:, _NUMERIC_WARNINGS, 1].any(axis=1)


def _subtree(arrays: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}
