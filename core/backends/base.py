"""The one border to the world, the same for MuJoCo, Isaac Lab and the real T1 (N = 1)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from core.clock import Rate
from core.control.stop import StopLevel
from core.robot.status import RobotStatus
from core.tasks.scene import Scene
from core.types import Batched, BodyState, JointTarget, WorldState


@dataclass(frozen=True)
class BackendDescription:
    """What a backend is: recorded with every episode."""

    name: str
    "mujoco, isaaclab, booster, fake"
    version: str
    num_worlds: int
    control_period_s: float
    physics_timestep_s: float
    joint_names: tuple[str, ...]
    scene: Scene
    simulated: bool = True
    "false for hardware: no reset to a state, no set_state"
    settings: dict[str, str | float | int | bool] = field(default_factory=dict)
    "solver, friction cone, ... as recorded in env_args"


@dataclass
class InitialState(Batched):
    """Where the chosen worlds start, M = number of worlds reset. Missing fields of objects keep the scene's values."""

    base_pos_w: Tensor
    "(M, 3)"
    base_quat_w: Tensor
    "(M, 4)"
    joint_pos: Tensor
    "(M, 29)"
    joint_vel: Tensor
    "(M, 29)"
    base_lin_vel_b: Tensor
    "(M, 3)"
    base_ang_vel_b: Tensor
    "(M, 3)"
    gripper_opening: Tensor
    "(M, 2) m"
    objects: dict[str, BodyState] = field(default_factory=dict)

    @classmethod
    def from_world_state(cls, state: WorldState) -> "InitialState":
        """The initial state that reproduces a world state."""
        return cls(
            base_pos_w=state.base_pos_w,
            base_quat_w=state.base_quat_w,
            joint_pos=state.joint_pos,
            joint_vel=state.joint_vel,
            base_lin_vel_b=state.base_lin_vel_b,
            base_ang_vel_b=state.base_ang_vel_b,
            gripper_opening=state.gripper_opening,
            objects=dict(state.objects),
        )


@dataclass
class Physics(Batched):
    """Per-world physical parameters, M rows; the randomisation of domain, payload and actuation (B17, B71)."""

    kp_scale: Tensor
    "(M, 29) factor on the PD stiffness"
    kd_scale: Tensor
    "(M, 29)"
    payload_kg: Tensor
    "(M, 2) point mass at the palm centre of each hand"
    trunk_mass_offset_kg: Tensor
    "(M,)"
    trunk_com_offset_b: Tensor
    "(M, 3) m"
    floor_friction: Tensor
    "(M,) sliding friction of feet on the floor"
    gravity_w: Tensor
    "(M, 3) m/s^2"
    object_mass: dict[str, Tensor] = field(default_factory=dict)
    "name -> (M,) kg"
    object_friction: dict[str, Tensor] = field(default_factory=dict)
    "name -> (M,)"
    object_size: dict[str, Tensor] = field(default_factory=dict)
    "name -> (M, 3) full edge lengths, m; inertia follows"
    fixed_object_pos: dict[str, Tensor] = field(default_factory=dict)
    "name -> (M, 3) centre of a fixed object (table height)"

    @classmethod
    def nominal(cls, num_worlds: int) -> "Physics":
        """Nothing randomised."""
        m = num_worlds
        return cls(
            kp_scale=torch.ones(m, 29),
            kd_scale=torch.ones(m, 29),
            payload_kg=torch.zeros(m, 2),
            trunk_mass_offset_kg=torch.zeros(m),
            trunk_com_offset_b=torch.zeros(m, 3),
            floor_friction=torch.full((m,), 1.0),
            gravity_w=torch.tensor([[0.0, 0.0, -9.81]]).repeat(m, 1),
        )


@dataclass(frozen=True)
class StepReport:
    """What happened during a control period."""

    diverged: Tensor
    "(N,) bool: the world met NaN or an unbounded state and was put back to its last reset state"


@dataclass(frozen=True)
class Trouble:
    """Why a robot stopped by itself, or is not ours any more."""

    level: StopLevel
    words: str
    lost: bool
    "true: it has to be engaged again after clearing"


@runtime_checkable
class Backend(Protocol):
    """N worlds stepped by one 50 Hz control period at a time."""

    def describe(self) -> BackendDescription:
        """Names, rates, sizes, version."""
        ...

    def reset(self, worlds: Tensor, initial: InitialState, physics: Physics | None = None) -> None:
        """Put the chosen worlds (M,) int64 into initial states; physics sets their parameters (None keeps them)."""
        ...

    def step(self, target: JointTarget) -> StepReport:
        """Advance every world by one control period with joint targets held."""
        ...

    def read_state(self) -> WorldState:
        """The state now. Tensors may be reused by the next step: clone what is kept."""
        ...

    def set_state(self, worlds: Tensor, state: InitialState) -> None:
        """Write states without touching time or physics (kicks, replay). Simulators only."""
        ...

    def close(self) -> None:
        """Release threads, files and connections. Safe to call twice."""
        ...


@runtime_checkable
class LiveBackend(Backend, Protocol):
    """What a real robot adds: it keeps its own rhythm, moves only when a person wants it, and stops by itself."""

    rate: Rate
    "paces `step`"

    @property
    def engaged(self) -> bool:
        """Whether targets reach the joints."""
        ...

    def take_over(self, tell: Callable[[str], None] = lambda _: None) -> None:
        """Bring the robot to where targets may begin; takes seconds, `tell` hears of each step.

        May run on a thread of its own beside `refresh` and `request_stop`. Raises RuntimeError with the reason.
        """
        ...

    def engage(self) -> None:
        """From now on targets reach the joints. Raises RuntimeError when the robot is not taken over."""
        ...

    def disengage(self) -> None:
        """Give the robot back to its firmware; it stands."""
        ...

    def request_stop(self, level: StopLevel, pressed_s: float | None = None) -> None:
        """Stop at once, from any thread, past the loop; pressed_s: when a person pressed, for the measurement."""
        ...

    def clear_stop(self) -> str:
        """Release a stop: why it cannot be, '' when it was."""
        ...

    def beat(self, owner_age_s: float) -> None:
        """The window lives and was last busy this long ago: for the dead-man."""
        ...

    def trouble(self) -> Trouble | None:
        """What the robot's guards decided by themselves, None while all is well."""
        ...

    def refresh(self) -> None:
        """Measure without moving, while the loop rests."""
        ...

    def status(self) -> RobotStatus:
        """How the robot and its guards are, as of the last measurement."""
        ...


@runtime_checkable
class HoldingBackend(Protocol):
    """A backend that may not know where things are: then every world holds, and the source is not asked."""

    def hold_reason(self) -> str:
        """Why nothing must move just now, '' when it may."""
        ...


@runtime_checkable
class SimulatedBackend(Backend, Protocol):
    """What simulators add for training: disturbances and exact snapshots."""

    def apply_wrench(self, body: str, force_w: Tensor, torque_w: Tensor) -> None:
        """External wrench (N, 3), (N, 3) on a body (link name), held until changed. For pushes and hand loads."""
        ...

    def set_gravity(self, gravity_w: Tensor) -> None:
        """Gravity (N, 3) m/s^2 of every world until the next reset or change: how a fixed base feels a moving one."""
        ...

    def snapshot(self) -> bytes:
        """The full state of every world, for exact resume."""
        ...

    def restore(self, snapshot: bytes) -> None:
        """Undo everything since `snapshot`. Raises ValueError when it does not fit this backend."""
        ...
