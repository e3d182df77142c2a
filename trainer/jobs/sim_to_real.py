"""A task through everything that a real robot needs, against the simulated one: the proxy for hardware.

The same session, agent, dead-man and vendor's SDK as on the robot drive refine-dp t1-sim over DDS on loopback, and an
emulated motion capture system tells where trunk and objects are, with stated errors. In real time: about a minute an
episode. Success as the session sees it and as it really was, both with their 95 % intervals.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from core.tasks.catalogue import check_task_name


@dataclass(frozen=True)
class Config:
    """What to try."""

    task: str = "box_pickup"
    "name of the task"
    source: Literal["heuristic", "policy"] = "heuristic"
    "who commands: the scripted planner or a trained one (--checkpoint)"
    checkpoint: Path | None = None
    "planner of the source policy: a planner.safetensors, or the folder of a run"
    episodes: int = 10
    "episodes to try"
    seed: int = 0
    "seed of the first episode; the following count on"
    mocap: Literal["paper", "none", "assumed"] = "paper"
    "errors of motion capture: like on hardware or none; assumed: no motion capture at all"
    backend: Literal["t1", "t1_whole_body"] = "t1"
    "t1: the robot's firmware balances and the arms are ours; t1_whole_body: all its joints"
    gantry: bool = True
    "leave the robot in its slack harness"
    out: Path | None = None
    "file (JSON) for the result of every episode"

    def __post_init__(self) -> None:
        check_task_name(self.task)
        if self.episodes < 1:
            raise ValueError(f"episodes must be positive, got {self.episodes}")
        if (self.source == "policy") != (self.checkpoint is not None):
            raise ValueError("--source policy and --checkpoint PATH belong together: give both, or neither")


def main(config: Config) -> int:
    """Returns 0 when all episodes were tried, 1 when something broke, 130 when it was stopped."""
    from trainer.interrupt import stop_on_signals
    from trainer.sim_to_real import try_episodes

    with stop_on_signals() as stop:
        return try_episodes(config, lambda: stop.requested)
