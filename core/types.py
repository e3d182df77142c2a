"""What flows through the loop: commands, joint targets and world states, batched over N worlds (torch, SI, wxyz)."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import TypeVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from core.rates import CONTROL_HZ as CONTROL_HZ
from core.rates import CONTROL_PERIOD_S as CONTROL_PERIOD_S
from core.rates import CONTROL_STEPS_PER_COMMAND as CONTROL_STEPS_PER_COMMAND
from core.rates import PLANNER_HZ as PLANNER_HZ
from core.t1.model import GRIPPER_MAX_OPENING_M, NUM_JOINTS

Rows = TypeVar("Rows", bound="Batched")  # not typing.Self: the checkers of the tests cannot resolve it in methods


class Batched:
    """Row selection and copying for dataclasses whose tensor fields share the leading axis N."""

    def _map(self: Rows, fn: Callable[[Tensor], Tensor]) -> Rows:
        values = {}
        for f in fields(self):  # type: ignore[arg-type]  # subclasses are dataclasses
            value = getattr(self, f.name)
            if isinstance(value, Tensor):
                values[f.name] = fn(value)
            elif isinstance(value, dict):
                values[f.name] = {
                    k: fn(item) if isinstance(item, Tensor) else item._map(fn) for k, item in value.items()
                }
        return replace(self, **values)  # type: ignore[type-var]

    def select(self: Rows, worlds: Tensor) -> Rows:
        """The rows of some worlds (index or mask tensor)."""
        return self._map(lambda t: t[worlds])

    def clone(self: Rows) -> Rows:
        """A copy that shares no memory with this one."""
        return self._map(lambda t: t.clone())


@dataclass
class Command(Batched):
    """What a planner, an operator or a policy asks for (paper B3): the action of every demonstration.

    Hand frame: at the palm centre; with the identity rotation relative to the base the fingers point forward (+x),
    z is up and the palms face each other (the left palm looks to -y, the right one to +y).
    """

    base_velocity: Float[Tensor, "N 3"]
    "(N, 3): vx, vy in m/s and wz in rad/s, in the heading frame (base, yaw only)"
    hand_pos_b: Float[Tensor, "N 2 3"]
    "(N, 2, 3) m: left and right hand frames in the base (Trunk) frame"
    hand_quat_b: Float[Tensor, "N 2 4"]
    "(N, 2, 4) wxyz unit quaternions, T_base_hand rotation"
    gripper_opening: Float[Tensor, "N 2"]
    "(N, 2) m, 0 (closed) to 0.077 (open)"

    SIZE = 3 + 6 + 8 + 2

    @property
    def num_worlds(self) -> int:
        return self.base_velocity.shape[0]

    def to_vector(self) -> Float[Tensor, "N 19"]:
        """(N, 19): base velocity 3, hand positions 6, hand quaternions 8, gripper openings 2."""
        n = self.num_worlds
        parts = (
            self.base_velocity,
            self.hand_pos_b.reshape(n, 6),
            self.hand_quat_b.reshape(n, 8),
            self.gripper_opening,
        )
        return torch.cat(parts, dim=-1)

    @classmethod
    def from_vector(cls, vector: Float[Tensor, "N D"]) -> "Command":
        """Inverse of `to_vector`. Raises ValueError on another size."""
        if vector.ndim != 2 or vector.shape[1] != cls.SIZE:
            raise ValueError(f"a command vector has shape (N, {cls.SIZE}), got {tuple(vector.shape)}")
        n = vector.shape[0]
        return cls(vector[:, :3], vector[:, 3:9].reshape(n, 2, 3), vector[:, 9:17].reshape(n, 2, 4), vector[:, 17:19])

    @staticmethod
    def component_names() -> tuple[str, ...]:
        """Name of each of the 19 components, with units."""
        names = ["base_velocity_x_m_s", "base_velocity_y_m_s", "base_velocity_yaw_rad_s"]
        names += [f"{s}_hand_pos_{a}_m" for s in ("left", "right") for a in "xyz"]
        names += [f"{s}_hand_quat_{a}" for s in ("left", "right") for a in "wxyz"]
        return (*names, "left_gripper_opening_m", "right_gripper_opening_m")


@dataclass
class JointTarget(Batched):
    """What the control stack sends across the border for one control period."""

    position: Float[Tensor, "N 29"]
    "(N, 29) rad, canonical joint order"
    gripper_opening: Float[Tensor, "N 2"]
    "(N, 2) m"
    damping: Bool[Tensor, "N"]
    "(N,) bool: true = hard stop, kp 0 and kd only (all joints), position ignored"
    base_velocity: Float[Tensor, "N 3"] | None = None
    "(N, 3) vx, vy, wz as commanded, for a robot whose own firmware walks; None: stand"


@dataclass
class BodyState(Batched):
    """Pose and velocity of a free object."""

    pos_w: Float[Tensor, "N 3"]
    "(N, 3) m, relative to the world's origin"
    quat_w: Float[Tensor, "N 4"]
    "(N, 4) wxyz"
    lin_vel_w: Float[Tensor, "N 3"]
    "(N, 3) m/s, of the link origin, world axes"
    ang_vel_w: Float[Tensor, "N 3"]
    "(N, 3) rad/s, world axes"


@dataclass
class WorldState(Batched):
    """Everything that a backend reads back, after a control period."""

    time_s: Float[Tensor, "N"]
    "(N,) simulated or robot time since reset"
    base_pos_w: Float[Tensor, "N 3"]
    "(N, 3) Trunk origin"
    base_quat_w: Float[Tensor, "N 4"]
    "(N, 4) wxyz"
    base_lin_vel_b: Float[Tensor, "N 3"]
    "(N, 3) m/s, velocity of the Trunk origin in base axes"
    base_ang_vel_b: Float[Tensor, "N 3"]
    "(N, 3) rad/s, gyroscope"
    joint_pos: Float[Tensor, "N 29"]
    "(N, 29)"
    joint_vel: Float[Tensor, "N 29"]
    "(N, 29)"
    joint_torque: Float[Tensor, "N 29"]
    "(N, 29) Nm, applied (after the limit)"
    gripper_opening: Float[Tensor, "N 2"]
    "(N, 2) m, measured"
    hand_pos_w: Float[Tensor, "N 2 3"]
    "(N, 2, 3) hand frames (palm centres)"
    hand_quat_w: Float[Tensor, "N 2 4"]
    "(N, 2, 4)"
    foot_pos_w: Float[Tensor, "N 2 3"]
    "(N, 2, 3) sole frames: below the ankle-roll axis, on the sole plane"
    foot_quat_w: Float[Tensor, "N 2 4"]
    "(N, 2, 4)"
    foot_force_w: Float[Tensor, "N 2 3"]
    "(N, 2, 3) N, contact force of the world on each foot"
    hand_force_w: Float[Tensor, "N 2 3"]
    "(N, 2, 3) N, contact force of the world on each hand (palm, pad and fingers)"
    objects: dict[str, BodyState] = field(default_factory=dict)
    "free objects of the scene by name"

    @property
    def num_worlds(self) -> int:
        return self.base_pos_w.shape[0]


def check_finite_command(command: Command) -> Bool[Tensor, "N"]:
    """(N,) bool: rows with no NaN or infinity."""
    return command.to_vector().isfinite().all(dim=-1)


def gripper_open(n: int) -> Float[Tensor, "N 2"]:
    """(N, 2) fully open grippers, m."""
    return torch.full((n, 2), GRIPPER_MAX_OPENING_M)


assert NUM_JOINTS == 29
