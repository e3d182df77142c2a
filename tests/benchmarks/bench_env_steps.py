"""Environment steps per second of the backend with observations and a policy, against raw `mujoco.rollout`.

Both sides do the same physics bit for bit: the controls that the policy produced are recorded once and replayed by
`mujoco.rollout` from the same states with the same threads. Runs alternate; medians are reported.
"""

import os
import time
from dataclasses import dataclass

import mujoco
import numpy as np
import torch
from mujoco.rollout import Rollout
from torch import Tensor, nn

from core.backends.base import InitialState
from core.backends.initial import default_initial_state
from core.backends.mujoco import MujocoBackend
from core.rigid import quat_rotate_inv
from core.t1.model import DEFAULT_JOINT_POS, NUM_JOINTS
from core.tasks.box_pickup_scene import build_scene
from core.tasks.scene import Scene
from core.tasks.terms import positions_b, rotations_b
from core.types import JointTarget, WorldState

PHASES = ("step", "read", "observe", "policy")
WARM_UP_RUNS = 1


@dataclass(frozen=True)
class EnvStepsConfig:
    """What is measured."""

    worlds: tuple[int, ...] = (64, 128, 256, 512)
    "numbers of worlds"
    periods: int = 25
    "control periods in a run: 0.5 s, before an uncontrolled robot falls"
    repeats: int = 7
    "runs of each side"
    num_threads: int = 0
    "threads of both simulators; 0: every core"


@dataclass(frozen=True)
class EnvStepsResult:
    """Medians of one scene and number of worlds."""

    scene: str
    num_worlds: int
    loop_rate: float
    "env-steps/s with observation and policy"
    raw_rate: float
    "env-steps/s of mujoco.rollout"
    ratio: float
    "median of the ratios of neighbouring runs"
    cpu_ratio: float
    "the same in CPU time of the process: what is left when other programs disturb the run"
    best_ratio: float
    "of the fastest run of each side"
    phase_share: dict[str, float]
    "share of the loop's time"


class PolicyLoop:
    """A policy in the loop: the default pose plus small actions of a 256-128 network."""

    def __init__(self, scene: Scene, num_worlds: int, num_threads: int) -> None:
        self.backend = MujocoBackend(scene, num_worlds, num_threads)
        self.initial = _spread_start(scene, num_worlds)
        self.still = torch.zeros(num_worlds, dtype=torch.bool)
        self.opening = self.initial.gripper_opening
        self.default = torch.as_tensor(DEFAULT_JOINT_POS, dtype=torch.float32)
        self.action = torch.zeros(num_worlds, NUM_JOINTS)
        torch.manual_seed(0)
        size = self._observe(self.backend.read_state()).shape[1]
        self.policy = nn.Sequential(
            nn.Linear(size, 256), nn.ELU(), nn.Linear(256, 128), nn.ELU(), nn.Linear(128, NUM_JOINTS)
        )
        self.seconds = dict.fromkeys(PHASES, 0.0)

    def start(self) -> None:
        """Back to the initial states (not timed)."""
        self.backend.reset(torch.arange(len(self.still)), self.initial)
        self.action = torch.zeros_like(self.action)
        self.seconds = dict.fromkeys(PHASES, 0.0)

    @torch.inference_mode()
    def run(self, periods: int) -> None:
        """Some control periods."""
        observation = self._observe(self.backend.read_state())
        for _ in range(periods):
            t0 = time.perf_counter()
            self.action = self.policy(observation)
            target = JointTarget(torch.add(self.default, self.action, alpha=0.1), self.opening, self.still)
            t1 = time.perf_counter()
            self.backend.step(target)
            t2 = time.perf_counter()
            state = self.backend.read_state()
            t3 = time.perf_counter()
            observation = self._observe(state)
            t4 = time.perf_counter()
            for phase, seconds in zip(("policy", "step", "read", "observe"), (t1 - t0, t2 - t1, t3 - t2, t4 - t3)):
                self.seconds[phase] += seconds

    def _observe(self, state: WorldState) -> Tensor:
        """What a controller and a planner see: proprioception, hands, feet and objects in the base frame."""
        n = state.num_worlds
        down = torch.tensor([0.0, 0.0, -1.0]).expand(n, 3)
        bodies = list(state.objects.values())
        points = torch.cat((state.hand_pos_w, state.foot_pos_w, *(body.pos_w[:, None] for body in bodies)), dim=1)
        parts = [
            quat_rotate_inv(state.base_quat_w, down),
            state.base_lin_vel_b,
            state.base_ang_vel_b,
            state.joint_pos - self.default,
            0.1 * state.joint_vel,
            self.action,
            positions_b(state, points),
            0.01 * state.foot_force_w.flatten(1),
        ]
        if bodies:
            parts.append(rotations_b(state, torch.stack([body.quat_w for body in bodies], dim=1)))
        return torch.cat(parts, dim=-1)


