"""Options that the trainings of both controllers share (no torch: the window makes a form of them)."""

from dataclasses import dataclass
from pathlib import Path


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
