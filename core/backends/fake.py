"""A world without physics for tests of the loop: joints move to their targets at rated speed, bodies coast."""

from dataclasses import fields

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from core.backends.base import BackendDescription, InitialState, Physics, StepReport
from core.backends.initial import at_rest, check_state, default_initial_state, world_rows
from core.rigid import quat_from_rotvec, quat_mul, quat_rotate
from core.t1.kinematics import frames_w
from core.t1.model import JOINT_NAMES, NUM_JOINTS, TOTAL_MASS_KG, VELOCITY_LIMIT
from core.tasks.scene import Scene
from core.types import CONTROL_PERIOD_S, BodyState, JointTarget, WorldState

GRIPPER_SPEED_M_S = 0.2
MAX_FORCE_N = 1e6
"""An external force beyond this makes a fake world diverge, so that loops can be tested for it."""


class FakeBackend:
    """Deterministic kinematics of N worlds. Implements `SimulatedBackend`.

    No gravity and no contact: base and objects keep the velocity they were given, feet report the weight of a standing
    robot, torques are zero. Physics parameters are ignored. Damping mode freezes the joints.
    """

    def __init__(self, scene: Scene, num_worlds: int) -> None:
        if num_worlds < 1:
            raise ValueError(f"num_worlds must be at least 1, got {num_worlds}")
        self._scene = scene
        self._num_worlds = num_worlds
        self._now = default_initial_state(scene, num_worlds)
        self._initial = self._now.clone()
        self._time = torch.zeros(num_worlds)
        self._force = torch.zeros(num_worlds, 3)
        self._closed = False

    def describe(self) -> BackendDescription:
        """Names, rates, sizes."""
        return BackendDescription(
            name="fake",
            version="1",
            num_worlds=self._num_worlds,
            control_period_s=CONTROL_PERIOD_S,
            physics_timestep_s=CONTROL_PERIOD_S,
            joint_names=JOINT_NAMES,
            scene=self._scene,
        )

    def reset(self, worlds: Tensor, initial: InitialState, physics: Physics | None = None) -> None:
        """Put the chosen worlds into initial states at time 0; physics is ignored."""
        self.set_state(worlds, initial)
        rows = self._rows(worlds)
        _assign(self._initial, self._now.select(rows), rows)
        self._time[rows] = 0.0
        self._force[rows] = 0.0

    def set_state(self, worlds: Tensor, state: InitialState) -> None:
        """Write states without touching time."""
        self._check_open()
        rows = self._rows(worlds)
        check_state(state, len(rows), self._scene)
        for item in self._scene.free_objects:
            state.objects.setdefault(item.name, at_rest(item.pos, len(rows)))
        _assign(self._now, state, rows)

    def step(self, target: JointTarget) -> StepReport:
        """Move every joint towards its target for one control period."""
        self._check_open()
        if not bool(target.position[~target.damping].isfinite().all()):
            raise ValueError("joint targets are not finite")
        now, dt = self._now, CONTROL_PERIOD_S
        reach = torch.as_tensor(VELOCITY_LIMIT, dtype=torch.float32) * dt
        wanted = torch.where(target.damping[:, None], now.joint_pos, target.position)
        joint_pos = now.joint_pos + (wanted - now.joint_pos).clamp(-reach, reach)
        now.joint_vel = (joint_pos - now.joint_pos) / dt
        now.joint_pos = joint_pos
        opening = target.gripper_opening - now.gripper_opening
        now.gripper_opening = now.gripper_opening + opening.clamp(-GRIPPER_SPEED_M_S * dt, GRIPPER_SPEED_M_S * dt)
        now.base_pos_w, now.base_quat_w = _coast_b(
            now.base_pos_w, now.base_quat_w, now.base_lin_vel_b, now.base_ang_vel_b
        )
        for body in now.objects.values():
            body.pos_w = body.pos_w + body.lin_vel_w * dt
            body.quat_w = quat_mul(quat_from_rotvec(body.ang_vel_w * dt), body.quat_w)
        self._time = self._time + dt
        return self._report()

    def read_state(self) -> WorldState:
        """The state now."""
        self._check_open()
        now, n = self._now, self._num_worlds
        frames = frames_w(now.base_pos_w, now.base_quat_w, now.joint_pos)
        foot_force = torch.tensor([0.0, 0.0, 0.5 * 9.81 * TOTAL_MASS_KG]).repeat(n, 2, 1)
        return WorldState(
            time_s=self._time,
            base_pos_w=now.base_pos_w,
            base_quat_w=now.base_quat_w,
            base_lin_vel_b=now.base_lin_vel_b,
            base_ang_vel_b=now.base_ang_vel_b,
            joint_pos=now.joint_pos,
            joint_vel=now.joint_vel,
            joint_torque=torch.zeros(n, NUM_JOINTS),
            gripper_opening=now.gripper_opening,
            hand_pos_w=frames.hand_pos,
            hand_quat_w=frames.hand_quat,
            foot_pos_w=frames.foot_pos,
            foot_quat_w=frames.foot_quat,
            foot_force_w=foot_force,
            hand_force_w=torch.zeros(n, 2, 3),
            objects=now.objects,
        ).clone()

    def apply_wrench(self, body: str, force_w: Tensor, torque_w: Tensor) -> None:
        """Remembered only for `MAX_FORCE_N`. Any body name will do."""
        self._check_open()
        self._force = force_w.clone()

    def set_gravity(self, gravity_w: Tensor) -> None:
        """Checked and otherwise without effect: nothing falls here."""
        self._check_open()
        if tuple(gravity_w.shape) != (self._num_worlds, 3):
            raise ValueError(f"gravity must be ({self._num_worlds}, 3), got {tuple(gravity_w.shape)}")

    def snapshot(self) -> bytes:
        """Every tensor, as safetensors bytes."""
        self._check_open()
        tensors = {"time": self._time, "force": self._force}
        tensors |= {f"now/{k}": v for k, v in _tensors(self._now).items()}
        tensors |= {f"initial/{k}": v for k, v in _tensors(self._initial).items()}
        return safetensors.torch.save({k: v.contiguous() for k, v in tensors.items()})

    def restore(self, snapshot: bytes) -> None:
        """Undo everything since `snapshot`."""
        self._check_open()
        try:
            saved = safetensors.torch.load(snapshot)
        except safetensors.SafetensorError as error:
            raise ValueError(f"not a snapshot: {error}") from error
        wanted = {f"now/{k}": v.shape for k, v in _tensors(self._now).items()}
        if {k: v.shape for k, v in saved.items() if k.startswith("now/")} != wanted:
            raise ValueError("the snapshot is of another scene or number of worlds")
        self._time, self._force = saved["time"], saved["force"]
        for name, state in (("now", self._now), ("initial", self._initial)):
            for key, tensor in _tensors(state).items():
                tensor.copy_(saved[f"{name}/{key}"])

    def close(self) -> None:
        """Any other call afterwards raises RuntimeError."""
        self._closed = True

    def _report(self) -> StepReport:
        diverged = ~(self._force.norm(dim=-1) < MAX_FORCE_N)
        if bool(diverged.any()):
            rows = diverged.nonzero()[:, 0]
            self.reset(rows, self._initial.select(rows))
        return StepReport(diverged)

    def _rows(self, worlds: Tensor) -> Tensor:
        return torch.from_numpy(world_rows(worlds, self._num_worlds))

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("this backend is closed: make a new one")


def _coast_b(pos_w: Tensor, quat_w: Tensor, lin_vel_b: Tensor, ang_vel_b: Tensor) -> tuple[Tensor, Tensor]:
    """One control period at a constant twist in body axes."""
    quat_next = quat_mul(quat_w, quat_from_rotvec(ang_vel_b * CONTROL_PERIOD_S))
    velocity = 0.5 * (quat_rotate(quat_w, lin_vel_b) + quat_rotate(quat_next, lin_vel_b))
    return pos_w + velocity * CONTROL_PERIOD_S, quat_next


def _tensors(state: InitialState) -> dict[str, Tensor]:
    """Every tensor of a state by path."""
    own = {f.name: getattr(state, f.name) for f in fields(state) if f.name != "objects"}
    for name, body in state.objects.items():
        own |= {f"{name}/{f.name}": getattr(body, f.name) for f in fields(BodyState)}
    return own


def _assign(into: InitialState, values: InitialState, rows: Tensor) -> None:
    """Write rows of every tensor."""
    source = _tensors(values)
    for key, tensor in _tensors(into).items():
        tensor[rows] = source[key].to(tensor.dtype)
