"""Measures pi_lower: foot placement, walked distance and falls over long random walks with moving, loaded arms."""

import math
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
from scipy.stats import chi2
from torch import Tensor

from core.backends.base import Physics
from core.backends.mujoco import MujocoBackend, default_initial_state
from core.control.footsteps import (
    STAND,
    FootstepCommand,
    FootstepPlanner,
    compose_planar,
    feet_planar,
    middle,
    planar_displacement,
    relative_planar,
)
from core.control.training.arm_motion import ArmMotion, collision_free_poses
from core.control.training.lower_teacher import placement_error, swing_in_stance
from core.control.training.lower_training import fallen, kick
from core.control.training.motion_configs import ArmMotionConfig, WalkCommandConfig
from core.control.training.walk_commands import WalkCommands
from core.control.whole_body import LegController
from core.rigid import wrap_angle
from core.t1.model import ARMS, DEFAULT_JOINT_POS, LEGS
from core.tasks.scene import Scene
from core.types import CONTROL_PERIOD_S, JointTarget, WorldState

UPRIGHT = 0.6
"""Cosine of the tilt beyond which the robot counts as fallen."""


@runtime_checkable
class ArmDriver(Protocol):
    """What moves the arms while the legs are measured."""

    def reset(self, worlds: Tensor) -> Tensor:
        """New motions in some worlds; the arm positions (M, 14) at which they begin."""
        ...

    def targets(self, state: WorldState) -> Tensor:
        """Arm joint targets (N, 14) of the next control period."""
        ...

    def measure(self, state: WorldState, command: FootstepCommand) -> None:
        """Look at the state that the targets led to."""
        ...


class JointArms:
    """Arms between random collision-free poses, in joint space; measures nothing."""

    def __init__(self, motion: ArmMotion) -> None:
        self.motion = motion

    def reset(self, worlds: Tensor) -> Tensor:
        """Random poses."""
        self.motion.reset(worlds)
        return self.motion.target[worlds]

    def targets(self, state: WorldState) -> Tensor:
        """Joint positions on the way to the next pose."""
        return self.motion.update()

    def measure(self, state: WorldState, command: FootstepCommand) -> None:
        """Nothing to measure."""


@dataclass(frozen=True)
class WalkEvaluationConfig:
    """How walking is measured."""

    num_worlds: int = 100
    "robots side by side"
    episode_s: float = 20.0
    "each starts from standing, with its own load and arm motion"
    walking_s: float = 2000.0
    "simulated time with steps under way, all robots together; standing comes on top"
    payload_kg: float = 1.0
    "largest mass in each hand"
    kick_m_s: float = 0.0
    "velocity kicks, uniform +- per horizontal axis; 0 for none"
    kick_interval_s: float = 2.0
    seed: int = 20_000
    commands: WalkCommandConfig = field(default_factory=lambda: WalkCommandConfig(stand_share=0.2))
    arms: ArmMotionConfig = field(default_factory=ArmMotionConfig)

    def __post_init__(self) -> None:
        if self.num_worlds < 1 or self.walking_s <= 0 or self.episode_s <= 0:
            raise ValueError("num_worlds, walking_s and episode_s must be positive")


@dataclass(frozen=True)
class WalkReport:
    """Result of a walking evaluation. Distances in m, angles in rad."""

    simulated_s: float
    walking_s: float
    steps: int
    placement_median_m: float
    placement_p95_m: float
    placement_yaw_median_rad: float
    placement_yaw_p95_rad: float
    distance_ratio: float
    "way from start to end of a walk, along the commanded one / length of that; all walks from stand to stand together"
    turn_ratio: float
    "the same for the turn"
    falls: int
    falls_per_1000_s: float
    "per 1000 s of walking"
    falls_interval: tuple[float, float]
    "95 % Poisson interval of falls_per_1000_s"


def poisson_interval(events: int, exposure: float, confidence: float = 0.95) -> tuple[float, float]:
    """Exact interval of a rate (Garwood, 1936): events per unit of exposure."""
    tail = 0.5 * (1.0 - confidence)
    low = 0.5 * float(chi2.ppf(tail, 2 * events)) if events > 0 else 0.0
    high = 0.5 * float(chi2.ppf(1.0 - tail, 2 * events + 2))
    return low / exposure, high / exposure


