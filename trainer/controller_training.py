"""The job of `refine-dp train-controller`: the loop around a learner, its checkpoints, the controller it makes."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from core.control import lower, upper
from core.control.training import lower_teacher
from core.control.training.lower_learner import LowerLearner
from core.control.training.upper_learner import UpperLearner
from core.rl.checkpoint import Layout, load_checkpoint, save_checkpoint
from core.rl.networks import Actor
from trainer.command_line import portable_command
from trainer.job import StopRequested
from trainer.jobs.train_controller import LowerJob, TrainingOptions, UpperJob, part_of
from trainer.progress import ShareProgress
from trainer.runs import Run, code_version
from trainer.typed_json import to_json

CHECKPOINT_PERIOD_S = 30.0


class Learner(Protocol):
    """A training that advances an iteration at a time."""

    @property
    def total_steps(self) -> int: ...
    @property
    def progress(self) -> float: ...
    @property
    def done(self) -> bool: ...
    @property
    def phase_name(self) -> str: ...
    def iterate(self, time_share: float = 0.0) -> dict[str, float]: ...
    def headline(self, scalars: dict[str, float]) -> str: ...
    def state_dict(self) -> dict[str, Tensor]: ...
    def load_state_dict(self, state: dict[str, Tensor]) -> None: ...
    def deployed(self) -> tuple[Actor, dict[str, Any]]: ...
    def close(self) -> None: ...


def train_controller(run: Run, config: UpperJob | LowerJob, options: TrainingOptions, stop: StopRequested) -> bool:
    """Train in a run folder; `options`: those of this call, which say when a resumed training ends and where it goes.

    Returns whether it was trained to its end.
    """
    torch.set_num_threads(config.options.torch_threads)
    learner = _learner(config)
    try:
        return _train(run, learner, config, options, stop)
    finally:
        learner.close()


def _learner(config: UpperJob | LowerJob) -> Learner:
    o = config.options
    if isinstance(config, UpperJob):
        return UpperLearner(config.learner, o.seed, o.threads)
    return LowerLearner(config.learner, o.seed, o.threads)


@dataclass
class Clock:
    """Wall and processor time spent on a training, over all its resumptions."""

    wall_s: float = 0.0
    cpu_s: float = 0.0
    now: Callable[[], float] = time.monotonic
    cpu: Callable[[], float] = time.process_time

    def __post_init__(self) -> None:
        self._wall_start, self._cpu_start = self.now() - self.wall_s, self.cpu() - self.cpu_s

    def read(self) -> tuple[float, float]:
        """Wall and processor seconds."""
        return self.now() - self._wall_start, self.cpu() - self._cpu_start


def _train(
    run: Run, learner: Learner, config: UpperJob | LowerJob, options: TrainingOptions, stop: StopRequested
) -> bool:
    state_path = run.checkpoints / "training.safetensors"
    clock = Clock()
    if options.resume is not None and state_path.is_file():  # else it was killed before the first checkpoint
        tensors, spent = load_checkpoint(state_path, _training_layout(config))
        learner.load_state_dict(tensors)
        clock = Clock(spent["wall_s"], spent["cpu_s"])
    budget_s = None if options.max_minutes is None else 60.0 * options.max_minutes
    saved_s = clock.read()[0]

    def save() -> None:
        wall_s, cpu_s = clock.read()
        spent = {"wall_s": wall_s, "cpu_s": cpu_s, "steps": learner.total_steps}
        save_checkpoint(state_path, learner.state_dict(), _training_layout(config), spent)

    before = learner.total_steps
    with ShareProgress(f"pi_{part_of(config)}", 1.0, learner.progress) as progress:
        while not learner.done and not stop():
            wall_s, _ = clock.read()
            share = 0.0 if budget_s is None else wall_s / budget_s
            scalars = learner.iterate(share)
            run.scalars(learner.total_steps, **{name.replace("/", "__"): value for name, value in scalars.items()})
            remark = f"{learner.phase_name}   {learner.headline(scalars)}"
            progress.update(learner.progress, learner.total_steps - before, remark)
            run.event("progress", done=round(100 * learner.progress, 1), total=100, text=progress.text)
            if wall_s - saved_s > CHECKPOINT_PERIOD_S:
                save()
                saved_s = wall_s
    save()
    path = _export(run, learner, config, options, clock)
    print(f"{path}: {learner.total_steps} steps in {clock.read()[0] / 60:.1f} min")
    return learner.done


def _training_layout(config: UpperJob | LowerJob) -> Layout:
    deployed = _deployed_layout(config)
    return Layout(f"{deployed.kind}_training", deployed.version, deployed.observation, deployed.action)


def _deployed_layout(config: UpperJob | LowerJob) -> Layout:
    return upper.LAYOUT if isinstance(config, UpperJob) else lower.LAYOUT


def _export(run: Run, learner: Learner, config: UpperJob | LowerJob, options: TrainingOptions, clock: Clock) -> Path:
    """controller.safetensors and .json: the deployed network and how it was made."""
    actor, metadata = learner.deployed()
    wall_s, cpu_s = clock.read()
    info = run.info()
    metadata |= {
        "seed": info.seed,
        "command": portable_command(info.command),
        "code": to_json(code_version()),
        "config": to_json(config.learner),
        "training": {
            "steps": learner.total_steps,
            "progress": learner.progress,
            "wall_minutes": wall_s / 60,
            "cpu_minutes": cpu_s / 60,
        },
    }
    path = (options.out or run.path) / "controller.safetensors"
    save_checkpoint(path, actor.state_dict(), _deployed_layout(config), metadata)
    if isinstance(learner, LowerLearner) and isinstance(config, LowerJob) and config.learner.method != "scratch":
        own = metadata | {"actor_hidden": list(config.learner.teacher.actor_hidden)}
        teacher = learner.teacher.actor.state_dict()
        save_checkpoint(path.with_name("teacher.safetensors"), teacher, lower_teacher.LAYOUT, own)
    return path
