"""What window and command line do with the queue: each change also makes sure that somebody runs it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from trainer.queue.entry import Entry, QueueError
from trainer.queue.jobs import enqueue
from trainer.queue.runner import RESUMABLE_JOBS, anything_to_do, ensure_runner
from trainer.queue.store import QueueStore
from trainer.queue.trash import Deleted, Trash
from trainer.runs import Run

CONTROLLER_RUN = "train-"
"""Runs of train-controller are named after what they train: train-upper, train-lower."""


class QueueDesk:
    """The queue of a runs folder, and the runs beside it that were started in a terminal."""

    def __init__(self, root: Path, ensure_runner: Callable[[QueueStore], None] = ensure_runner) -> None:
        self.store = QueueStore(root)
        self.trash = Trash(self.store)
        self._ensure_runner = ensure_runner

    def wake(self) -> None:
        """Have a runner look at the queue, if there is anything to do."""
        if anything_to_do(self.store):
            self._ensure_runner(self.store)

    def add(self, job: str, config: Any, priority: int = 0, after: tuple[int, ...] = ()) -> Entry:
        """A new job with a snapshot of its config. Raises QueueError for an input that is not in the queue."""
        entry = enqueue(self.store, job, config, None, priority, after)
        self.wake()
        return entry

    def stop(self, entry_id: int, kill: bool = False) -> Entry:
        """See `QueueStore.stop`."""
        entry = self.store.stop(entry_id, kill)
        self.wake()
        return entry

    def stop_run(self, run: Path, kill: bool = False) -> None:
        """Stop a run that is not in the queue. Raises QueueError when it does not run."""
        status = Run.open(run).read_status()
        if status.state != "running" or not (status.process.kill() if kill else status.process.ask_to_stop()):
            raise QueueError(f"{run} is not running: it is {status.state}; nothing to stop")

    def resume(self, entry_id: int) -> Entry:
        """See `QueueStore.resume`."""
        entry = self.store.resume(entry_id)
        self.wake()
        return entry

    def resume_run(self, run: Path) -> Entry:
        """Queue the continuation of a run that is not in the queue.

        Raises QueueError for a run that cannot go on.
        """
        opened = Run.open(run)
        info, state = opened.info(), opened.read_status().state
        job = "train-controller" if info.job.startswith(CONTROLLER_RUN) else info.job
        if job not in RESUMABLE_JOBS:
            raise QueueError(f"a run of {info.job} cannot go on; duplicate it instead (collect goes on with its data)")
        if state in ("running", "finished"):
            raise QueueError(f"{run} is {state}; only stopped, failed and killed runs go on")
        part = [info.job.removeprefix(CONTROLLER_RUN)] if job == "train-controller" else []
        config = opened.stored_config()
        entry = self.store.add(job, [*part, "--resume", str(run)], config, Path.cwd(), run=run)
        self.wake()
        return entry

    def move(self, entry_id: int, by: int) -> Entry:
        """See `QueueStore.move`."""
        return self.store.move(entry_id, by)

    def set_priority(self, entry_id: int, priority: int) -> Entry:
        """See `QueueStore.set_priority`."""
        return self.store.set_priority(entry_id, priority)

    def delete(self, entry_id: int | None, run: Path | None = None) -> Deleted:
        """See `Trash.delete`. Jobs that need it are skipped when the runner looks at them."""
        deleted = self.trash.delete(entry_id, run)
        self.wake()
        return deleted

    def undo_delete(self) -> Deleted:
        """See `Trash.undo`."""
        restored = self.trash.undo()
        self.wake()
        return restored
