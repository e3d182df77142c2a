"""Deleting with undo: run folders and their queue entries move to .trash below the runs folder until it is emptied."""

import json
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from trainer.planner_files import TRASH
from trainer.queue.entry import Entry, QueueError
from trainer.queue.store import QueueStore
from trainer.runs import Run, RunError, write_atomically
from trainer.typed_json import DecodeError, from_json, to_json

NOTE = "deleted.json"
RUN = "run"


@dataclass(frozen=True)
class Deleted:
    """One deletion, as its note says. Written before anything is moved, so that a crash in between can be undone."""

    number: int
    deleted_s: float
    run: str | None
    "where the run folder was"
    entry: Entry | None

    @property
    def title(self) -> str:
        """What was deleted."""
        return self.entry.title if self.entry is not None else Path(self.run or "").name


class Trash:
    """What was deleted from a runs folder."""

    def __init__(self, store: QueueStore) -> None:
        self._store = store
        self.folder = store.root / TRASH

    def contents(self) -> tuple[Deleted, ...]:
        """Oldest first. A note that cannot be read is left out."""
        found = []
        for path in self.folder.glob(f"*/{NOTE}"):
            try:
                found.append(from_json(Deleted, json.loads(path.read_text(encoding="utf-8"))))
            except (OSError, ValueError, DecodeError):
                continue
        return tuple(sorted(found, key=lambda deleted: deleted.number))

    def size_bytes(self) -> int:
        """Space that emptying gives back."""
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())

    def delete(self, entry_id: int | None, run: Path | None) -> Deleted:
        """Move an entry of the queue, its run folder, or both to the trash.

        Raises QueueError for a job that runs, and for a folder that is no run of this runs folder.
        """
        store = self._store
        with store.locked():
            entry = None if entry_id is None else store.get(entry_id)
            if run is None and entry is not None and entry.run is not None:
                run = Path(entry.run)
            _refuse_running(entry, run)
            if run is not None and not run.exists():
                run = None
            if run is not None and run.resolve().parent != store.root.resolve():
                raise QueueError(f"{run} is not in {store.root}: only runs of this folder are deleted")
            number = 1 + max((deleted.number for deleted in self.contents()), default=0)
            note = Deleted(number, time.time(), None if run is None else str(run), entry)
            place = self.folder / str(number)
            place.mkdir(parents=True)
            write_atomically(place / NOTE, json.dumps(to_json(note), indent=1))
            if run is not None:
                os.rename(run, place / RUN)
            if entry is not None:
                store.forget(entry.id)
            return note

    def undo(self) -> Deleted:
        """Put back what was deleted last. Raises QueueError when there is nothing, or its place is taken."""
        with self._store.locked():
            contents = self.contents()
            if not contents:
                raise QueueError(f"nothing to undo: the trash of {self._store.root} is empty")
            note = contents[-1]
            place = self.folder / str(note.number)
            if note.run is not None and (place / RUN).exists():
                if Path(note.run).exists():
                    raise QueueError(f"{note.run} exists again: move it away, then undo")
                os.rename(place / RUN, note.run)
            if note.entry is not None:
                self._store.write(note.entry)
            shutil.rmtree(place)
            return note

    def empty(self) -> int:
        """Delete for good. Returns how many deletions that were."""
        with self._store.locked():
            count = len(self.contents())
            if self.folder.exists():
                shutil.rmtree(self.folder)
            return count


def _refuse_running(entry: Entry | None, run: Path | None) -> None:
    if entry is not None and entry.state == "running":
        raise QueueError(f"{entry.title} is running; stop it before it is deleted")
    if run is not None:
        try:
            state = Run.open(run).read_status().state
        except RunError:
            return
        if state == "running":
            raise QueueError(f"{run} is a run at work; stop it before it is deleted")
