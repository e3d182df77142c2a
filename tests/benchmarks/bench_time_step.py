"""Which time step and solver: squats on the floor and a box squeezed and lifted, against a fine reference.

Squat: feet on the floor, knees bending at 1 Hz, ankles stiffened so that no balance controller is needed. A good
setting keeps the trunk where the reference (1 ms, 100 iterations) has it and the feet where they were put.
Squeeze: a robot with a fixed base closes its palms on boxes of random mass, friction and width and lifts them by joint
targets from inverse kinematics. A good setting lifts what the reference lifts, without slip or jumps.
"""

import time
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from core.backends.base import Physics
from core.backends.initial import default_initial_state
from core.backends.mujoco import MujocoBackend
from core.backends.mujoco_scene import SOLVERS, SolverOptions
from core.control.arm_chain import NUM_ARM_JOINTS, inverse_kinematics, join_arms, split_arms
from core.t1.mjcf import FIXED_BASE_HEIGHT_M
from core.t1.model import ARMS, joint_index
from core.tasks.scene import BoxObject, Scene
from core.types import CONTROL_PERIOD_S, JointTarget

WORLDS = 16
SQUAT_PERIODS = 200
PALM_PAD_M = 0.035
"""From the hand frame to the face of the palm pad."""
REACH_M = 0.40
HAND_HEIGHT_M = 0.10
"""Commanded; arms without gravity compensation hang a few centimetres lower."""
BOX_HEIGHT_M = 0.22
TABLE_TOP_M = FIXED_BASE_HEIGHT_M - 0.05
SQUAT_SCENE = Scene("squat", contacts="locomotion")
SQUEEZE_SCENE = Scene(
    "squeeze",
    (
        BoxObject("table", (0.24, 0.6, 0.04), (0.46, 0.0, TABLE_TOP_M - 0.02), fixed=True),
        BoxObject("box", (0.2, 0.3, BOX_HEIGHT_M), (REACH_M + 0.02, 0.0, TABLE_TOP_M + 0.5 * BOX_HEIGHT_M)),
    ),
    robot="fixed_base",
)


@dataclass(frozen=True)
class Outcome:
    """What one setting did."""

    good: int
    "worlds that stood, or lifted their box"
    error_mm: float
    "squat: rms distance of the trunk from the reference; squeeze: median slip of the box in the palms"
    motion: float
    "squat: largest foot slip, mm; squeeze: highest speed of a box, m/s"
    diverged: int
    rate: float
    "env-steps per CPU second"


@dataclass(frozen=True)
class TimeStepConfig:
    """What is measured."""

    only: str = "both"
    "squat, squeeze, or both"


def squat(solver: SolverOptions) -> tuple[Outcome, Tensor]:
    """Outcome and (T, N, 3) trunk positions."""
    backend = MujocoBackend(SQUAT_SCENE, WORLDS, 1, solver)
    initial = default_initial_state(SQUAT_SCENE, WORLDS)
    generator = torch.Generator().manual_seed(0)
    initial.joint_pos += 0.002 * torch.randn(initial.joint_pos.shape, generator=generator)
    physics = Physics.nominal(WORLDS)
    for side in ("Left", "Right"):
        for axis in ("Pitch", "Roll"):
            physics.kp_scale[:, joint_index(f"{side}_Ankle_{axis}")] = 6.0
            physics.kd_scale[:, joint_index(f"{side}_Ankle_{axis}")] = 2.0
    backend.reset(torch.arange(WORLDS), initial, physics)
    targets = [_squat_target(initial.joint_pos, step * CONTROL_PERIOD_S) for step in range(SQUAT_PERIODS)]
    feet = backend.read_state().foot_pos_w.clone()
    track, slip, diverged = [], 0.0, 0
    start = time.process_time()
    for target in targets:
        diverged += int(backend.step(target).diverged.sum())
        state = backend.read_state()
        track.append(state.base_pos_w.clone())
        slip = max(slip, float((state.foot_pos_w - feet)[..., :2].norm(dim=-1).max()))
    rate = WORLDS * len(targets) / (time.process_time() - start)
    stood = int((torch.stack(track)[..., 2].amin(dim=0) > 0.5).sum())
    backend.close()
    return Outcome(stood, 0.0, 1e3 * slip, diverged, rate), torch.stack(track)


def _squat_target(start: Tensor, time_s: float) -> JointTarget:
    bend = 0.25 * (1.0 - np.cos(2 * np.pi * time_s))
    position = start.clone()
    for side in ("Left", "Right"):
        for name, share in (("Hip_Pitch", -0.5), ("Knee_Pitch", 1.0), ("Ankle_Pitch", -0.5)):
            position[:, joint_index(f"{side}_{name}")] += share * bend
    return JointTarget(position, torch.full((len(start), 2), 0.077), torch.zeros(len(start), dtype=torch.bool))


