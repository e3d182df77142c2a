"""N worlds of one scene in MuJoCo, stepped on a thread pool.

Inside, everything is float64; the state leaves as float32 tensors and targets come in as float32. A world's results do
not depend on how many worlds there are, on the number of threads, or on what happens in other worlds, bit for bit.
Contact forces and joint torques are those of the last physics step (the last 5 ms of a control period), poses and
velocities those at its end.
"""

# pyright: reportAttributeAccessIssue=false

import json
import os
from dataclasses import asdict

import mujoco
import numpy as np
import safetensors
import safetensors.numpy
import torch
from torch import Tensor

from core.backends.base import BackendDescription, InitialState, Physics, StepReport
from core.backends.initial import check_state, default_initial_state, world_rows
from core.backends.mujoco_layout import build_layout
from core.backends.mujoco_scene import SolverOptions, compile_scene
from core.backends.mujoco_worlds import BatchedWorlds
from core.t1.model import JOINT_NAMES
from core.tasks.scene import Scene
from core.types import CONTROL_PERIOD_S, JointTarget, WorldState


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
        self.model = compile_scene(scene, solver=solver, lean=True)
        self.num_threads = min(num_threads or len(os.sched_getaffinity(0)), num_worlds)
        self._scene = scene
        self._num_worlds = num_worlds
        self._substeps = _substeps(self.model.opt.timestep)
        layout = build_layout(self.model, scene)
        self._worlds: BatchedWorlds | None = BatchedWorlds(self.model, layout, scene, num_worlds, self.num_threads)
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
        objects that the scene does not have, on impossible physics, or on indices out of range.
        """
        live, rows = self._open(), world_rows(worlds, self._num_worlds)
        if rows.size == 0:
            return
        check_state(initial, len(rows), self._scene)
        if physics is not None:
            live.physics.apply(rows, physics)
        live.write_state(rows, initial)
        live.begin(rows, initial.gripper_opening.cpu().numpy())

    def set_state(self, worlds: Tensor, state: InitialState) -> None:
        """Write states without touching time, physics or targets. Same errors as `reset`."""
        live, rows = self._open(), world_rows(worlds, self._num_worlds)
        if rows.size == 0:
            return
        live.write_state(rows, state)
        live.forward(rows)

    def step(self, target: JointTarget) -> StepReport:
        """Advance every world by 20 ms with joint targets held. Raises ValueError on a non-finite target.

        Grippers keep following their opening in damping mode.
        """
        live = self._open()
        live.write_target(target)
        failed = live.step(self._substeps)
        if failed.any():
            live.recover(np.flatnonzero(failed))
        return StepReport(diverged=torch.from_numpy(failed))

    def read_state(self) -> WorldState:
        """The state now, in tensors that later calls overwrite."""
        return self._open().reader.read()

    def apply_wrench(self, body: str, force_w: Tensor, torque_w: Tensor) -> None:
        """External force (N, 3) N and torque (N, 3) Nm at a link's centre of mass, world axes, held until changed.

        A reset takes it off the worlds reset. Raises ValueError for an unknown body.
        """
        live = self._open()
        try:
            index = self.model.body(body).id
        except KeyError as error:
            raise ValueError(f"body {body!r} does not exist in scene {self._scene.name!r}") from error
        live.wrench[:, index, :3] = force_w.detach().cpu().numpy()
        live.wrench[:, index, 3:] = torque_w.detach().cpu().numpy()

    def set_gravity(self, gravity_w: Tensor) -> None:
        """Gravity (N, 3) m/s^2 of every world, until changed here or by the physics of a reset."""
        self._open().physics.set_gravity(gravity_w)

    def snapshot(self) -> bytes:
        """Everything that later steps depend on, as safetensors bytes."""
        arrays = {"fingerprint": self._fingerprint(), **self._open().arrays()}
        return safetensors.numpy.save({name: np.ascontiguousarray(value) for name, value in arrays.items()})

    def restore(self, snapshot: bytes) -> None:
        """Undo everything since `snapshot`, bit for bit. Raises ValueError when it is of another scene or size."""
        live = self._open()
        try:
            arrays = safetensors.numpy.load(snapshot)
        except safetensors.SafetensorError as error:
            raise ValueError(f"not a snapshot: {error}") from error
        if not np.array_equal(arrays.pop("fingerprint", np.zeros(0)), self._fingerprint()):
            raise ValueError("the snapshot is of another scene, solver, MuJoCo version or number of worlds")
        live.load(arrays)

    def close(self) -> None:
        """Stop the threads. Safe to call twice; any other call afterwards raises RuntimeError."""
        self._worlds = None

    def controls(self) -> np.ndarray:
        """(N, nu) a copy of the last controls in MuJoCo's order, for measurements."""
        return self._open().ctrl.copy()

    def physics_states(self) -> np.ndarray:
        """(N, S) a copy of every world's mjSTATE_FULLPHYSICS (time, qpos, qvel), for measurements."""
        live = self._open()
        return np.concatenate([live.time[:, None], live.qpos, live.qvel], axis=1)

    def _open(self) -> BatchedWorlds:
        if self._worlds is None:
            raise RuntimeError("this backend is closed: make a new one")
        return self._worlds

    def _fingerprint(self) -> np.ndarray:
        description = asdict(self.describe())
        return np.frombuffer(json.dumps(description, sort_keys=True).encode(), dtype=np.uint8)


def _substeps(timestep_s: float) -> int:
    count = round(CONTROL_PERIOD_S / timestep_s)
    if abs(count * timestep_s - CONTROL_PERIOD_S) > 1e-12:
        raise ValueError(f"timestep {timestep_s} s must divide the control period {CONTROL_PERIOD_S} s")
    return count


def _silence_mujoco() -> None:
    """Divergence is reported by `step`; MuJoCo would also write a log file into the working directory."""
    config = mujoco.MjLogConfig.get()
    config.logto_file = config.logto_console = False
    mujoco.MjLogConfig.set(config)
