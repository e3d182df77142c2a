"""Open the window."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from trainer.cli import open_window


@dataclass(frozen=True)
class Config:
    """What the window starts with."""

    dataset: Path | None = None
    "data set to record to and to browse; None: the one of last time, at first data/box_pickup.hdf5"
    meshes: Path | None = None
    "folder with the vendor's STL meshes of the T1, shown instead of the built-in ones"
    theme: Literal["dark", "light"] | None = None
    "colours; None: as last time"

    def arguments(self) -> list[str]:
        """The options of `python -m app`."""
        given = {"--dataset": self.dataset, "--meshes": self.meshes, "--theme": self.theme}
        return [str(part) for option, value in given.items() if value is not None for part in (option, value)]


def main(config: Config) -> int:
    """Open the window and wait until it closes."""
    return open_window(config.arguments())
