"""The files of the queue below a runs folder: entries as JSON, each change of them under a lock and atomic."""

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from trainer.queue.entry import ENDED, WENT_WRONG, Entry, QueueError, references
from trainer.runs import write_atomically
from trainer.typed_json import DecodeError, from_json, to_json

FOLDER = ".queue"
RESUMABLE_STATES = ("stopped", "failed", "killed", "skipped")


class QueueStore:
    """The queue of a runs folder. Any process may use it; what it says is read anew each time."""

    def __init__(self, root: Path, now: Callable[[], float] = time.time) -> None:
        """`root` is the runs folder."""
        self.root = Path(root).absolute()
        self.folder = self.root / FOLDER
        self._now = now

    # ------------------------------------------------------------------ files

    @property
    def runner_lock(self) -> Path:
        """Locked by the runner as long as it lives."""
        return self.folder / "runner.lock"

    @property
    def runner_log(self) -> Path:
        """What the runner printed."""
        return self.folder / "runner.log"

    def log_path(self, entry_id: int) -> Path:
        """What a job printed."""
        return self.folder / "logs" / f"{entry_id}.log"

    def _path(self, entry_id: int) -> Path:
        return self.folder / "entries" / f"{entry_id}.json"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else changes the queue inside. The system releases the lock of a process that dies."""
        (self.folder / "entries").mkdir(parents=True, exist_ok=True)
        fd = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def write(self, entry: Entry) -> Entry:
        """Store an entry; call inside `locked`."""
        write_atomically(self._path(entry.id), json.dumps(to_json(entry), indent=1))
        return entry

    def forget(self, entry_id: int) -> None:
        """Remove the file of an entry; call inside `locked`."""
        self._path(entry_id).unlink(missing_ok=True)

    def entries(self) -> tuple[Entry, ...]:
        """All entries in the order in which they are run. A file that cannot be read is left out."""
        found = []
        for path in (self.folder / "entries").glob("*.json"):
            try:
                found.append(from_json(Entry, json.loads(path.read_text(encoding="utf-8"))))
            except (OSError, ValueError, DecodeError):
                continue
        return tuple(sorted(found, key=lambda e: (-e.priority, e.order, e.id)))

    def get(self, entry_id: int) -> Entry:
        """One entry. Raises QueueError naming those that exist."""
        entries = {entry.id: entry for entry in self.entries()}
        if entry_id not in entries:
            known = ", ".join(f"#{i}" for i in sorted(entries)) or "none"
            raise QueueError(f"there is no job #{entry_id} in the queue of {self.root}; known: {known}")
        return entries[entry_id]

    def _next_id(self) -> int:
        """Numbers are never used twice, also after a job was deleted."""
        path = self.folder / "next"
        try:
            number = int(path.read_text())
        except (OSError, ValueError):
            number = 1 + max((entry.id for entry in self.entries()), default=0)
        write_atomically(path, str(number + 1))
        return number

    # ------------------------------------------------------------------ changes

    def add(
        self,
        job: str,
        arguments: list[str],
        config: dict[str, Any],
        folder: Path,
        priority: int = 0,
        after: tuple[int, ...] = (),
        run: Path | None = None,
    ) -> Entry:
        """A new job at the end of its priority; with `run` it goes on with that run folder.

        Raises QueueError when it names an input that is not in the queue.
        """
        with self.locked():
            known = {entry.id for entry in self.entries()}
            wanted = tuple(dict.fromkeys((*references(tuple(arguments)), *after)))
            for other in wanted:
                if other not in known:
                    raise QueueError(
                        f"@{other} is not in the queue; known: {', '.join(f'@{i}' for i in sorted(known)) or 'none'}"
                    )
            number = self._next_id()
            entry = Entry(
                number, job, tuple(arguments), config, str(folder.absolute()), self._now(), float(number), priority,
                wanted, run=None if run is None else str(run), resume=run is not None,
            )  # fmt: skip
            return self.write(entry)

    def stop(self, entry_id: int, kill: bool = False) -> Entry:
        """A running job is asked to save and end, or (`kill`) ended at once; a waiting one is not started.

        Raises QueueError for a job that has ended.
        """
        with self.locked():
            entry = self.get(entry_id)
            if entry.state in ENDED:
                raise QueueError(f"{entry.title} is not running: it is {entry.state}; nothing to stop")
            if entry.state == "waiting":
                return self.write(replace(entry, state="stopped", message="taken out before it began"))
            entry = self.write(replace(entry, stop_asked=not kill, message="stopping: saves first" if not kill else ""))
            if entry.process is not None:
                entry.process.kill() if kill else entry.process.ask_to_stop()
            return entry

    def resume(self, entry_id: int) -> Entry:
        """Back into the queue, from its last checkpoint where it has one; also jobs skipped because of it.

        Raises QueueError for a job that waits, runs or has finished.
        """
        with self.locked():
            entry = self.get(entry_id)
            if entry.state not in RESUMABLE_STATES:
                raise QueueError(f"{entry.title} is {entry.state}; only {', '.join(RESUMABLE_STATES)} jobs go on")
            again = self.write(replace(_waiting(entry), resume=entry.run is not None))
            self._unskip(entry_id)
            return again

    def _unskip(self, entry_id: int) -> None:
        for entry in self.entries():
            if entry.state == "skipped" and entry_id in entry.after:
                self.write(_waiting(entry))
                self._unskip(entry.id)

    def set_priority(self, entry_id: int, priority: int) -> Entry:
        """Higher runs first."""
        with self.locked():
            return self.write(replace(self.get(entry_id), priority=priority))

    def move(self, entry_id: int, by: int) -> Entry:
        """Past `by` waiting jobs, earlier when negative; it takes the priority of where it goes.

        Raises QueueError for a job that does not wait.
        """
        with self.locked():
            entry = self.get(entry_id)
            waiting = [other for other in self.entries() if other.state == "waiting"]
            if entry.state != "waiting":
                raise QueueError(f"{entry.title} is {entry.state}; only waiting jobs can be moved")
            index = [other.id for other in waiting].index(entry_id)
            rest = waiting[:index] + waiting[index + 1 :]
            place = min(max(index + by, 0), len(rest))
            return self.write(_between(entry, rest[place - 1 : place], rest[place : place + 1]))


def _waiting(entry: Entry) -> Entry:
    return replace(
        entry, state="waiting", message="", process=None, started_s=None, ended_s=None, stop_asked=False, adopted=False
    )


def _between(entry: Entry, before: list[Entry], after: list[Entry]) -> Entry:
    """The entry with order and priority that put it between two neighbours, of which either may be missing."""
    if before and after and before[0].priority == after[0].priority:
        return replace(entry, priority=after[0].priority, order=0.5 * (before[0].order + after[0].order))
    if before and (not after or before[0].priority == entry.priority):
        return replace(entry, priority=before[0].priority, order=before[0].order + 1.0)
    if after:
        return replace(entry, priority=after[0].priority, order=after[0].order - 1.0)
    return entry


def why_not_yet(entry: Entry, entries: dict[int, Entry]) -> tuple[bool, str]:
    """(skip it, reason) while something that a waiting entry needs has not finished; reason '' when it may start."""
    for number in entry.after:
        other = entries.get(number)
        if other is None:
            return True, f"#{number}, which it needs, was deleted"
        if other.state in WENT_WRONG:
            return True, f"{other.title}, which it needs, {_went(other)}"
        if other.state != "finished":
            hint = ", which was stopped: resume it" if other.state == "stopped" else ""
            return False, f"waits for {other.title}{hint}"
    return False, ""


def _went(entry: Entry) -> str:
    reason = f": {entry.message}" if entry.message else ""
    return f"{'was ' if entry.state in ('killed', 'skipped') else ''}{entry.state}{reason}"