class DistanceMeter:
    """Compares where walks ended with where their commands led to.

    A walk lasts from the first command until the robot stands again, whatever commands came in between, so what is lost
    or gained when starting and stopping counts.
    """

    SHORTEST_M = 0.2
    """Walks that lead nowhere say nothing about distance."""

    def __init__(self, num_worlds: int) -> None:
        self.walking = torch.zeros(num_worlds, dtype=torch.bool)
        self.start_w = torch.zeros(num_worlds, 3)
        self.desired_w = torch.zeros(num_worlds, 3)
        self.turn = torch.zeros(num_worlds)
        "commanded turn of the walk, not wrapped"
        self.walks = 0
        self.commanded_m = 0.0
        self.walked_m = 0.0
        self.commanded_rad = 0.0
        self.turned_rad = 0.0

    def reset(self, worlds: Tensor) -> None:
        """Episodes begin in some worlds (M,): unfinished walks are dropped."""
        self.walking[worlds] = False

    def update(self, centre_w: Tensor, velocity: Tensor, stepping: Tensor) -> None:
        """One control period: where the feet's middle is (N, 3), the command (N, 3), steps under way (N,) bool."""
        commanded = (velocity != 0).any(dim=-1)
        begins = commanded & ~self.walking
        self.start_w = torch.where(begins[:, None], centre_w, self.start_w)
        self.desired_w = torch.where(begins[:, None], centre_w, self.desired_w)
        self.turn = torch.where(begins, 0.0, self.turn)
        ends = self.walking & ~commanded & ~stepping
        if bool(ends.any()):
            self._take(ends.nonzero().squeeze(-1), centre_w)
        self.walking = (self.walking | begins) & ~ends
        dt = torch.full_like(self.turn, CONTROL_PERIOD_S)
        self.desired_w = compose_planar(self.desired_w, planar_displacement(velocity, dt))
        self.turn = self.turn + velocity[:, 2] * CONTROL_PERIOD_S

    def _take(self, worlds: Tensor, centre_w: Tensor) -> None:
        start = self.start_w[worlds]
        wanted = relative_planar(start, self.desired_w[worlds])
        moved = relative_planar(start, centre_w[worlds])
        length = wanted[:, :2].norm(dim=-1)
        along = (moved[:, :2] * wanted[:, :2]).sum(-1) / length.clamp_min(1e-9)
        far = length > self.SHORTEST_M
        self.walks += len(worlds)
        self.commanded_m += float(length[far].sum())
        self.walked_m += float(along[far].sum())
        turn = self.turn[worlds]
        missing = wrap_angle(wanted[:, 2] - moved[:, 2])
        self.commanded_rad += float(turn.abs().sum())
        self.turned_rad += float((turn.abs() - missing * turn.sign()).sum())


@dataclass
class _Samples:
    position: list[Tensor] = field(default_factory=list)
    yaw: list[Tensor] = field(default_factory=list)
    walking_ticks: int = 0
    ticks: int = 0
    falls: int = 0


