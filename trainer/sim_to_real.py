"""Runs the episodes of `refine-dp sim-to-real`: a session on one side, the simulated robot on the other."""

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

import numpy as np
import torch

from core.control.stop import StopLevel
from core.rigid import quat_rotate_inv, yaw_of
from core.statistics import wilson_interval
from core.tasks.box_pickup_scene import BOX
from core.types import WorldState
from trainer.headless import Narrator
from trainer.jobs.sim_to_real import Config
from trainer.jobs.t1_sim import Config as SimConfig
from trainer.jobs.t1_sim import MocapSim, draw_start
from trainer.session.evidence import GuardedRobot
from trainer.session.live import LiveSession
from trainer.session.messages import Configure, Control, EpisodeFinished, Stop, WorkerEvent
from trainer.t1_sim_process import SimProcess

LOOK_EVERY = 25
"""Control periods between two looks at the truth."""
SETTLE_TICKS = 150
"""At rest before Start: motion capture is judged by its last two seconds, and putting the robot down took some."""
MAX_SETTLE_TICKS = 1500
"""At most: a planner that is being loaded keeps a busy computer from sending frames."""
LIFTED_M = 0.05
"""A box that is this much above where it lay, with the robot on its feet, was really picked up."""


@dataclass
class Errors:
    """What the session believed against what was true, at rest and walking alike."""

    base_m: list[float] = field(default_factory=list)
    base_yaw_rad: list[float] = field(default_factory=list)
    base_velocity_m_s: list[float] = field(default_factory=list)
    box_b_m: list[float] = field(default_factory=list)
    "of the box in the base frame: what planners see"

    def summary(self) -> dict[str, float]:
        """Root mean squares."""
        return {name: math.sqrt(float(np.mean(np.square(values)))) for name, values in vars(self).items() if values}


@dataclass
class Outcome:
    """One episode."""

    seed: int
    seen: bool
    "success as the session judged it"
    true: bool
    "the box was really up when the episode ended"
    reason: str
    duration_s: float
    errors: dict[str, float]


class Proxy:
    """One simulated robot and one session that drives it."""

    def __init__(self, config: Config, write: Callable[[str], None]) -> None:
        """Starts both. Raises RuntimeError when the robot does not start."""
        self.config = config
        self.outcomes: list[Outcome] = []
        self.errors = Errors()
        "of the episode that runs"
        self._narrator = Narrator(write)
        self._ended: EpisodeFinished | None = None
        mocap = MocapSim() if config.mocap == "assumed" else MocapSim(port=0, preset=config.mocap)
        task: str = config.task
        self.sim = SimProcess(
            SimConfig(task=task, seed=config.seed, gantry=config.gantry, mocap=mocap)  # type: ignore[arg-type]  # checked
        )
        self.session = LiveSession(self._hear)
        self.session.receive(
            Configure(
                task=config.task,
                source=config.source,
                checkpoint=str(config.checkpoint) if config.checkpoint is not None else None,
                backend=config.backend,
                robot=f"127.0.0.1:{self.sim.domain}",
                mocap=f"natnet:127.0.0.1:{self.sim.mocap_port}" if self.sim.mocap_port else "",
                seed=config.seed,
            )
        )
        self.session.tick()

    @property
    def broken(self) -> bool:
        """Whether the session told an error."""
        return self._narrator.broken

    def run(self, stopped: Callable[[], bool]) -> None:
        """All episodes, one after the other."""
        while len(self.outcomes) < self.config.episodes and not self.broken and not stopped():
            if self.outcomes:
                self._give_back()
            world = self.session.world
            if world is None:
                return  # it could not be set up, which was told
            seed = world.rollout.episode_seed[0]
            self.sim.ask(f"place {seed}")
            self._settle(world.robot)
            self._run_one(seed, stopped)

    def _settle(self, robot: object) -> None:
        """At rest until motion capture sees well; as people do, not for ever: Start then says what is wrong."""
        look = robot.mocap_check if isinstance(robot, GuardedRobot) else None
        for tick in range(MAX_SETTLE_TICKS):
            self.session.tick()
            if tick >= SETTLE_TICKS and (look is None or look().ok):
                return

    def _give_back(self) -> None:
        """As people do after an episode: the robot is given back, a stop is cleared, the next episode is drawn."""
        session = self.session
        if session.stop.level != StopLevel.NONE:
            session.receive(Stop("clear_stop"))
        session.receive(Control("reset"))
        for _ in range(5):  # what was obeyed at rest is told in a tick of its own
            session.tick()

    def close(self) -> None:
        """End both."""
        self.session.close()
        self.sim.close()

    def _hear(self, event: WorkerEvent) -> None:
        self._narrator.hear(event)
        if isinstance(event, EpisodeFinished):
            self._ended = event

    def _run_one(self, seed: int, stopped: Callable[[], bool]) -> None:
        session, self.errors = self.session, Errors()
        self._ended = None
        session.receive(Control("start"))
        ticks, caught = 0, False
        while self._ended is None and not self.broken and not stopped() and not caught:
            session.tick()
            self._narrator.see(session)
            ticks += 1
            if ticks % LOOK_EVERY == 0 and session.world is not None and session.state == "running":
                caught = self._look(session.world.rollout.state)
        if caught and session.world is not None:
            duration_s = float(session.world.rollout.state.time_s[0])
            self._note(seed, False, "robot fell into its harness", duration_s)
        elif self._ended is not None:
            self._note(seed, self._ended.success, self._ended.reason, self._ended.duration_s)

    def _look(self, state: WorldState) -> bool:
        """Compare with the truth; whether the robot would have fallen."""
        truth = self.sim.status()
        _compare(truth, state, self.errors)
        return bool(truth["caught"])

    def _note(self, seed: int, seen: bool, reason: str, duration_s: float) -> None:
        true = really_up(self.config.task, seed, self.sim.status())
        self.outcomes.append(Outcome(seed, seen, true, reason, duration_s, self.errors.summary()))


