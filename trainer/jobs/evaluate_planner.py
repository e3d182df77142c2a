"""Measure the heuristic planner: success rate with its interval, time, and why episodes fail."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from core.tasks.start_scale import PRETRAINING, start_share

MAX_PRESS_M = 0.12
"""Half the width of the narrowest box: pressed deeper, the palms would be told to pass each other."""


@dataclass(frozen=True)
class Config:
    """What to measure. Each seed is one episode that is run to its end: slow ones count as much as fast ones."""

    task: Literal["box_pickup"] = "box_pickup"
    "name of the task"
    episodes: int = 500
    "number of episodes"
    seed: int = 0
    "seed of the first episode; episode k uses seed + k"
    worlds: int = 64
    "worlds that are simulated at once"
    safety: Literal["simulation", "hardware"] = "simulation"
    "speed limits of planner and safety filter; hardware: walking 0.2 m/s, hands 0.05 m/s"
    controller: Literal["learned", "ik_arms"] = "learned"
    "arms as trained, or by inverse kinematics"
    start_scale: str = PRETRAINING
    "where the robot starts: pretraining (as in the demonstrations), maximum (widest), or a share of the way, 0 to 1"
    press_m: float | None = None
    "fixes the squeeze depth, to see how robust the grasp is; drawn for each episode when not given"
    output: Path | None = None
    "JSON file for the result"
    runs: Path = Path("runs")
    "folder in which the run folder is made"
    VERSION: ClassVar[int] = 1

    def __post_init__(self) -> None:
        for name in ("episodes", "worlds"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        start_share(self.start_scale)
        if self.seed < 0:
            raise ValueError(f"seed must not be negative, got {self.seed}")
        if self.press_m is not None and not 0 <= self.press_m <= MAX_PRESS_M:
            raise ValueError(f"press_m must lie between 0 and {MAX_PRESS_M} m, got {self.press_m}")


def main(config: Config) -> int:
    """Run the episodes, print the result and write it. Returns 0 when all were run, 130 when it was stopped before."""
    from trainer.evaluating import evaluate_job
    from trainer.job import open_run, work_in

    run, config = open_run("evaluate-planner", config, config.runs, config.seed)
    return work_in(run, lambda stop: evaluate_job(config, run, stop))
