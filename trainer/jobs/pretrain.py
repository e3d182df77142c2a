"""Train a planner on recorded demonstrations. Ctrl-C stops cleanly; --resume RUN continues exactly where it stopped.

Writes planner.safetensors and planner.json (averaged weights) into the run folder.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

import tyro

from core.policy.config import DitConfig, LearnerConfig, PlannerConfig


@dataclass(frozen=True)
class Config:
    """What to learn from, what to learn, and how it is watched."""

    dataset: Path | None = None
    "data set (HDF5) with demonstrations of one task; needed unless a run is resumed"
    resume: Path | None = None
    "continue this run folder with its own config; all other options are ignored"
    episodes: int | None = None
    "learn from so many episodes of the data set, those with the smallest seeds; none: from all"
    teleoperated: int | None = None
    "so many of these episodes by a person (source vr or keyboard), the others by a planner; none: as they come"
    successes_only: bool = True
    "leave failed episodes out"
    validation_fraction: float = 0.1
    "share of the episodes that are only validated on"
    seed: int = 0
    "of weights, noise, order and split"
    planner: PlannerConfig = field(default_factory=PlannerConfig)
    learner: tyro.conf.OmitArgPrefixes[LearnerConfig] = field(default_factory=LearnerConfig)
    validate_every: int = 500
    "steps between two validation losses"
    evaluate_episodes: int = 64
    "episodes of a closed-loop evaluation in simulation; 0: none"
    evaluate_every: int = 0
    "steps between two closed-loop evaluations; 0: only one at the end"
    evaluate_seed: int = 90_000
    "seed of the first episode of every closed-loop evaluation"
    backend: Literal["mujoco", "fake"] = "mujoco"
    "simulator of the evaluations; fake has no physics and serves tests"
    device: str = "auto"
    "cpu, cuda, or auto: cuda where there is one"
    threads: int = 0
    "threads of the network on a CPU, 0: as many as torch likes"
    runs: Path = Path("runs")
    "folder in which the run folder is made"
    VERSION: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if self.episodes is not None and self.episodes < 1:
            raise ValueError(f"episodes must be at least 1, got {self.episodes}")
        if self.teleoperated is not None and not 0 <= self.teleoperated <= (self.episodes or self.teleoperated):
            raise ValueError(f"teleoperated must be 0 to episodes, got {self.teleoperated} of {self.episodes}")
        if not 0.0 <= self.validation_fraction < 1.0:
            raise ValueError(f"validation_fraction must lie in [0, 1), got {self.validation_fraction}")
        if self.validate_every < 1:
            raise ValueError(f"validate_every must be at least 1, got {self.validate_every}")
        for name in ("seed", "evaluate_episodes", "evaluate_every", "evaluate_seed", "threads"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")


PRESETS: dict[str, Config] = {
    "quick": Config(episodes=50, planner=PlannerConfig(dit=DitConfig(width=128)), learner=LearnerConfig(steps=6000)),
    "paper": Config(
        episodes=1000,
        planner=PlannerConfig(dit=DitConfig(layers=6)),
        learner=LearnerConfig(steps=60_000, learning_rate=3e-4, warmup_steps=1000, ema_decay=0.9995),
        evaluate_episodes=100,
        evaluate_every=10_000,
    ),
    "mixed": Config(
        teleoperated=50, planner=PlannerConfig(dit=DitConfig(width=128)), learner=LearnerConfig(steps=6000)
    ),
}
PRESETS_HELP = {
    "quick": "50 demonstrations and a transformer of 1.6 M parameters, minutes on two cores",
    "paper": "1000 demonstrations and a larger transformer, hours",
    "mixed": "as quick, from 50 teleoperated demonstrations and every heuristic one of the data set",
}


def main(config: Config) -> int:
    """Train until done or stopped. Returns 0, or 130 when it was stopped before the end."""
    from trainer.job import open_run, resume_hint, work_in
    from trainer.pretraining import check_inputs, pretrain

    resumed = config.resume is not None
    run, config = open_run("pretrain", config, config.runs, config.seed, config.resume, check_inputs)
    return work_in(run, lambda stop: pretrain(config, run, stop, resumed), resume_hint("pretrain", run))
