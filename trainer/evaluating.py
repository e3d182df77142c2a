"""The heuristic under the one evaluator: the work of `refine-dp evaluate-planner`."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict

import torch

from core.planners.base import SPEEDS
from core.planners.box_pickup import BoxPickupHeuristic, BoxPickupPlannerConfig
from core.planners.box_pickup_style import StyleRanges
from core.tasks.box_pickup import BoxPickup
from core.tasks.starts import StartRanges
from trainer.evaluation import EpisodeResult, Evaluation, Evaluator
from trainer.jobs.evaluate_planner import Config
from trainer.progress import EpisodeProgress
from trainer.session.parts import load_controller, make_backend, safety_limits


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
    backend = make_backend("mujoco", task)
    evaluator = Evaluator(task, backend, controller, safety_limits(config.safety))
    seeds = range(config.seed, config.seed + config.episodes)
    try:
        with EpisodeProgress("episodes", config.episodes) as progress:
            results = evaluator.run(planner, seeds, stop_requested, lambda r: _tell(progress, r))
    finally:
        backend.close()
    return results, time.monotonic() - started_s


def _tell(progress: EpisodeProgress, results: list[EpisodeResult]) -> None:
    progress.update(len(results), len(results), sum(result.success for result in results))


def report(config: Config, results: list[EpisodeResult], wall_s: float) -> str:
    """Config, summary and wall time as JSON."""
    settings = {name: str(value) if name == "output" else value for name, value in asdict(config).items()}
    return json.dumps({"config": settings, **asdict(Evaluation.of(results)), "wall_s": round(wall_s, 1)}, indent=2)
