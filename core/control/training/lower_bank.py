"""Reference-state initialisation (Peng et al., 2018): moments of the reference gait to start training episodes from."""

from dataclasses import dataclass
from dataclasses import fields as dataclass_fields
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from core.backends.base import InitialState
from core.control.footstep_config import FootstepConfig
from core.control.footsteps import FootstepPlanner
from core.control.training.gait import Reference, ReferenceGait
from core.control.training.lower_config import GaitConfig
from core.control.training.walk_commands import WalkCommands
from core.control.training.world_rows import put_rows, take_rows
from core.rigid import quat_from_rotvec, quat_from_yaw, quat_mul, quat_rotate, quat_rotate_inv
from core.t1.kinematics import frames_b
from core.t1.model import ARMS, DEFAULT_BASE_HEIGHT_M, DEFAULT_JOINT_POS, LEGS
from core.types import CONTROL_PERIOD_S, WorldState

Rows = dict[str, Tensor]
_OWNERS = ("planner", "gait", "commands", "reference")


@dataclass
class ReferenceBank:
    """K moments: the robot's state, and that of footstep planner, gait, command generator and reference."""

    base_pos_w: Tensor
    base_quat_w: Tensor
    joint_pos: Tensor
    joint_vel: Tensor
    base_lin_vel_b: Tensor
    base_ang_vel_b: Tensor
    planner: Rows
    gait: Rows
    commands: Rows
    reference: Rows

    def __len__(self) -> int:
        return len(self.base_pos_w)

    def joined(self, other: "ReferenceBank") -> "ReferenceBank":
        """The moments of both, these first."""
        values: dict[str, Any] = {}
        for name, mine in vars(self).items():
            theirs = getattr(other, name)
            if isinstance(mine, dict):
                values[name] = {key: torch.cat((mine[key], theirs[key])) for key in mine}
            else:
                values[name] = torch.cat((mine, theirs))
        return ReferenceBank(**values)

    def initial_state(self, which: Int[Tensor, "M"]) -> InitialState:
        """Robot states of the chosen moments."""
        return InitialState(
            base_pos_w=self.base_pos_w[which],
            base_quat_w=self.base_quat_w[which],
            joint_pos=self.joint_pos[which],
            joint_vel=self.joint_vel[which],
            base_lin_vel_b=self.base_lin_vel_b[which],
            base_ang_vel_b=self.base_ang_vel_b[which],
            gripper_opening=torch.zeros(len(which), 2),
        )

    def restore(
        self,
        worlds: Int[Tensor, "M"],
        which: Int[Tensor, "M"],
        planner: FootstepPlanner,
        gait: ReferenceGait,
        commands: WalkCommands,
        reference: Reference,
    ) -> None:
        """Put everything but the robot into the chosen moments, in some worlds."""
        put_rows(planner, worlds, self.planner, which)
        put_rows(gait, worlds, self.gait, which)
        put_rows(commands, worlds, self.commands, which)
        put_rows(reference, worlds, self.reference, which)


def standing_state(arms: Tensor) -> WorldState:
    """The default stand at the origin with given arms (N, 14), as a backend would report it."""
    n = len(arms)
    joint_pos = torch.tensor(DEFAULT_JOINT_POS, dtype=torch.float32).repeat(n, 1)
    joint_pos[:, ARMS] = arms
    base = torch.tensor([[0.0, 0.0, DEFAULT_BASE_HEIGHT_M]]).repeat(n, 1)
    quat = torch.tensor([[1.0, 0.0, 0.0, 0.0]]).repeat(n, 1)
    return kinematic_state(base, quat, joint_pos)


def kinematic_state(base_pos_w: Tensor, base_quat_w: Tensor, joint_pos: Tensor) -> WorldState:
    """A world state at rest from a base pose and joint positions, by forward kinematics."""
    n = len(joint_pos)
    frames = frames_b(joint_pos)
    quat = base_quat_w[:, None]
    zeros = torch.zeros
    return WorldState(
        time_s=zeros(n),
        base_pos_w=base_pos_w,
        base_quat_w=base_quat_w,
        base_lin_vel_b=zeros(n, 3),
        base_ang_vel_b=zeros(n, 3),
        joint_pos=joint_pos,
        joint_vel=zeros(n, 29),
        joint_torque=zeros(n, 29),
        gripper_opening=zeros(n, 2),
        hand_pos_w=base_pos_w[:, None] + quat_rotate(quat, frames.hand_pos),
        hand_quat_w=quat_mul(quat, frames.hand_quat),
        foot_pos_w=base_pos_w[:, None] + quat_rotate(quat, frames.foot_pos),
        foot_quat_w=quat_mul(quat, frames.foot_quat),
        foot_force_w=zeros(n, 2, 3),
        hand_force_w=zeros(n, 2, 3),
    )