class RawRollout:
    """`mujoco.rollout` of the same model, states, controls and threads."""

    def __init__(self, backend: MujocoBackend, states: np.ndarray, controls: np.ndarray) -> None:
        self.model = backend.model
        self.threads = backend.num_threads
        self.datas = [mujoco.MjData(self.model) for _ in range(self.threads)]
        self.pool = Rollout(nthread=self.threads)
        self.states = states
        self.controls = controls  # (N, T, nu), one row a physics step
        self.out = np.zeros((*controls.shape[:2], states.shape[1]))

    def run(self) -> None:
        """Every physics step of every world."""
        self.pool.rollout(self.model, self.datas, self.states, self.controls, state=self.out)

    def last_qpos(self) -> np.ndarray:
        """(N, nq) at the end."""
        return self.out[:, -1, 1 : 1 + self.model.nq]


def _spread_start(scene: Scene, count: int) -> InitialState:
    """Standing with a little noise, so that worlds differ."""
    initial = default_initial_state(scene, count)
    generator = torch.Generator().manual_seed(1)
    initial.joint_pos = initial.joint_pos + 0.02 * torch.randn(count, NUM_JOINTS, generator=generator)
    return initial


def record_raw(loop: PolicyLoop, periods: int) -> RawRollout:
    """Run the loop once and keep its controls. Raises AssertionError unless the replay has the same bits."""
    backend = loop.backend
    loop.start()
    states = backend.physics_states()
    controls = []
    for _ in range(periods):
        loop.run(1)
        controls.append(backend.controls())
    substeps = round(backend.describe().control_period_s / backend.describe().physics_timestep_s)
    raw = RawRollout(backend, states, np.repeat(np.stack(controls, axis=1), substeps, axis=1))
    raw.run()
    assert np.array_equal(raw.last_qpos(), backend.physics_states()[:, 1 : 1 + raw.model.nq])
    return raw


def _timed(run: object, *args: int) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    run(*args)  # type: ignore[operator]
    return time.perf_counter() - wall, time.process_time() - cpu


def measure(scene: Scene, num_worlds: int, config: EnvStepsConfig) -> EnvStepsResult:
    """Alternate both sides and take medians."""
    loop = PolicyLoop(scene, num_worlds, config.num_threads)
    raw = record_raw(loop, config.periods)
    pairs, shares = [], []
    for _ in range(WARM_UP_RUNS + config.repeats):
        loop.start()
        ours = _timed(loop.run, config.periods)
        theirs = _timed(raw.run)
        pairs.append((*ours, *theirs))
        shares.append([loop.seconds[phase] / ours[0] for phase in PHASES])
    loop.backend.close()
    times = np.array(pairs[WARM_UP_RUNS:])
    steps = num_worlds * config.periods
    return EnvStepsResult(
        scene=scene.name,
        num_worlds=num_worlds,
        loop_rate=steps / float(np.median(times[:, 0])),
        raw_rate=steps / float(np.median(times[:, 2])),
        ratio=float(np.median(times[:, 2] / times[:, 0])),
        cpu_ratio=float(np.median(times[:, 3] / times[:, 1])),
        best_ratio=float(times[:, 2].min() / times[:, 0].min()),
        phase_share=dict(zip(PHASES, np.median(shares[WARM_UP_RUNS:], axis=0).tolist(), strict=True)),
    )


def main(config: EnvStepsConfig) -> int:
    """Print the table."""
    torch.set_num_threads(1)
    print(f"mujoco {mujoco.__version__}, torch {torch.__version__}, {os.cpu_count()} cores")
    header = f"{'scene':12s} {'worlds':>6s} {'loop/s':>8s} {'raw/s':>8s} {'ratio':>6s} {'in CPU':>6s} {'best':>6s}   "
    print(header + "  ".join(f"{phase:>7s}" for phase in PHASES))
    for scene in (Scene("locomotion", contacts="locomotion"), build_scene()):
        for num_worlds in config.worlds:
            r = measure(scene, num_worlds, config)
            rates = f"{r.loop_rate:8.0f} {r.raw_rate:8.0f} {r.ratio:6.2f} {r.cpu_ratio:6.2f} {r.best_ratio:6.2f}   "
            print(
                f"{r.scene:12s} {r.num_worlds:6d} {rates}"
                + "  ".join(f"{100 * r.phase_share[phase]:6.1f}%" for phase in PHASES),
                flush=True,
            )
    return 0
