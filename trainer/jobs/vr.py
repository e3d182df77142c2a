"""The headset from the command line: what runtime there is and whether the controllers arrive; or run an episode again
from the raw input that was recorded."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Config:
    """Without options: look at the headset for some seconds and print what arrives."""

    seconds: float = 15.0
    "how long to look"
    replay: Path | None = None
    "file of raw operator input (written by a VR session that records it): run its episode again, headless"
    dataset: Path | None = None
    "data set (HDF5) that the episode run again is recorded to"

    def __post_init__(self) -> None:
        if not self.seconds > 0:
            raise ValueError(f"seconds must be positive, got {self.seconds}")
        if self.dataset is not None and self.replay is None:
            raise ValueError("--dataset records an episode that is run again: give --replay FILE too")


def main(config: Config) -> int:
    """Returns 0 when controllers arrived (or the episode was run), 1 otherwise."""
    from trainer.vr_check import check_headset, run_again

    return run_again(config.replay, config.dataset) if config.replay is not None else check_headset(config.seconds)
