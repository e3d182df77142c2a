"""What an evaluation is built of: the stored planner as a source, task, simulator, and its result as text and JSON."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.planners.base import Source
from core.policy.checkpoint import PlannerCheckpoint, load_planner
from core.policy.chunks import ChunkPlayer
from core.policy.config import SamplerConfig
from core.policy.diffusion import DiffusionPlanner
from core.policy.layout import PlannerLayout
from core.policy.residual import ResidualPlanner
from core.tasks.base import Task
from core.tasks.catalogue import make_task
from core.tasks.starts import HasStarts, Widening
from trainer.compute import pick_device
from trainer.episode_meter import EpisodeResult
from trainer.evaluation import Evaluation, Evaluator
from trainer.jobs.evaluate import Config
from trainer.planner_files import planner_path
from trainer.progress import EpisodeProgress
from trainer.runs import Run, write_atomically
from trainer.session.parts import load_controller, make_backend, make_heuristic, safety_limits
from trainer.typed_json import to_json


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
        source = make_heuristic(task, config.safety, config.press_m)
        return source, {"source": source.name}
    path = planner_path(config.checkpoint)
    stored = load_planner(path, PlannerLayout.of_task(task))
    if config.sampler != "stored":
        steps = config.sampling_steps or SamplerConfig.steps
        _resample(stored, SamplerConfig(kind=config.sampler, steps=steps))
    executed_steps = config.executed_steps or stored.config.executed_steps
    player = ChunkPlayer(stored.planner.to(pick_device(config.device)), task, executed_steps)
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
    if isinstance(stored.planner, ResidualPlanner):
        raise ValueError(
            f"sampler {sampler.kind} cannot be used: a residual planner corrects what its stored sampler "
            f"({stored.config.sampler.kind}) makes, and learned on that alone; leave the sampler as stored"
        )
    if not isinstance(stored.planner, DiffusionPlanner):
        raise ValueError(
            f"sampler {sampler.kind} cannot be used: a deterministic planner ({stored.config.kind}) is not sampled; "
            "leave the sampler as stored"
        )
    stored.planner.use_sampler(replace(sampler, clip=stored.planner.sampler.clip))


def tell_progress(progress: EpisodeProgress, run: Run, results: Sequence[EpisodeResult]) -> None:
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
    if evaluation.successes < evaluation.episodes:
        lines.append("failures: " + ", ".join(f"{count} {name}" for name, count in evaluation.failures.items()))
    lines += [f"  {count:4d} x {reason}" for reason, count in evaluation.failure_details.items()]
    return "\n".join(lines)