def squeeze(solver: SolverOptions, physics: Physics, targets: list[JointTarget]) -> Outcome:
    """Lift boxes."""
    backend = MujocoBackend(SQUEEZE_SCENE, WORLDS, 1, solver)
    initial = default_initial_state(SQUEEZE_SCENE, WORLDS)
    initial.joint_pos = targets[0].position
    backend.reset(torch.arange(WORLDS), initial, physics)
    top_speed, diverged, grip = 0.0, 0, torch.zeros(WORLDS)
    start = time.process_time()
    for step, target in enumerate(targets):
        diverged += int(backend.step(target).diverged.sum())
        state = backend.read_state()
        box = state.objects["box"]
        top_speed = max(top_speed, float(box.lin_vel_w.norm(dim=-1).max()))
        if step == len(targets) - 100:
            grip = box.pos_w[:, 2] - state.hand_pos_w[:, :, 2].mean(dim=1)
    rate = WORLDS * len(targets) / (time.process_time() - start)
    state = backend.read_state()
    box = state.objects["box"]
    rise = box.pos_w[:, 2] - (TABLE_TOP_M + 0.5 * BOX_HEIGHT_M)
    upright = 1.0 - 2.0 * (box.quat_w[:, 1] ** 2 + box.quat_w[:, 2] ** 2)
    lifted = (rise > 0.05) & (upright > 0.9)
    slip = (box.pos_w[:, 2] - state.hand_pos_w[:, :, 2].mean(dim=1) - grip)[lifted].abs()
    backend.close()
    median = float(slip.median()) if len(slip) else float("nan")
    return Outcome(int(lifted.sum()), 1e3 * median, top_speed, diverged, rate)


def squeeze_plan() -> tuple[Physics, list[JointTarget]]:
    """Random boxes, and joint targets: approach 0.5 s, close 0.7 s, lift 1 s, hold 2 s."""
    generator = torch.Generator().manual_seed(0)

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(WORLDS, generator=generator)

    width = uniform(0.24, 0.34)
    physics = Physics.nominal(WORLDS)
    physics.object_mass["box"] = uniform(0.3, 1.2)
    physics.object_friction["box"] = uniform(0.5, 1.0)
    physics.object_size["box"] = torch.stack(
        (torch.full_like(width, 0.2), width, torch.full_like(width, BOX_HEIGHT_M)), dim=-1
    )
    keys = [(0.0, 0.05, 0.0), (0.5, 0.05, 0.0), (1.2, -0.05, 0.0), (2.2, -0.05, 0.12), (4.2, -0.05, 0.12)]
    times, gaps, heights = (np.array(column) for column in zip(*keys, strict=True))
    position = default_initial_state(SQUEEZE_SCENE, WORLDS).joint_pos
    rest = split_arms(position[:1, ARMS])[0]
    arms = split_arms(position[:, ARMS])
    quat = torch.tensor([[1.0, 0.0, 0.0, 0.0]]).repeat(2 * WORLDS, 1)
    targets = []
    for step in range(round(times[-1] / CONTROL_PERIOD_S)):
        gap = float(np.interp(step * CONTROL_PERIOD_S, times, gaps))
        height = HAND_HEIGHT_M + float(np.interp(step * CONTROL_PERIOD_S, times, heights))
        y = (0.5 * width + PALM_PAD_M + gap).repeat_interleave(2)
        goal = torch.stack((torch.full_like(y, REACH_M), y, torch.full_like(y, height)), dim=-1)
        arms, _, _ = inverse_kinematics(goal, quat, arms, rest, iterations=60 if step == 0 else 4)
        position = position.clone()
        position[:, ARMS] = join_arms(arms)
        targets.append(JointTarget(position, torch.full((WORLDS, 2), 0.077), torch.zeros(WORLDS, dtype=torch.bool)))
    assert arms.shape == (2 * WORLDS, NUM_ARM_JOINTS)
    return physics, targets


def _row(solver: SolverOptions, outcome: Outcome) -> str:
    setting = f"{1e3 * solver.timestep_s:3.0f} ms  {solver.cone:9s} {solver.impratio:4.0f} {solver.iterations:4d}"
    return (
        f"{setting}   {outcome.good:3d}/{WORLDS} {outcome.error_mm:9.1f} {outcome.motion:9.2f} "
        f"{outcome.diverged:5d} {outcome.rate:9.0f}"
    )


def _variants(chosen: SolverOptions) -> list[SolverOptions]:
    """The chosen setting with one thing changed at a time."""
    steps = [replace(chosen, timestep_s=t) for t in (0.002, 0.004, 0.005, 0.01)]
    iterations = [replace(chosen, iterations=i) for i in (1, 3, 10, 20, 50)]
    cones = [replace(chosen, cone=c, impratio=r) for c in ("pyramidal", "elliptic") for r in (1.0, 10.0)]
    return list(dict.fromkeys((*steps, *iterations, *cones)))


def main(config: TimeStepConfig) -> int:
    """Print both tables."""
    torch.set_num_threads(1)
    head = " step  cone   impratio iter"
    if config.only in ("both", "squat"):
        print(f"{head}    stood  rms mm   slip mm   nan  env-steps/CPU-s")
        reference = SolverOptions(0.001, "pyramidal", 1.0, 100, 50)
        _, track = squat(reference)
        for solver in (reference, *_variants(SOLVERS["locomotion"]), SOLVERS["manipulation"]):
            outcome, mine = squat(solver)
            rms = float((mine - track).square().sum(dim=-1).mean().sqrt())
            print(_row(solver, replace(outcome, error_mm=1e3 * rms)), flush=True)
    if config.only in ("both", "squeeze"):
        print(f"{head}   lifted slip mm  top m/s   nan  env-steps/CPU-s")
        plan = squeeze_plan()
        reference = SolverOptions(0.001, "elliptic", 10.0, 100, 50)
        for solver in (reference, *_variants(SOLVERS["manipulation"])):
            print(_row(solver, squeeze(solver, *plan)), flush=True)
    return 0
