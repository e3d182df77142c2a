"""Measures how much a standing robot trembles whose hands are told to hold still: motion above 8 Hz."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from scipy.signal import butter, sosfiltfilt
from torch import Tensor

from core.backends.base import Physics
from core.backends.mujoco import MujocoBackend, default_initial_state
from core.control.arm_chain import join_arms
from core.control.footsteps import FootstepPlanner
from core.control.training.arm_bank import build_bank
from core.control.upper import ArmController
from core.control.whole_body import LegController, WholeBodyController
from core.t1.kinematics import frames_b
from core.t1.model import ARMS, DEFAULT_JOINT_POS
from core.tasks.scene import Scene
from core.types import CONTROL_PERIOD_S, Command, gripper_open

CUTOFF_HZ = 8.0
"""Steps, strides and balance are slower than this; what is faster, nobody asked for."""


@dataclass(frozen=True)
class TremblingConfig:
    """How long and with how many robots."""

    num_worlds: int = 64
    "robots side by side, each with its own arm posture and load; the first one in the default posture"
    settle_s: float = 5.0
    "time before the measurement: what trembles needs seconds to build up"
    measured_s: float = 4.0
    payload_kg: float = 1.0
    "largest mass in each hand"
    seed: int = 20_000

    def __post_init__(self) -> None:
        if self.num_worlds < 1 or self.settle_s < 0 or self.measured_s < 1:
            raise ValueError(f"num_worlds >= 1, settle_s >= 0 and measured_s >= 1 are needed, got {self}")


@dataclass(frozen=True)
class TremblingReport:
    """Root mean squares of what is above `CUTOFF_HZ`, rad/s."""

    joints_rad_s: float
    "velocity of an arm joint, all robots"
    trunk_rad_s: float
    "length of the trunk's angular velocity, all robots"
    worst_joints_rad_s: float
    "the same of the robot where it is largest"
    worst_trunk_rad_s: float


def evaluate_trembling(
    legs: LegController, arms: ArmController, config: TremblingConfig | None = None, num_threads: int = 1
) -> TremblingReport:
    """Stand with a constant hand command, the pose of the arms at the start."""
    c = config or TremblingConfig()
    backend, controller, command = _standing(legs, arms, c, num_threads)
    joints, trunk = [], []
    state = backend.read_state()
    for _ in range(round((c.settle_s + c.measured_s) / CONTROL_PERIOD_S)):
        backend.step(controller.act(state, command))
        state = backend.read_state()
        joints.append(state.joint_vel[:, ARMS].clone())
        trunk.append(state.base_ang_vel_b.clone())
    backend.close()
    kept = round(c.measured_s / CONTROL_PERIOD_S)
    fast_joints = above_cutoff(torch.stack(joints))[-kept:].square().mean(dim=(0, 2))  # (N,)
    fast_trunk = above_cutoff(torch.stack(trunk))[-kept:].square().sum(dim=2).mean(dim=0)
    return TremblingReport(
        _root(fast_joints.mean()), _root(fast_trunk.mean()), _root(fast_joints.max()), _root(fast_trunk.max())
    )


def above_cutoff(signal: Float[Tensor, "T N D"]) -> Float[Tensor, "T N D"]:
    """The part of a signal at the control rate that is faster than `CUTOFF_HZ` (Butterworth, 4th order, both ways)."""
    filter_ = butter(4, CUTOFF_HZ, "highpass", fs=1.0 / CONTROL_PERIOD_S, output="sos")
    return torch.from_numpy(np.ascontiguousarray(sosfiltfilt(filter_, signal.double().numpy(), axis=0)))


def _standing(
    legs: LegController, arms: ArmController, c: TremblingConfig, num_threads: int
) -> tuple[MujocoBackend, WholeBodyController, Command]:
    generator = torch.Generator().manual_seed(c.seed)
    scene, n, worlds = Scene("standing", contacts="locomotion"), c.num_worlds, torch.arange(c.num_worlds)
    bank = build_bank(1000, seed=c.seed)
    initial = default_initial_state(scene, n)
    postures = bank.joint_pos[torch.randint(len(bank), (n,), generator=generator)]
    initial.joint_pos[:, ARMS] = join_arms(postures.reshape(-1, 7))
    initial.joint_pos[0] = torch.tensor(DEFAULT_JOINT_POS, dtype=torch.float32)
    physics = Physics.nominal(n)
    physics.payload_kg = c.payload_kg * torch.rand(n, 2, generator=generator)
    physics.payload_kg[0] = 0.0
    backend = MujocoBackend(scene, n, num_threads)
    backend.reset(worlds, initial, physics)
    controller = WholeBodyController(legs, arms, n, FootstepPlanner(n))
    controller.reset(worlds, backend.read_state())
    hands = frames_b(initial.joint_pos)
    return backend, controller, Command(torch.zeros(n, 3), hands.hand_pos, hands.hand_quat, gripper_open(n))


def _root(value: Tensor) -> float:
    return float(value.sqrt())
