"""Train the upper or the lower body controller. Ctrl-C stops cleanly; --resume RUN continues exactly where it stopped.

Writes controller.safetensors and controller.json into the run folder, or into --out; for the lower body also
teacher.safetensors, which only serves evaluations.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from core.control.training.lower_config import LowerLearnerConfig
from core.control.training.motion_configs import DisturbanceConfig
from core.control.training.upper_config import EpisodeConfig, UpperEnvConfig, UpperLearnerConfig


@dataclass(frozen=True)
class TrainingOptions:
    """Options that both controllers share."""

    seed: int = 0
    "random seed: the same seed and number of steps give the same weights"
    max_minutes: float | None = None
    "stop after this many minutes; curricula then follow the clock where it is ahead of the steps"
    threads: int = 0
    "threads of the simulator, 0: all cores"
    torch_threads: int = 1
    "threads of the networks: more only helps on an idle machine with many cores"
    runs: Path = Path("runs")
    "where run folders are made"
    out: Path | None = None
    "folder for controller.safetensors; the run folder when not given"
    resume: Path | None = None
    "continue this run folder with its own config; the other options but out and max-minutes are ignored"

    def __post_init__(self) -> None:
        if self.max_minutes is not None and self.max_minutes <= 0:
            raise ValueError(f"max_minutes must be positive, got {self.max_minutes}")
        if self.threads < 0 or self.torch_threads < 1:
            raise ValueError(f"threads >= 0 and torch_threads >= 1, got {self.threads} and {self.torch_threads}")


UNPREFIXED = tyro.conf.arg(name="")
"""--seed instead of --options.seed."""


@dataclass(frozen=True)
class UpperJob:
    """Train pi_upper: hand poses to arm joint targets; `refine-dp train-controller --help` has the presets."""

    options: Annotated[TrainingOptions, UNPREFIXED] = field(default_factory=TrainingOptions)
    learner: Annotated[UpperLearnerConfig, UNPREFIXED] = field(default_factory=UpperLearnerConfig)

    VERSION = 1


@dataclass(frozen=True)
class LowerJob:
    """Train pi_lower: footsteps to leg joint targets; `refine-dp train-controller --help` has the presets."""

    options: Annotated[TrainingOptions, UNPREFIXED] = field(default_factory=TrainingOptions)
    learner: Annotated[LowerLearnerConfig, UNPREFIXED] = field(default_factory=LowerLearnerConfig)

    VERSION = 1


Config = Annotated[UpperJob, tyro.conf.subcommand("upper")] | Annotated[LowerJob, tyro.conf.subcommand("lower")]

LATE = UpperLearnerConfig(env=UpperEnvConfig(EpisodeConfig(disturbances=DisturbanceConfig(target_delay_s=(0.0, 0.04)))))
"""A robot's joints obey some milliseconds after they were measured; here up to 40."""

PART_PRESETS: dict[str, dict[str, UpperJob | LowerJob]] = {
    "upper": {
        "quick": UpperJob(learner=UpperLearnerConfig(steps=200_000)),
        "paper": UpperJob(),
        "robot": UpperJob(learner=LATE),
    },
    "lower": {
        "quick": LowerJob(learner=LowerLearnerConfig(teacher_steps=600_000, student_steps=300_000, tune_steps=300_000)),
        "paper": LowerJob(),
    },
}
PRESETS_HELP = {
    "quick": "minutes on two cores, to see it learn",
    "paper": "the whole training",
    "robot": "of upper: the whole training with targets that come late, as on a robot",
}


def main(config: UpperJob | LowerJob) -> int:
    """Train until done, stopped or out of time. Returns 0, or 130 after an interruption."""
    from trainer.controller_training import train_controller
    from trainer.job import open_run, resume_hint, work_in

    options, part = config.options, part_of(config)
    run, config = open_run(f"train-{part}", config, options.runs, options.seed, options.resume)
    hint = resume_hint(f"train-controller {part}", run)
    return work_in(run, lambda stop: train_controller(run, config, options, stop), hint)


def part_of(config: UpperJob | LowerJob) -> str:
    """Which part of the body: upper or lower."""
    return "upper" if isinstance(config, UpperJob) else "lower"
