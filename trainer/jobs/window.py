"""Open the window."""

from dataclasses import dataclass

from trainer.cli import open_window


@dataclass(frozen=True)
class Config:
    """No options: everything is in the window."""


def main(config: Config) -> int:
    """Open the window and wait until it closes."""
    del config
    return open_window()
