"""The one evaluator, for heuristics and policies, inside training and outside: each seed is one episode to its end."""

import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.backends.base import Backend
from core.control.safety import SafetyFilter, SafetyLimits
from core.planners.base import Source
from core.rollout import Controller, Observer, Rollout
from core.statistics import Proportion, wilson_interval
from core.tasks.base import Task
from trainer.compute import evaluation_arithmetic
from trainer.episode_meter import EpisodeResult, Meter
from trainer.failures import FAILURES


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
    "fell, missed, dropped, time -> episodes; also simulation, when it diverged"
    failure_details: dict[str, int]
    "the task's reason, with the stage of a source that has stages -> episodes"
    failed_seeds: tuple[int, ...]

    @classmethod
    def of(cls, results: Sequence[EpisodeResult]) -> "Evaluation":
        """Summary. Raises ValueError without episodes."""
        if not results:
            raise ValueError("no episode was finished: nothing to sum up")
        times = [r.duration_s for r in results if r.success]
        interval = wilson_interval(len(times), len(results))
        failed = [r for r in results if not r.success]
        reasons = Counter(r.reason + (f" ({r.stage})" if r.stage else "") for r in failed)
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
            failures={**dict.fromkeys(FAILURES, 0), **Counter(r.failure for r in failed)},
            failure_details=dict(reasons.most_common()),
            failed_seeds=tuple(sorted(r.seed for r in failed)),
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

    def begin(self, source: Source, seeds: Sequence[int], observers: Sequence[Observer] = ()) -> "EvaluationRun":
        """An evaluation that is taken step by step."""
        return EvaluationRun(self, source, seeds, observers)

    def run(
        self,
        source: Source,
        seeds: Sequence[int],
        stop_requested: Callable[[], bool] = lambda: False,
        finished: Callable[[list[EpisodeResult]], Any] = lambda results: None,
    ) -> list[EpisodeResult]:
        """Every seed once, in worlds that are refilled as they finish; in the order of the seeds.

        `finished` is told the results so far now and then. After a stop, the results of the first seeds are returned.
        """
        run = self.begin(source, seeds)
        reported = 0
        while not run.complete and not stop_requested():
            run.step()
            if len(run.results) > reported or run.ticks % 50 == 0:
                reported = len(run.results)
                finished(run.results)
        return run.prefix()


class EvaluationRun:
    """Every seed once; slow episodes count as much as fast ones, because every episode that begins is run to its end.

    Episodes begin in the order of the seeds, in worlds that are refilled as they finish.
    """

    def __init__(
        self, evaluator: Evaluator, source: Source, seeds: Sequence[int], observers: Sequence[Observer] = ()
    ) -> None:
        """Raises ValueError when a seed comes twice."""
        if len(set(seeds)) != len(seeds):
            raise ValueError("a seed must not come twice: its episodes would be counted twice")
        self.seeds = list(seeds)
        task, queue = evaluator.task, iter(self.seeds)
        self._meter = Meter(source, task.num_worlds)
        self._rollout = Rollout(
            task,
            evaluator.backend,
            source,
            SafetyFilter(evaluator.limits),
            evaluator.controller,
            lambda: next(queue, None),
            (self._meter, *observers),
        )
        with evaluation_arithmetic():
            self._rollout.begin()

    @property
    def results(self) -> list[EpisodeResult]:
        """Episodes that ended, in the order in which they did: the fast ones first."""
        return self._meter.results

    @property
    def ticks(self) -> int:
        """Control periods so far."""
        return self._rollout.ticks

    @property
    def complete(self) -> bool:
        """Whether every seed was run to its end."""
        return len(self.results) == len(self.seeds)

    def step(self) -> None:
        """One control period."""
        with evaluation_arithmetic():
            self._rollout.step()
            self._meter.tick(self._rollout)

    def prefix(self) -> list[EpisodeResult]:
        """The results of the first seeds, in their order, as far as all of them have ended.

        What may be looked at before the end: among all that ended so far, fast episodes are too frequent.
        """
        ended = {result.seed: result for result in self.results}
        first: list[EpisodeResult] = []
        for seed in self.seeds:
            if seed not in ended:
                break
            first.append(ended[seed])
        return first
