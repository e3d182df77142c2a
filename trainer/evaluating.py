"""Episodes of a planner added up: the work of `refine-dp evaluate-planner`."""

import json
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import torch

from core.control.safety import SafetyFilter
from core.planners.base import SPEEDS
from core.planners.box_pickup import BoxPickupHeuristic, BoxPickupPlannerConfig
from core.planners.box_pickup_style import StyleRanges
from core.rollout import EpisodeEnd, Observer, Rollout
from core.statistics import wilson_interval
from core.tasks.box_pickup import BoxPickup
from core.tasks.starts import StartRanges
from trainer.jobs.evaluate_planner import Config
from trainer.progress import EpisodeProgress
from trainer.session.parts import load_controller, make_backend, safety_limits

REFRESH_TICKS = 10


@dataclass(frozen=True)
class EpisodeResult:
    """One episode."""

    seed: int
    success: bool
    reason: str
    duration_s: float
    attempts: int
    "squeezes that were begun"
    stage: str
    "of the planner at the end"


@dataclass(frozen=True)
class Evaluation:
    """What episodes add up to."""

    success_rate: float
    ci95: tuple[float, float]
    "Wilson interval"
    episodes: int
    successes: int
    task_time_s: tuple[float, ...]
    "minimum, quartiles, maximum over successful episodes"
    attempts: dict[int, int]
    "squeezes begun -> episodes"
    failures: dict[str, int]
    "reason (stage) -> episodes"
    failed_seeds: tuple[int, ...]

    @classmethod
    def of(cls, results: list[EpisodeResult]) -> "Evaluation":
        """The summary."""
        times = [r.duration_s for r in results if r.success]
        interval = wilson_interval(len(times), len(results))
        return cls(
            success_rate=interval.rate,
            ci95=(interval.low, interval.high),
            episodes=len(results),
            successes=len(times),
            task_time_s=five_numbers(times),
            attempts=dict(sorted(Counter(r.attempts for r in results).items())),
            failures=dict(Counter(f"{r.reason} ({r.stage})" for r in results if not r.success).most_common()),
            failed_seeds=tuple(sorted(r.seed for r in results if not r.success)),
        )


def five_numbers(values: list[float]) -> tuple[float, ...]:
    """Minimum, quartiles, maximum; empty without values."""
    if len(values) < 2:
        return tuple(values) * 5
    return (min(values), *statistics.quantiles(values, n=4, method="inclusive"), max(values))


class Results(Observer):
    """Keeps the result of each episode."""

    def __init__(self, planner: BoxPickupHeuristic) -> None:
        self.episodes: list[EpisodeResult] = []
        self._planner = planner

    def episode_ended(self, end: EpisodeEnd) -> None:
        """An episode is decided."""
        stage = self._planner.stage_names[int(self._planner.stage[end.world])]
        attempts = int(self._planner.attempts[end.world])
        self.episodes.append(EpisodeResult(end.seed, end.success, end.reason, end.duration_s, attempts, stage))

    @property
    def successes(self) -> int:
        """Successful episodes so far."""
        return sum(result.success for result in self.episodes)


def planner_config(config: Config) -> BoxPickupPlannerConfig:
    """Thresholds, speeds and style of the planner that is measured."""
    style = StyleRanges() if config.press_m is None else StyleRanges(press_m=(config.press_m, config.press_m))
    return BoxPickupPlannerConfig(speeds=SPEEDS[config.safety], style=style)


def evaluate(config: Config, stop_requested: Callable[[], bool]) -> tuple[list[EpisodeResult], float]:
    """The results of all episodes (fewer when stopped), and the wall time in s."""
    torch.set_num_threads(1)  # the simulator's threads use the cores; the networks are small
    started_s = time.monotonic()
    task = BoxPickup(min(config.worlds, config.episodes), starts=StartRanges().scaled(config.start_fraction))
    planner = BoxPickupHeuristic(task, planner_config(config))
    controller = load_controller(config.controller, "mujoco", task.num_worlds)
    seeds: Iterator[int] = iter(range(config.seed, config.seed + config.episodes))
    results = Results(planner)
    backend = make_backend("mujoco", task)
    safety = SafetyFilter(safety_limits(config.safety))
    rollout = Rollout(task, backend, planner, safety, controller, lambda: next(seeds, None), [results])
    try:
        with EpisodeProgress("episodes", config.episodes) as progress:
            rollout.begin()
            while len(results.episodes) < config.episodes and not stop_requested():
                rollout.step()
                if rollout.ticks % REFRESH_TICKS == 0:
                    progress.update(len(results.episodes), len(results.episodes), results.successes)
    finally:
        backend.close()
    return results.episodes, time.monotonic() - started_s


def report(config: Config, results: list[EpisodeResult], wall_s: float) -> str:
    """Config, summary and wall time as JSON."""
    settings = {name: str(value) if name == "output" else value for name, value in asdict(config).items()}
    return json.dumps({"config": settings, **asdict(Evaluation.of(results)), "wall_s": round(wall_s, 1)}, indent=2)