class WalkEvaluation:
    """Lets a controller walk and reports."""

    def __init__(self, config: WalkEvaluationConfig, num_threads: int = 1, arms: ArmDriver | None = None) -> None:
        """`arms` moves the arms; without it they move between random poses."""
        self.config = config
        n = config.num_worlds
        self.generator = torch.Generator().manual_seed(config.seed)
        self.scene = Scene("walking", contacts="locomotion")
        self.backend = MujocoBackend(self.scene, n, num_threads)
        self.planner = FootstepPlanner(n)
        self.commands = WalkCommands(n, config.commands, self.generator)
        self.arms = arms or self._joint_arms()
        self.meter = DistanceMeter(n)
        self._joints = torch.tensor(DEFAULT_JOINT_POS, dtype=torch.float32).repeat(n, 1)
        self._no_damping = torch.zeros(n, dtype=torch.bool)
        self._gripper = torch.zeros(n, 2)

    def _joint_arms(self) -> JointArms:
        c = self.config
        bank = collision_free_poses(c.arms.poses, c.seed)
        return JointArms(ArmMotion(c.num_worlds, bank, c.arms, self.generator))

    def run(self, controller: LegController) -> WalkReport:
        """Walk until `walking_s` is reached."""
        samples = _Samples()
        goal = self.config.walking_s / CONTROL_PERIOD_S
        episode = round(self.config.episode_s / CONTROL_PERIOD_S)
        with torch.no_grad():
            while samples.walking_ticks < goal:
                if samples.ticks % (episode * self.config.num_worlds) == 0:
                    self._start(torch.arange(self.config.num_worlds), controller)
                self._tick(controller, samples)
        return self._report(samples)

    def close(self) -> None:
        """Release the simulator."""
        self.backend.close()

    def _start(self, worlds: Tensor, controller: LegController) -> None:
        m = len(worlds)
        initial = default_initial_state(self.scene, m)
        initial.joint_pos[:, ARMS] = self.arms.reset(worlds)
        physics = Physics.nominal(m)
        physics.payload_kg = self.config.payload_kg * torch.rand(m, 2, generator=self.generator)
        self.backend.reset(worlds, initial, physics)
        state = self.backend.read_state()
        self.planner.reset(worlds, state)
        self.commands.reset(worlds, stand_first_s=0.5)
        controller.reset(worlds)
        self.meter.reset(worlds)

    def _tick(self, controller: LegController, samples: _Samples) -> None:
        state = self.backend.read_state()
        velocity = self.commands.update()
        command = self.planner.update(state, velocity)
        self.meter.update(middle(feet_planar(state)), velocity, command.swing != STAND)
        self._joints[:, LEGS] = controller.act(state, command)
        self._joints[:, ARMS] = self.arms.targets(state)
        if self.config.kick_m_s > 0:
            share = CONTROL_PERIOD_S / self.config.kick_interval_s
            kicked = (torch.rand(self.config.num_worlds, generator=self.generator) < share).nonzero().squeeze(-1)
            kick(self.backend, kicked, self.config.kick_m_s, self.generator)
        report = self.backend.step(JointTarget(self._joints, self._gripper, self._no_damping))
        self._measure(command, controller, samples, report.diverged)

    def _measure(
        self, command: FootstepCommand, controller: LegController, samples: _Samples, diverged: Tensor
    ) -> None:
        state = self.backend.read_state()
        down = fallen(state, UPRIGHT) | diverged
        self.arms.measure(state, command)
        touch_down = (command.swing != STAND) & (command.countdown_s < 1.5 * CONTROL_PERIOD_S) & ~down
        if bool(touch_down.any()):
            samples.position.append(placement_error(state, command)[touch_down])
            yaw = wrap_angle(swing_in_stance(state, command)[:, 3] - command.target_stance[:, 3])
            samples.yaw.append(yaw[touch_down].abs())
        samples.ticks += self.config.num_worlds
        samples.walking_ticks += int((command.swing != STAND).sum())
        samples.falls += int(down.sum())
        if bool(down.any()):
            self._start(down.nonzero().squeeze(-1), controller)

    def _report(self, samples: _Samples) -> WalkReport:
        nothing = torch.full((1,), math.nan)  # a robot that never got to the end of a step
        position = torch.cat(samples.position or [nothing])
        yaw = torch.cat(samples.yaw or [nothing])
        walking_s = samples.walking_ticks * CONTROL_PERIOD_S
        low, high = poisson_interval(samples.falls, walking_s / 1000.0)
        return WalkReport(
            simulated_s=samples.ticks * CONTROL_PERIOD_S,
            walking_s=walking_s,
            steps=sum(map(len, samples.position)),
            placement_median_m=float(position.median()),
            placement_p95_m=float(position.quantile(0.95)),
            placement_yaw_median_rad=float(yaw.median()),
            placement_yaw_p95_rad=float(yaw.quantile(0.95)),
            distance_ratio=_ratio(self.meter.walked_m, self.meter.commanded_m),
            turn_ratio=_ratio(self.meter.turned_rad, self.meter.commanded_rad),
            falls=samples.falls,
            falls_per_1000_s=samples.falls / walking_s * 1000.0,
            falls_interval=(low, high),
        )


def _ratio(value: float, reference: float) -> float:
    return value / reference if reference > 0 else math.nan
