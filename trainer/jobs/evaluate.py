"""Measure a planner in simulation: success with its interval, time, tracking errors, and why episodes fail."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from core.tasks.start_scale import PRETRAINING, start_share


@dataclass(frozen=True)
class Config:
    """Each seed is one episode, run to its end: slow episodes count as much as fast ones."""

    checkpoint: Path | None = None
    "a planner (.safetensors), or a run folder of pretrain: its planner.safetensors; none: the heuristic"
    task: str = "box_pickup"
    "name of the task"
    episodes: int = 500
    "number of episodes"
    seed: int = 100_000
    "seed of the first episode, the others follow; demonstrations usually begin at 0, so these are fresh"
    json: Path | None = None
    "file for the result"
    worlds: int = 64
    "episodes simulated at once"
    executed_steps: int | None = None
    "Ta, commands of a chunk that are executed before the next one is planned; none: as the checkpoint says"
    sampler: Literal["stored", "ddim", "ddpm"] = "stored"
    "how chunks are sampled; stored: as the checkpoint says"
    sampling_steps: int = 10
    "levels of ddim, when asked for here"
    start_scale: str = PRETRAINING
    "where the robot starts: pretraining (as in the demonstrations), maximum (widest), or a share of the way, 0 to 1"
    safety: Literal["simulation", "hardware"] = "simulation"
    "limits of commands"
    controller: Literal["learned", "ik_arms"] = "learned"
    "arms as trained, or by inverse kinematics"
    backend: Literal["mujoco", "fake"] = "mujoco"
    "simulator; fake has no physics and serves tests"
    device: str = "cpu"
    "where the planner runs: cpu or cuda"
    runs: Path = Path("runs")
    "folder in which the run folder is made"
    VERSION: ClassVar[int] = 1

    def __post_init__(self) -> None:
        for name in ("episodes", "worlds", "executed_steps", "sampling_steps"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        if self.seed < 0:
            raise ValueError(f"seed must not be negative, got {self.seed}")
        start_share(self.start_scale)


def main(config: Config) -> int:
    """Run, print, and write the JSON file. Returns 0, or 130 when it was stopped before all episodes were run."""
    from trainer.job import open_run, work_in
    from trainer.policy_evaluation import evaluate_job

    run, config = open_run("evaluate", config, config.runs, config.seed)
    return work_in(run, lambda stop: evaluate_job(config, run, stop))
