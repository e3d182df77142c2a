"""Record demonstrations, many worlds at once. Repeating the command resumes: what is there is not run again."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from core.control.choices import ControllerName
from core.tasks.catalogue import check_task_name


@dataclass(frozen=True)
class Config:
    """What to record."""

    dataset: Path
    "data set (HDF5) to record to; created when it is missing, added to when it fits"
    task: str = "box_pickup"
    "name of the task"
    source: Literal["heuristic"] = "heuristic"
    "who commands"
    episodes: int = 1000
    "episodes that the data set has in the end, those that are there already included"
    success_only: bool = False
    "keep successful episodes only, and go on until there are enough"
    seed: int = 0
    "seed of the first episode; episode k uses seed + k"
    worlds: int = 64
    "worlds that are simulated at once"
    safety: Literal["simulation", "hardware"] = "simulation"
    "limits of commands; hardware: walking 0.2 m/s, hands 0.05 m/s"
    controller: ControllerName = "learned"
    "arms as trained, as trained for a robot (late targets), or by inverse kinematics"
    backend: Literal["mujoco", "fake"] = "mujoco"
    "simulator; fake has no physics and serves tests"
    runs: Path = Path("runs")
    "folder in which the run folder is made"
    VERSION: ClassVar[int] = 1

    def __post_init__(self) -> None:
        check_task_name(self.task)
        if self.episodes < 1:
            raise ValueError(f"episodes must be at least 1, got {self.episodes}")
        if self.worlds < 1:
            raise ValueError(f"worlds must be at least 1, got {self.worlds}")
        if self.seed < 0:
            raise ValueError(f"seed must not be negative, got {self.seed}")


PRESETS: dict[str, Config] = {
    "quick": Config(Path("data") / "demonstrations_50.hdf5", episodes=50, success_only=True),
    "paper": Config(Path("data") / "demonstrations_1000.hdf5", episodes=1000, success_only=True),
}
PRESETS_HELP = {"quick": "50 demonstrations, minutes", "paper": "1000 demonstrations"}


def main(config: Config) -> int:
    """Run the job in a run folder of its own. Returns 0 when all is recorded, 130 when it was stopped before."""
    from trainer.collecting import collect, opened
    from trainer.job import open_run, work_in

    with opened(config) as place:  # before there is a run folder: a data set that cannot be used leaves none behind
        run, config = open_run("collect", config, config.runs, config.seed)
        return work_in(run, lambda stop: collect(config, run, place, stop), "the same command goes on from here")
