"""The one evaluator, for heuristics and policies, inside training and outside: each seed is one episode to its end."""

import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from core.backends.base import Backend
from core.control.safety import SafetyFilter, SafetyLimits
from core.planners.base import Source
from core.rigid import quat_inv, quat_mul, quat_to_rotvec
from core.rollout import CommandSent, Controller, EpisodeEnd, Observer, Rollout
from core.statistics import Proportion, wilson_interval
from core.tasks.base import Task
from core.tasks.terms import points_in_base, rotations_in_base
from core.types import CONTROL_PERIOD_S, CONTROL_STEPS_PER_COMMAND, Command, WorldState


@dataclass(frozen=True)
class EpisodeResult:
    """One episode."""

    seed: int
    success: bool
    reason: str
    duration_s: float
    stage: str
    "of the source at the end, '' for a source without stages"
    hand_position_error_m: float
    "mean distance of both hands from where the last command wanted them, base frame"
    hand_orientation_error_rad: float
    "mean angle between both hands and what the last command wanted"
    hand_speed_m_s: float
    "mean speed of both hands in the world"
    hand_jerk_m_s3: float
    "root mean square jerk of both hands in the world, at 50 Hz"
    attempts: int = 0
    "that the source began (squeezes of the heuristic), 0 for a source that does not count"


@dataclass(frozen=True)
class Evaluation:
    """What the episodes add up to."""

    success_rate: float
    ci95: tuple[float, float]
    "Wilson interval"
    episodes: int
    successes: int
    task_time_s: float | None
    "median over successes; None without one"
    task_time_quartiles_s: tuple[float, ...]
    "minimum, quartiles, maximum over successes"
    hand_position_error_m: float
    "mean over episodes"
    hand_orientation_error_rad: float
    hand_speed_m_s: float
    hand_jerk_m_s3: float
    attempts: dict[int, int]
    "attempts begun -> episodes"
    failures: dict[str, int]
    "reason, with the stage of a source that has stages -> episodes"
    failed_seeds: tuple[int, ...]

    @classmethod
    def of(cls, results: Sequence[EpisodeResult]) -> "Evaluation":
        """Summary. Raises ValueError without episodes."""
        if not results:
            raise ValueError("no episode was finished: nothing to sum up")
        times = [r.duration_s for r in results if r.success]
        interval = wilson_interval(len(times), len(results))
        reasons = Counter(r.reason + (f" ({r.stage})" if r.stage else "") for r in results if not r.success)
        return cls(
            success_rate=interval.rate,
            ci95=(interval.low, interval.high),
            episodes=len(results),
            successes=len(times),
            task_time_s=statistics.median(times) if times else None,
            task_time_quartiles_s=five_numbers(times),
            hand_position_error_m=statistics.fmean(r.hand_position_error_m for r in results),
            hand_orientation_error_rad=statistics.fmean(r.hand_orientation_error_rad for r in results),
            hand_speed_m_s=statistics.fmean(r.hand_speed_m_s for r in results),
            hand_jerk_m_s3=statistics.fmean(r.hand_jerk_m_s3 for r in results),
            attempts=dict(sorted(Counter(r.attempts for r in results).items())),
            failures=dict(reasons.most_common()),
            failed_seeds=tuple(sorted(r.seed for r in results if not r.success)),
        )

    @property
    def success(self) -> Proportion:
        """The success rate with its interval."""
        return wilson_interval(self.successes, self.episodes)


def five_numbers(values: Sequence[float]) -> tuple[float, ...]:
    """Minimum, quartiles, maximum; empty without values."""
    if len(values) < 2:
        return tuple(values) * 5
    return (min(values), *statistics.quantiles(values, n=4, method="inclusive"), max(values))


@dataclass
class Evaluator:
    """A task, a backend and controllers that are built once and can run several evaluations."""

    task: Task
    backend: Backend
    controller: Controller
    limits: SafetyLimits = field(default_factory=SafetyLimits)

    def run(
        self,
        source: Source,
        seeds: Sequence[int],
        stop_requested: Callable[[], bool] = lambda: False,
        finished: Callable[[list[EpisodeResult]], Any] = lambda results: None,
    ) -> list[EpisodeResult]:
        """Every seed once, in worlds that are refilled as they finish; in the order of the seeds.

        Slow episodes count as much as fast ones, because every episode that begins is run to its end. `finished` is
        told the results so far now and then. After a stop, only episodes that ended are returned.
        """
        if len(set(seeds)) != len(seeds):
            raise ValueError("a seed must not come twice: its episodes would be counted twice")
        queue = iter(seeds)
        meter = Meter(source, self.task.num_worlds)
        safety = SafetyFilter(self.limits)
        rollout = Rollout(self.task, self.backend, source, safety, self.controller, lambda: next(queue, None), (meter,))
        rollout.begin()
        reported = 0
        while len(meter.results) < len(seeds) and not stop_requested():
            rollout.step()
            meter.tick(rollout)
            if len(meter.results) > reported or rollout.ticks % 50 == 0:
                reported = len(meter.results)
                finished(meter.results)
        order = {seed: i for i, seed in enumerate(seeds)}
        return sorted(meter.results, key=lambda result: order[result.seed])


