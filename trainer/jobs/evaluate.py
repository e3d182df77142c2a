"""Measure a planner in simulation: success with its interval, time, tracking errors, and why episodes fail.

--against measures a second planner on the same seeds and compares them pair by pair (exact McNemar test).
--until-decided stops as soon as the question is answered: with --against, which one is better; else, whether success
lies above --threshold. However often it looks, the answer is wrong with a probability of at most --alpha.
--report writes one HTML file with plots, settings, and a film of a success and of a failure.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from core.control.choices import ControllerName
from core.tasks.catalogue import check_task_name
from core.tasks.start_scale import PRETRAINING, start_share

MAX_PRESS_M = 0.12
"""Half the width of the narrowest box: pressed deeper, the palms would be told to pass each other."""


@dataclass(frozen=True)
class Config:
    """Each seed is one episode, run to its end: slow episodes count as much as fast ones."""

    checkpoint: Path | None = None
    "a planner (.safetensors), or a run folder that holds one (planner.safetensors); none: the heuristic"
    task: str = "box_pickup"
    "name of the task"
    episodes: int = 500
    "number of episodes"
    seed: int = 100_000
    "seed of the first episode, the others follow; demonstrations usually begin at 0, so these are fresh"
    json: Path | None = None
    "file for the result"
    report: Path | None = None
    "HTML file for plots, films and settings; it needs nothing else to be looked at"
    against: Path | None = None
    "a second planner, measured on the same seeds and compared pair by pair"
    until_decided: bool = False
    "stop as soon as it is decided; episodes is then the most that are run"
    threshold: float | None = None
    "the success rate that until-decided asks about, between 0 and 1"
    alpha: float = 0.05
    "largest probability of a wrong decision"
    worlds: int = 64
    "episodes simulated at once"
    executed_steps: int | None = None
    "Ta, commands of a chunk that are executed before the next one is planned; none: as the checkpoint says"
    sampler: Literal["stored", "ddim", "ddpm"] = "stored"
    "how chunks are sampled; stored: as the checkpoint says"
    sampling_steps: int | None = None
    "levels of ddim, only with sampler ddim; none: 10 there"
    press_m: float | None = None
    "of the heuristic: fixes the squeeze depth, to see how robust the grasp is; none: drawn for each episode"
    start_scale: str = PRETRAINING
    "where the robot starts: pretraining (as in the demonstrations), maximum (widest), or a share of the way, 0 to 1"
    safety: Literal["simulation", "hardware"] = "simulation"
    "limits of commands"
    controller: ControllerName = "learned"
    "arms as trained, as trained for a robot (late targets), or by inverse kinematics"
    backend: Literal["mujoco", "fake"] = "mujoco"
    "simulator; fake has no physics and serves tests"
    device: str = "cpu"
    "where the planner runs: cpu, cuda, or auto: cuda where there is one"
    runs: Path = Path("runs")
    "folder in which the run folder is made"
    VERSION: ClassVar[int] = 1

    def __post_init__(self) -> None:
        check_task_name(self.task)
        for name in ("episodes", "worlds", "executed_steps", "sampling_steps"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        if self.seed < 0:
            raise ValueError(f"seed must not be negative, got {self.seed}")
        start_share(self.start_scale)
        self._check_sampler()
        self._check_press()
        self._check_planner_options()
        self._check_question()

    def _check_sampler(self) -> None:
        if self.sampling_steps is not None and self.sampler != "ddim":
            raise ValueError(
                f"sampling_steps {self.sampling_steps} is of the sampler ddim, got sampler {self.sampler}: give "
                "--sampler ddim, too, or leave sampling_steps out"
            )

    def _check_press(self) -> None:
        if self.press_m is None:
            return
        if not 0.0 <= self.press_m <= MAX_PRESS_M:
            raise ValueError(f"press_m must lie between 0 and {MAX_PRESS_M} m, got {self.press_m}")
        if self.checkpoint is not None:
            raise ValueError(f"press_m {self.press_m} is of the heuristic: give it without --checkpoint")

    def _check_planner_options(self) -> None:
        if self.checkpoint is not None or self.against is not None:
            return
        for name, unset in (("executed_steps", None), ("sampler", "stored")):
            if getattr(self, name) != unset:
                raise ValueError(
                    f"{name} {getattr(self, name)} is of a stored planner: give one with --checkpoint, or leave it out"
                )

    def _check_question(self) -> None:
        for name in ("threshold", "alpha"):
            value = getattr(self, name)
            if value is not None and not 0.0 < value < 1.0:
                raise ValueError(f"{name} must lie between 0 and 1, got {value}")
        if self.threshold is not None and not self.until_decided:
            raise ValueError(f"threshold {self.threshold} is what --until-decided asks about: give that option, too")
        if self.threshold is not None and self.against is not None:
            raise ValueError(
                f"threshold {self.threshold} and against {self.against} are two questions: ask one at a time"
            )
        if self.until_decided and self.threshold is None and self.against is None:
            raise ValueError("until_decided needs a question: --threshold RATE, or --against PLANNER")


PRESETS: dict[str, Config] = {"quick": Config(episodes=100), "paper": Config(episodes=500)}
PRESETS_HELP = {
    "quick": "100 episodes, an interval of about 20 %",
    "paper": "500 episodes, about 8 %",
}


def main(config: Config) -> int:
    """Run, print, and write the files. Returns 0, or 130 when it was stopped before all episodes were run."""
    from trainer.job import open_run, work_in
    from trainer.planner_evaluation import check_inputs, evaluate_job

    run, config = open_run("evaluate", config, config.runs, config.seed, check=check_inputs)
    return work_in(run, lambda stop: evaluate_job(config, run, stop))
