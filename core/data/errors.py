"""What can go wrong with a data set, each with its remedy in the message."""

from pathlib import Path


class DatasetError(Exception):
    """A data set cannot be opened, written or changed."""


class DatasetMismatchError(DatasetError):
    """Task, rates or layout of a recording do not fit the data set."""


class DatasetLockedError(DatasetError):
    """Another process writes to the data set."""


class DatasetDamagedError(DatasetError):
    """The file is not a readable data set (cut short or overwritten)."""


class DatasetFullError(DatasetError):
    """The disk is full. Nothing finished is lost, and the same call may be repeated once space is free."""

    def __init__(self, path: Path, needed_bytes: int, reason: str) -> None:
        self.path = path
        self.needed_bytes = needed_bytes
        super().__init__(
            f"no space left to write {path} ({reason}): free at least {_readable(needed_bytes)} on that disk and try "
            "again; every finished episode is safe and the open ones are kept in memory"
        )


def _readable(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count > 1e6 else f"{count / 1e3:.0f} kB"
