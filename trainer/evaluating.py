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
from core.tasks.start_scale import start_share
from core.tasks.starts import StartRanges
from trainer.episode_meter import EpisodeResult
from trainer.evaluation import Evaluation, Evaluator
from trainer.jobs.evaluate_planner import Config
from trainer.policy_evaluation import tell_progress
from trainer.progress import EpisodeProgress
from trainer.runs import Run, write_atomically
from trainer.session.parts import load_controller, make_backend, safety_limits
from trainer.typed_json import to_json


def planner_config(config: Config) -> BoxPickupPlannerConfig:
    """Thresholds, speeds and style of the planner that is measured."""
    style = StyleRanges() if config.press_m is None else StyleRanges(press_m=(config.press_m, config.press_m))
    return BoxPickupPlannerConfig(speeds=SPEEDS[config.safety], style=style)


def evaluate_job(config: Config, run: Run, stop_requested: Callable[[], bool]) -> bool:
    """Run the episodes, print the result and write it. Returns whether all were run."""
    if config.output is not None:
        config.output.parent.mkdir(parents=True, exist_ok=True)  # a folder that cannot be made is told before the work
    results, wall_s = evaluate(config, run, stop_requested)
    if not results:
        return False  # stopped before the first episode ended
    text = report(config, results, wall_s) + "\n"
    write_atomically(run.path / "evaluation.json", text)
    if config.output is not None:
        write_atomically(config.output, text)
    print(text, end="")
    return len(results) == config.episodes


def evaluate(config: Config, run: Run, stop_requested: Callable[[], bool]) -> tuple[list[EpisodeResult], float]:
    """The results of all episodes (fewer when stopped), and the wall time in s."""
    torch.set_num_threads(1)  # the simulator's threads use the cores; the networks are small
    started_s = time.monotonic()
    task = BoxPickup(min(config.worlds, config.episodes), starts=StartRanges().scaled(start_share(config.start_scale)))
    planner = BoxPickupHeuristic(task, planner_config(config))
    controller = load_controller(config.controller, "mujoco", task.num_worlds)
    backend = make_backend("mujoco", task)
    evaluator = Evaluator(task, backend, controller, safety_limits(config.safety))
    seeds = range(config.seed, config.seed + config.episodes)
    try:
        with EpisodeProgress("episodes", config.episodes) as progress:
            results = evaluator.run(planner, seeds, stop_requested, lambda r: tell_progress(progress, run, r))
    finally:
        backend.close()
    return results, time.monotonic() - started_s


def report(config: Config, results: list[EpisodeResult], wall_s: float) -> str:
    """Config, summary and wall time as JSON."""
    return json.dumps(
        {"config": to_json(config), **asdict(Evaluation.of(results)), "wall_s": round(wall_s, 1)}, indent=2
    )
