"""What the Train page knows: the rows of queue and runs, read every second on a thread, and what is done to them."""

from collections.abc import Callable
from typing import Any

from PyQt6.QtCore import QObject, QTimer, pyqtSignal, pyqtSlot

from app.problems import Problem
from app.workers.background import Background
from trainer.queue.desk import QueueDesk
from trainer.queue.entry import Entry
from trainer.queue.outcome import tail
from trainer.run_rows import RowReader, RunRow

READ_PERIOD_MS = 1000
WAKE_EVERY = 10
"Readings between two looks whether somebody runs the queue: a runner may have been killed"
LOG_LINES = 400


class Runs(QObject):
    """Rows and deeds. Everything slow happens on one background thread."""

    rows_changed = pyqtSignal()
    told = pyqtSignal(str)
    "something that was asked has been done"
    failed = pyqtSignal(object)

    def __init__(self, desk: QueueDesk) -> None:
        """`desk` is the queue of a runs folder."""
        super().__init__()
        self.root = desk.store.root
        self.desk = desk
        self.rows: tuple[RunRow, ...] = ()
        self.deleted = 0
        "deletions that can be undone"
        self._reader = RowReader(self.desk.store)
        self._background = Background("runs")
        self._background.failed.connect(self.failed)
        self._reading = False
        self._readings = 0
        self._asked: set[str] = set()
        "rows that were asked to stop and are not in the queue"
        self._timer = QTimer(self)
        self._timer.setInterval(READ_PERIOD_MS)
        self._timer.timeout.connect(self.read)
        self._timer.start()

    def close(self) -> None:
        """Stop reading; jobs go on."""
        self._timer.stop()
        self._background.close()

    @pyqtSlot()
    def read(self) -> None:
        """Read the rows again, unless a reading is under way."""
        if self._reading:
            return
        self._reading = True
        self._background.submit("Run folders cannot be read", self._read, self._on_read, self._on_done)

    def _read(self) -> tuple[tuple[RunRow, ...], int]:
        if self._readings % WAKE_EVERY == 0:
            self.desk.wake()
        self._readings += 1
        return self._reader.read(), len(self.desk.trash.contents())

    def _on_done(self) -> None:
        self._reading = False

    def _on_read(self, result: tuple[tuple[RunRow, ...], int]) -> None:
        if result != (self.rows, self.deleted):
            self.rows, self.deleted = result
            self.rows_changed.emit()

    def row(self, key: str) -> RunRow | None:
        """The row of this key."""
        return next((row for row in self.rows if row.key == key), None)

    @property
    def running(self) -> RunRow | None:
        """The job at work, the newest of them."""
        return next((row for row in self.rows if row.state == "running"), None)

    # ------------------------------------------------------------------ deeds

    def act(self, title: str, work: Callable[[], Any], said: Callable[[Any], str] | str) -> None:
        """Do something on the thread, tell what was done, and read again. `title` heads the problem if it fails."""

        def done(result: Any) -> None:
            self.told.emit(said if isinstance(said, str) else said(result))

        self._background.submit(title, work, done, self.read)

    def enqueue(self, job: str, config: Any, priority: int) -> None:
        """Add a job."""
        self.act(
            "The job was not queued",
            lambda: self.desk.add(job, config, priority),
            lambda entry: f"{entry.title} is in the queue",
        )

    def enqueue_chain(self, chain: list[tuple[str, Any]], priority: int) -> None:
        """Add jobs that follow each other."""
        from trainer.queue.chain import add_chain

        def said(entries: list[Entry]) -> str:
            return f"#{entries[0].id} to #{entries[-1].id} are in the queue"

        self.act("The chain was not queued", lambda: add_chain(self.desk, chain, priority), said)

    def was_asked_to_stop(self, row: RunRow) -> bool:
        """Whether it was asked to save and end, and has not ended yet."""
        return row.key in self._asked or (row.entry is not None and row.entry.stop_asked)

    def stop(self, row: RunRow, kill: bool = False) -> None:
        """Ask a job to save and end; `kill` ends it at once."""
        self._asked.add(row.key)

        def work() -> None:
            if row.entry is not None:
                self.desk.stop(row.entry.id, kill)
            elif row.path is not None:
                self.desk.stop_run(row.path, kill)

        self.act("The job was not stopped", work, f"{row.title} {'was ended' if kill else 'saves and ends'}")

    def resume(self, row: RunRow) -> None:
        """Go on with a job from its last checkpoint."""
        self._asked.discard(row.key)

        def work() -> Entry:
            if row.entry is not None:
                return self.desk.resume(row.entry.id)
            assert row.path is not None
            return self.desk.resume_run(row.path)

        self.act("The job does not go on", work, lambda entry: f"{entry.title} goes on when its turn comes")

    def delete(self, rows: list[RunRow]) -> None:
        """Move jobs to the trash."""

        def work() -> None:
            for row in rows:
                self.desk.delete(row.entry.id if row.entry is not None else None, row.path)

        names = ", ".join(row.title for row in rows)
        self.act("Nothing more was deleted", work, f"{names}: in the trash; undo puts it back")

    def undo_delete(self) -> None:
        """Put back what was deleted last."""
        self.act("Nothing was put back", self.desk.undo_delete, lambda deleted: f"{deleted.title} is back")

    def empty_trash(self) -> None:
        """Delete for good."""
        self.act("The trash was not emptied", self.desk.trash.empty, lambda count: f"{count} deleted for good")

    def move(self, row: RunRow, by: int) -> None:
        """Run a waiting job earlier (negative) or later."""
        if row.entry is not None:
            number = row.entry.id
            self.act("The job was not moved", lambda: self.desk.move(number, by), f"{row.title} moved")

    def read_log(self, row: RunRow, done: Callable[[list[str]], None]) -> None:
        """The last lines that a job printed."""
        if row.entry is None:
            done([])
            return
        path = self.desk.store.log_path(row.entry.id)
        self._background.submit("The log cannot be read", lambda: tail(path, LOG_LINES), done)

    def submit(self, title: str, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        """Run something else on the thread."""
        self._background.submit(title, work, done)

    def report(self, problem: Problem) -> None:
        """Tell a problem."""
        self.failed.emit(problem)
