"""The job of `refine-dp evaluate`: what is measured, progress, and the report as JSON."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from core.planners.base import Source
from core.policy.checkpoint import PlannerCheckpoint, load_planner
from core.policy.chunks import ChunkPlayer
from core.policy.config import SamplerConfig
from core.policy.diffusion import DiffusionPlanner
from core.policy.layout import PlannerLayout
from core.tasks.base import Task
from core.tasks.catalogue import make_task
from core.tasks.start_scale import start_share
from core.tasks.starts import HasStarts, Widening
from trainer.evaluation import EpisodeResult, Evaluation, Evaluator
from trainer.jobs.evaluate import Config
from trainer.progress import EpisodeProgress
from trainer.runs import Run, write_atomically
from trainer.session.parts import load_controller, make_backend, make_heuristic, safety_limits
from trainer.typed_json import to_json

PLANNER_FILE = "planner.safetensors"


def planner_path(path: Path) -> Path:
    """The planner's file, given the file or the run folder that holds it."""
    return path / PLANNER_FILE if path.is_dir() else path


def build_task(name: str, worlds: int, share: float = 0.0) -> Task:
    """A task, its starts widened by a share of the way. Raises ValueError for one whose starts cannot be widened."""
    task = make_task(name, worlds)
    if share > 0.0:
        Widening(task).set(share)
    return task


def describe_starts(task: Task, scale: str) -> dict[str, Any]:
    """For a report: how wide the starts are, empty for a task without start ranges."""
    return {"start_scale": scale, "starts": to_json(task.starts)} if isinstance(task, HasStarts) else {}


def build_evaluator(
    task: Task, backend: str = "mujoco", controller: str = "learned", safety: str = "simulation"
) -> Evaluator:
    """Backend and controllers for a task. Close `evaluator.backend` afterwards."""
    return Evaluator(
        task, make_backend(backend, task), load_controller(controller, backend, task.num_worlds), safety_limits(safety)
    )


def load_source(config: Config, task: Task) -> tuple[Source, dict[str, Any]]:
    """The planner of the config as a source, and what is to be said about it in the report."""
    if config.checkpoint is None:
        source = make_heuristic(task, config.safety)
        return source, {"source": source.name}
    path = planner_path(config.checkpoint)
    stored = load_planner(path, PlannerLayout.of_task(task))
    if config.sampler != "stored":
        _resample(stored, SamplerConfig(kind=config.sampler, steps=config.sampling_steps))
    executed_steps = config.executed_steps or stored.config.executed_steps
    player = ChunkPlayer(stored.planner.to(config.device), task, executed_steps)
    facts = {
        "source": player.name,
        "checkpoint": str(path),
        "planner": to_json(stored.config),
        "tuned_steps": stored.tuned_steps,
        "executed_steps": executed_steps,
        "training": stored.training,
    }
    return player, facts


def _resample(stored: PlannerCheckpoint, sampler: SamplerConfig) -> None:
    if not isinstance(stored.planner, DiffusionPlanner):
        raise ValueError("a deterministic planner is not sampled: leave the sampler as stored")
    stored.planner.use_sampler(replace(sampler, clip=stored.planner.sampler.clip))


def evaluate_job(config: Config, run: Run, stop_requested: Callable[[], bool]) -> bool:
    """Run the episodes, print and write the result. Returns whether all were run."""
    torch.set_num_threads(1)  # the simulator's threads use the cores; the networks are small
    task = build_task(config.task, min(config.worlds, config.episodes), start_share(config.start_scale))
    source, facts = load_source(config, task)
    evaluator = build_evaluator(task, config.backend, config.controller, config.safety)
    seeds = range(config.seed, config.seed + config.episodes)
    started_s = time.monotonic()
    try:
        with EpisodeProgress(f"evaluate {facts['source']}", config.episodes) as progress:
            results = evaluator.run(source, seeds, stop_requested, lambda r: tell_progress(progress, run, r))
    finally:
        evaluator.backend.close()
    if not results:
        return False  # stopped before the first episode ended
    evaluation = Evaluation.of(results)
    report = {
        **asdict(evaluation),
        "requested_episodes": config.episodes,
        "first_seed": config.seed,
        "wall_s": time.monotonic() - started_s,
        **facts,
        **describe_starts(task, config.start_scale),
        "config": to_json(config),
        "results": [asdict(result) for result in results],
    }
    write_report(run.path / "evaluation.json", report)
    if config.json is not None:
        config.json.parent.mkdir(parents=True, exist_ok=True)
        write_report(config.json, report)
    run.event("evaluation", **{key: value for key, value in asdict(evaluation).items() if key != "failed_seeds"})
    print(describe(evaluation))
    return len(results) == config.episodes


def tell_progress(progress: EpisodeProgress, run: Run, results: list[EpisodeResult]) -> None:
    """Results so far, on the bar and in the run folder."""
    successes = sum(result.success for result in results)
    changed = len(results) != progress.done
    progress.update(len(results), len(results), successes)
    if changed:
        run.event("progress", done=len(results), total=progress.total, text=progress.text)
    run.heartbeat()


def write_report(path: Path, report: dict[str, Any]) -> None:
    """As strict JSON. Raises ValueError for a value that is not finite."""
    write_atomically(path, json.dumps(to_json(report), indent=2, allow_nan=False) + "\n")


def describe(evaluation: Evaluation) -> str:
    """A few lines for the terminal."""
    lines = [f"success {evaluation.success}"]
    if evaluation.successes:
        low, q1, median, q3, high = evaluation.task_time_quartiles_s
        lines.append(f"task time {median:.1f} s (quartiles {q1:.1f} to {q3:.1f}, {low:.1f} to {high:.1f})")
    lines.append(
        f"hands off their command by {1000 * evaluation.hand_position_error_m:.1f} mm and "
        f"{evaluation.hand_orientation_error_rad:.3f} rad, speed {evaluation.hand_speed_m_s:.3f} m/s, "
        f"jerk {evaluation.hand_jerk_m_s3:.1f} m/s³"
    )
    lines += [f"  {count:4d} x {reason}" for reason, count in evaluation.failures.items()]
    return "\n".join(lines)
