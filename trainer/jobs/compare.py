"""Compare the methods on one task: the same demonstrations, the same budget, the same seeds.

Trains what is missing, measures every planner, and writes a table (Markdown, CSV, JSON), a bar plot with intervals and
a page (HTML) into the run folder; each method is tested against DPPO pair by pair. Every training and every evaluation
is a run folder below it. Ctrl-C stops cleanly; --resume RUN goes on, and nothing that is done is done again.
--use NAME=PATH takes a planner that exists already (a file or a run folder) instead of training one.
--sweep demonstrations measures success before and after fine-tuning against the number of demonstrations
(--rows dit: only before, and whatever --use gives).
--sweep curriculum measures at starts far outside of the demonstrations: before, fine-tuned with and without curriculum.
--from-json FILE only writes tables and plots again.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from core.control.choices import ControllerName
from trainer.jobs.finetune import PRESETS as FINETUNE_PRESETS
from trainer.jobs.pretrain import PRESETS as PRETRAIN_PRESETS

RowName = Literal["dit", "mlp", "mlp-ft", "residual", "dppo", "scratch"]


@dataclass(frozen=True)
class Config:
    """What is compared, with which budget, and on which episodes."""

    dataset: Path | None = None
    "data set (HDF5) that every planner learns from; not needed when nothing has to be trained"
    resume: Path | None = None
    "continue this run folder with its own config; all other options are ignored"
    from_json: Path | None = None
    "comparison.json, or the run folder that holds it: write tables and plots again, run nothing"
    task: str = "box_pickup"
    "name of the task"
    rows: tuple[RowName, ...] = ("dit", "mlp", "mlp-ft", "residual", "dppo")
    "dit, mlp: pre-trained; mlp-ft, residual, dppo: tuned; scratch: dppo from random weights (B89); sweeps: dit, dppo"
    sweep: Literal["none", "demonstrations", "curriculum"] = "none"
    "demonstrations: pre-trained and fine-tuned for each of counts; curriculum: at the widest starts (dit, direct, led)"
    counts: tuple[int, ...] = (10, 20, 50, 100, 200, 1000)
    "numbers of demonstrations of the sweep, those with the smallest seeds"
    demonstrations: int = 50
    "so many demonstrations to learn from without a sweep, those with the smallest seeds"
    use: tuple[str, ...] = ()
    "NAME=PATH of planners that exist already; names are those of rows, in a sweep those of its table: dit-50, dppo-50"
    pretrain_preset: str = "quick"
    "preset of refine-dp pretrain that every pre-training follows"
    pretrain_steps: int | None = None
    "steps of every pre-training; none: as the preset says"
    finetune_preset: str = "paper"
    "preset of refine-dp finetune that every fine-tuning follows"
    iterations: int | None = None
    "iterations of every fine-tuning; none: as the preset says"
    finetune_worlds: int | None = None
    "episodes of an iteration; none: as the preset says"
    max_minutes: float | None = None
    "longest time of every fine-tuning; none: as the preset says"
    training_seed: int = 0
    "seed of every training"
    episodes: int = 500
    "episodes of every evaluation"
    seed: int = 100_000
    "seed of the first episode of every evaluation, the others follow"
    worlds: int = 64
    "episodes of an evaluation that are simulated at once"
    row_reports: bool = True
    "also write the HTML report of every row, with films: steps/evaluate-ROW/report.html in the run folder"
    report: Path | None = None
    "HTML file of the page; none: only the one in the run folder"
    json: Path | None = None
    "further file for the numbers, as assets/results/NAME.json for the documentation"
    backend: Literal["mujoco", "fake"] = "mujoco"
    "simulator; fake has no physics and serves tests"
    controller: ControllerName = "learned"
    "arms as trained, as trained for a robot (late targets), or by inverse kinematics"
    device: str = "auto"
    "of the networks while they learn: cpu, cuda, or auto: cuda where there is one"
    threads: int = 0
    "threads of the networks on a CPU while they learn, 0: as many as torch likes"
    runs: Path = Path("runs")
    "folder in which the run folder is made"
    VERSION: ClassVar[int] = 1

    def __post_init__(self) -> None:
        for name in ("demonstrations", "pretrain_steps", "iterations", "finetune_worlds", "episodes", "worlds"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        if self.max_minutes is not None and self.max_minutes <= 0:
            raise ValueError(f"max_minutes must be positive, got {self.max_minutes}")
        for name in ("training_seed", "seed", "threads"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        if not self.rows or len(set(self.rows)) < len(self.rows):
            raise ValueError(f"rows must name every method once, got {self.rows}")
        if not self.counts or min(self.counts) < 1 or len(set(self.counts)) < len(self.counts):
            raise ValueError(f"counts must be different positive numbers, got {self.counts}")
        for kind, preset, known in (
            ("pretrain", self.pretrain_preset, PRETRAIN_PRESETS),
            ("finetune", self.finetune_preset, FINETUNE_PRESETS),
        ):
            if preset not in known:
                raise ValueError(f"{kind}_preset {preset!r} does not exist; known: {', '.join(known)}")
        for entry in self.use:
            if not all(entry.partition("=")):
                raise ValueError(f"use {entry!r} must be NAME=PATH, as dppo=runs/20260101-120000-finetune")


PRESETS: dict[str, Config] = {
    "quick": Config(pretrain_steps=1500, finetune_preset="quick", iterations=4, episodes=100),
    "standard": Config(),
    "paper": Config(pretrain_preset="paper", episodes=1000),
}
PRESETS_HELP = {
    "quick": "short trainings and 100 episodes, to see it work",
    "standard": "50 demonstrations, 40 iterations, 500 episodes",
    "paper": "longer pre-training, 1000 episodes",
}


def main(config: Config) -> int:
    """Train, measure, write. Returns 0, or 130 when it was stopped before the end."""
    from trainer.comparison.outputs import rebuild
    from trainer.comparison.work import check_inputs, compare_job
    from trainer.job import open_run, resume_hint, work_in

    if config.from_json is not None:
        rebuild(config.from_json, config.report)
        return 0
    run, config = open_run("compare", config, config.runs, config.training_seed, config.resume, check_inputs)
    hint = resume_hint("compare", run)
    try:
        return work_in(run, lambda stop: compare_job(config, run, stop), hint)
    except Exception:
        print(f"what is done is kept; {hint}")
        raise
