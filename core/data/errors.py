"""What can go wrong with a data set, each with its remedy in the message."""

from collections.abc import Sequence
from pathlib import Path

LISTED = 5
"""So many files are named when the one asked for is missing."""


class DatasetError(Exception):
    """A data set cannot be opened, written or changed."""


class DatasetMissingError(DatasetError):
    """There is no data set at a path; the message says what is there instead."""

    def __init__(self, path: Path) -> None:
        self.path = path
        folder = path if path.is_dir() else path.absolute().parent
        super().__init__(f"{_what_is_there(path, folder)}; {_what_to_give(folder)}")


def check_episode_known(path: Path, name: str, known: Sequence[str]) -> None:
    """Raises ValueError that names some of the episodes that are there."""
    if name not in known:
        some = ", ".join(known[:LISTED]) + (f", … ({len(known)} episodes)" if len(known) > LISTED else "")
        raise ValueError(f"episode {name!r} is not in {path}; it has {some or 'none'}")


def _what_is_there(path: Path, folder: Path) -> str:
    if path.is_dir():
        return f"{path} is a folder, a data set is a file"
    return f"no data set at {path}" + ("" if folder.is_dir() else f": the folder {folder} does not exist")


def _what_to_give(folder: Path) -> str:
    names = sorted(file.name for file in folder.glob("*.hdf5"))
    if not names:
        return "`refine-dp collect --dataset PATH` records one"
    return f"{folder} holds {', '.join(names[:LISTED])}" + (", …" if len(names) > LISTED else "")


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