def really_up(task: str, seed: int, status: dict) -> bool:
    """Whether the simulated robot stands with the box lifted off its table."""
    initial = draw_start(task, seed).initial
    assert initial is not None
    rest_m = float(initial.objects[BOX].pos_w[0, 2])
    return not status["fallen"] and not status["caught"] and status["objects"][BOX][2] - rest_m > LIFTED_M


def _compare(truth: dict, state: WorldState, errors: Errors) -> None:
    """Add one look. The truth is a few milliseconds younger than the state."""
    base, quat = torch.tensor([truth["base_pos_w"]]), torch.tensor([truth["base_quat_w"]])
    box = torch.tensor([truth["objects"][BOX][:3]])
    errors.base_m.append(float((base - state.base_pos_w).norm()))
    errors.base_yaw_rad.append(math.remainder(float(yaw_of(quat) - yaw_of(state.base_quat_w)), math.tau))
    velocity = torch.tensor([truth["base_lin_vel_b"]])
    errors.base_velocity_m_s.append(float((velocity - state.base_lin_vel_b)[:, :2].norm()))
    believed = quat_rotate_inv(state.base_quat_w, state.objects[BOX].pos_w - state.base_pos_w)
    errors.box_b_m.append(float((believed - quat_rotate_inv(quat, box - base)).norm()))


def try_episodes(config: Config, stopped: Callable[[], bool]) -> int:
    """Run them and print the result. Returns 0 done, 1 broken, 130 stopped."""
    torch.set_num_threads(1)
    proxy = Proxy(config, lambda text: print(text, flush=True))
    try:
        proxy.run(stopped)
    finally:
        violations = proxy.sim.status()["violations"]
        proxy.close()
    for line in report(proxy.outcomes, violations):
        print(line)
    if config.out is not None:
        config.out.write_text(json.dumps([asdict(outcome) for outcome in proxy.outcomes], indent=1) + "\n")
    if proxy.broken:
        return 1
    return 130 if stopped() else 0


def report(outcomes: list[Outcome], violations: dict[str, int]) -> list[str]:
    """Lines for people."""
    trials = len(outcomes)
    lines = [
        f"success as seen   {wilson_interval(sum(one.seen for one in outcomes), trials)}",
        f"success in truth  {wilson_interval(sum(one.true for one in outcomes), trials)}",
    ]
    names = sorted({name for one in outcomes for name in one.errors})
    for name in names:
        values = [one.errors[name] for one in outcomes if name in one.errors]
        lines.append(f"error of {name:<18} {math.sqrt(float(np.mean(np.square(values)))):.3f} rms")
    times = [one.duration_s for one in outcomes if one.seen]
    if times:
        lines.append(f"time to success   {np.median(times):.0f} s in the middle")
    lines.append(f"breaches of the robot's protocol: {violations or 'none'}")
    return lines