def attitude(reference: Reference) -> Tensor:
    """(N, 4) wxyz orientation of the trunk in the reference."""
    roll = torch.nn.functional.pad(reference.base_roll[:, None], (0, 2))
    return quat_mul(quat_from_yaw(reference.base_yaw), quat_from_rotvec(roll))


def follow_reference(state: WorldState, reference: Reference) -> WorldState:
    """The state of a robot that tracks the reference exactly (arms as they are)."""
    joint_pos = state.joint_pos.clone()
    joint_pos[:, LEGS] = reference.joint_pos
    return kinematic_state(reference.base_pos_w, attitude(reference), joint_pos)


def walking_bank(
    arms: Tensor,
    commands: WalkCommands,
    footsteps: FootstepConfig,
    gait_config: GaitConfig,
    noise: Float[Tensor, "3"],
    seconds: float = 8.0,
    every: int = 8,
) -> ReferenceBank:
    """Walk the reference kinematically with one world per row of `arms` (M, 14), keeping every n-th tick.

    `noise` (x, y m, yaw rad) widens the footsteps at random.
    """
    state, planner, gait = _start(arms, commands, footsteps, gait_config)
    parts: list[Rows] = []
    for tick in range(round(seconds / CONTROL_PERIOD_S)):
        offset = noise * (2 * torch.rand(len(arms), 3, generator=commands.generator) - 1)
        yaw_before = gait.base_yaw
        reference = gait.update(state, planner.update(state, commands.update(), offset))
        if tick > 30 and tick % every == 0:
            parts.append(_moment(state, reference, gait.base_yaw - yaw_before, planner, gait, commands))
        state = follow_reference(state, reference)
    return _bank({name: torch.cat([part[name] for part in parts]) for name in parts[0]})


def standing_bank(
    arms: Tensor, commands: WalkCommands, footsteps: FootstepConfig, gait_config: GaitConfig
) -> ReferenceBank:
    """The default stand, one moment per row of `arms` (M, 14)."""
    state, planner, gait = _start(arms, commands, footsteps, gait_config)
    reference = gait.update(state, planner.update(state, commands.velocity))
    reference.joint_vel = torch.zeros_like(reference.joint_vel)
    reference.base_vel_w = torch.zeros_like(reference.base_vel_w)
    return _bank(_moment(state, reference, torch.zeros(len(arms)), planner, gait, commands))


def _start(
    arms: Tensor, commands: WalkCommands, footsteps: FootstepConfig, gait_config: GaitConfig
) -> tuple[WorldState, FootstepPlanner, ReferenceGait]:
    worlds = torch.arange(len(arms))
    state = standing_state(arms)
    planner = FootstepPlanner(len(arms), footsteps)
    gait = ReferenceGait(len(arms), gait_config, footsteps)
    planner.reset(worlds, state)
    gait.reset(worlds, state)
    commands.reset(worlds)
    return state, planner, gait


def _bank(rows: Rows) -> ReferenceBank:
    groups: dict[str, Rows] = {name: {} for name in _OWNERS}
    plain: Rows = {}
    for name, value in rows.items():
        owner, _, field = name.partition("/")
        if field:
            groups[owner][field] = value
        else:
            plain[name] = value
    return ReferenceBank(**plain, **groups)  # pyright: ignore[reportArgumentType]  # names of tensors and of rows differ


def _moment(
    state: WorldState,
    reference: Reference,
    turned: Tensor,
    planner: FootstepPlanner,
    gait: ReferenceGait,
    commands: WalkCommands,
) -> Rows:
    """The robot at the present tick, moving as the reference does, and everything that decides what comes next."""
    worlds = torch.arange(len(turned))
    rows: Rows = {}
    for name, owner, fields in (
        ("planner", planner, FootstepPlanner.WORLD_FIELDS),
        ("gait", gait, ReferenceGait.WORLD_FIELDS),
        ("commands", commands, WalkCommands.WORLD_FIELDS),
        ("reference", reference, tuple(field.name for field in dataclass_fields(reference))),
    ):
        rows |= {f"{name}/{key}": value for key, value in take_rows(owner, fields, worlds).items()}
    joint_vel = torch.zeros_like(state.joint_vel)
    joint_vel[:, LEGS] = reference.joint_vel
    velocity_w = torch.nn.functional.pad(reference.base_vel_w, (0, 1))
    spin = torch.zeros_like(velocity_w)
    spin[:, 2] = turned / CONTROL_PERIOD_S
    return rows | {
        "base_pos_w": state.base_pos_w,
        "base_quat_w": state.base_quat_w,
        "joint_pos": state.joint_pos,
        "joint_vel": joint_vel,
        "base_lin_vel_b": quat_rotate_inv(state.base_quat_w, velocity_w),
        "base_ang_vel_b": spin,
    }