class Meter(Observer):
    """Measures the hands of running episodes and notes how each episode ended."""

    def __init__(self, source: Source, num_worlds: int) -> None:
        self.results: list[EpisodeResult] = []
        self._source = source
        self._sent: Command | None = None
        self._sums = torch.zeros(num_worlds, 5)
        "position error, orientation error, commands; speed, squared jerk"
        self._ticks = torch.zeros(num_worlds, 2)
        "samples of speed and of jerk"
        self._trail = torch.zeros(4, num_worlds, 2, 3)
        "hand positions of the last four control periods"
        self._age = torch.zeros(num_worlds, dtype=torch.long)
        "control periods since the episode began"
        self._episode = [-1] * num_worlds

    def command_sent(self, record: CommandSent) -> None:
        """Keep what was asked for; the state that follows is compared with it when the next command is due."""
        self._sent = record.sent.clone()

    def tick(self, rollout: Rollout) -> None:
        """After each control period."""
        for world, episode in enumerate(rollout.episode_index):
            if episode != self._episode[world]:
                self._episode[world] = episode
                self._age[world] = 0
        self._follow(rollout.state, rollout.active)
        if rollout.ticks % CONTROL_STEPS_PER_COMMAND == 0:
            self._compare(rollout.state, rollout.active)

    def _follow(self, state: WorldState, active: Tensor) -> None:
        self._trail = torch.cat((self._trail[1:], state.hand_pos_w[None]))
        self._age += 1
        step = self._trail.diff(dim=0) / CONTROL_PERIOD_S  # (3, N, 2, 3)
        speed = step[-1].norm(dim=-1).mean(dim=-1)
        jerk = (step.diff(n=2, dim=0)[0] / CONTROL_PERIOD_S**2).square().sum(dim=-1).mean(dim=-1)
        moving, jerking = active & (self._age >= 2), active & (self._age >= 4)
        self._sums[:, 3] += torch.where(moving, speed, 0.0)
        self._sums[:, 4] += torch.where(jerking, jerk, 0.0)
        self._ticks += torch.stack((moving, jerking), dim=-1)

    def _compare(self, state: WorldState, active: Tensor) -> None:
        """Hands against the command that has been followed for its whole period."""
        assert self._sent is not None
        command = self._sent
        position = (points_in_base(state, state.hand_pos_w) - command.hand_pos_b).norm(dim=-1).mean(dim=-1)
        turn = quat_mul(quat_inv(rotations_in_base(state, state.hand_quat_w)), command.hand_quat_b)
        angle = quat_to_rotvec(turn).norm(dim=-1).mean(dim=-1)
        one = torch.ones_like(angle)
        self._sums[:, :3] += torch.where(active[:, None], torch.stack((position, angle, one), dim=-1), 0.0)

    def episode_ended(self, end: EpisodeEnd) -> None:
        """Close the books of a world."""
        w = end.world
        commands, ticks = self._sums[w, 2].clamp_min(1.0), self._ticks[w].clamp_min(1.0)
        self.results.append(
            EpisodeResult(
                seed=end.seed,
                success=end.success,
                reason=end.reason,
                duration_s=end.duration_s,
                stage=_stage(self._source, w),
                hand_position_error_m=float(self._sums[w, 0] / commands),
                hand_orientation_error_rad=float(self._sums[w, 1] / commands),
                hand_speed_m_s=float(self._sums[w, 3] / ticks[0]),
                hand_jerk_m_s3=float((self._sums[w, 4] / ticks[1]).sqrt()),
                attempts=_attempts(self._source, w),
            )
        )
        self._sums[w], self._ticks[w] = 0.0, 0.0


def _stage(source: Source, world: int) -> str:
    """Name of the stage that a staged source is in."""
    names, stage = getattr(source, "stage_names", None), getattr(source, "stage", None)
    return names[int(stage[world])] if names is not None and stage is not None else ""


def _attempts(source: Source, world: int) -> int:
    """Attempts that a counting source has begun."""
    attempts = getattr(source, "attempts", None)
    return 0 if attempts is None else int(attempts[world])
