"""One job in the queue: what it was asked when it was added, and what became of it."""

import re
from dataclasses import dataclass, field
from typing import Any, Literal

from trainer.processes import ProcessId

EntryState = Literal["waiting", "running", "finished", "stopped", "failed", "killed", "skipped"]
"""stopped: by a person, can go on; killed: its process was gone; skipped: a job that it needs went wrong."""
ENDED: tuple[EntryState, ...] = ("finished", "stopped", "failed", "killed", "skipped")
WENT_WRONG: tuple[EntryState, ...] = ("failed", "killed", "skipped")
_REFERENCE = re.compile(r"@(\d+)")


class QueueError(ValueError):
    """Something that the queue cannot do; the message says what to do instead."""


@dataclass(frozen=True)
class Entry:
    """What a file below .queue/entries holds."""

    id: int
    job: str
    "subcommand of refine-dp"
    arguments: tuple[str, ...]
    "every option: the snapshot of its config. @N stands for what the job N makes"
    config: dict[str, Any]
    "the same as JSON, for forms"
    folder: str
    "folder in which it was added; relative paths begin there"
    created_s: float
    "epoch time at which it was added"
    order: float
    "jobs of equal priority run in ascending order"
    priority: int = 0
    "higher first"
    after: tuple[int, ...] = ()
    "jobs that must have finished before"
    state: EntryState = "waiting"
    message: str = ""
    run: str | None = None
    "its run folder, once it has one"
    resume: bool = False
    "go on with that run instead of beginning another"
    process: ProcessId | None = None
    started_s: float | None = None
    ended_s: float | None = None
    stop_asked: bool = False
    adopted: bool = False
    "the runner that started it was killed; another one watches it"
    version: int = field(default=1)

    @property
    def title(self) -> str:
        """As messages name it."""
        return f"#{self.id} {self.job}"


def references(arguments: tuple[str, ...]) -> tuple[int, ...]:
    """The jobs whose results are named as inputs (@N), in order, each once."""
    found = (_REFERENCE.fullmatch(word) for word in arguments)
    return tuple(dict.fromkeys(int(match[1]) for match in found if match))


def option_of(arguments: tuple[str, ...], index: int) -> str:
    """The option that the word at `index` is a value of, '' for none."""
    before = (word for word in reversed(arguments[:index]) if word.startswith("--"))
    return next(before, "")
