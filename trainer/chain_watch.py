"""A chain of queued jobs watched from a terminal: how far the job at work is, what each has found, and a table."""

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from trainer.progress import JobProgress, format_duration
from trainer.queue.desk import QueueDesk
from trainer.queue.entry import ENDED, Entry
from trainer.queue.outcome import tail
from trainer.run_rows import RowReader, RunRow
from trainer.runs import Run

POLL_S = 0.5
REPORT = "evaluation.json"


class ChainError(RuntimeError):
    """A job of a chain did not finish; what is wrong and how to go on was told."""


class ChainProgress(JobProgress):
    """Progress of jobs one after another: which one is at work, and how far it is."""

    place: int = 0
    "of the job at work, from 1"
    row: RunRow | None = None
    "of the job at work"

    @property
    def count(self) -> str:
        if self.row is None:
            return f"{int(self.done)}/{self.total:g} jobs"
        share = "" if self.row.done is None else f"   {100 * self.row.done:.0f} %"
        return f"[{self.place}/{self.total:g}] {self.row.job}{share}"

    @property
    def text(self) -> str:
        """What the job at work has found, and its time left: how long those behind it take is not known."""
        if self.row is None:
            return ""
        left = "" if self.row.left_s is None else f"{format_duration(self.row.left_s)} left"
        return "   ".join(part for part in (self.row.headline or self.row.message, left) if part)

    def update(self, rows: Sequence[RunRow]) -> None:
        """The rows of all jobs, in their order."""
        at_work = [(place, row) for place, row in enumerate(rows, 1) if row.state == "running"]
        self.place, self.row = at_work[0] if at_work else (0, None)
        self.done = sum(1.0 if row.state in ENDED else row.done or 0.0 for row in rows)
        self.refresh()


class ChainWatch:
    """Shows jobs of a queue until all have ended."""

    def __init__(
        self, desk: QueueDesk, numbers: Sequence[int], run: Run | None = None, console: Console | None = None
    ) -> None:
        """`run`: the folder that is told how far they are."""
        self.desk = desk
        self.numbers = tuple(numbers)
        self._run = run
        self._console = console or Console()
        self._rows = RowReader(desk.store)
        self._told: set[int] = set()
        self._share = -1.0

    def entries(self) -> list[Entry]:
        """The jobs as they are now."""
        return [self.desk.store.get(number) for number in self.numbers]

    def work(self, stop_requested: Callable[[], bool]) -> bool:
        """Watch, then tell the end. Returns whether all did well, False after a stop. Raises ChainError."""
        well = self.watch(stop_requested)
        self.tell_end()
        if not well and not stop_requested():
            raise ChainError("; ".join(f"{e.title} {e.state}" for e in self.entries() if e.state != "finished"))
        return well

    def watch(
        self,
        stop_requested: Callable[[], bool],
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> bool:
        """Until all have ended; returns whether all did well. A stop asks the job at work to save and end."""
        asked = False
        with ChainProgress("chain", len(self.numbers), console=self._console, now=now) as progress:
            while not self._over(asked):
                if stop_requested() and not asked:
                    asked = True
                    self._stop()
                self.desk.wake()  # a runner that was killed is replaced
                self._show(progress)
                sleep(POLL_S)
            self._show(progress)
        return all(entry.state == "finished" for entry in self.entries())

    def _over(self, asked: bool) -> bool:
        """Whether nothing more will happen: those behind a stopped job wait until it goes on."""
        states = [entry.state for entry in self.entries()]
        return all(state in ENDED for state in states) or (asked and "running" not in states)

    def _stop(self) -> None:
        """The job at work, or the one whose turn it is."""
        for entry in self.entries():
            if entry.state not in ENDED:
                self.desk.stop(entry.id)
                return

    def rows(self) -> list[RunRow]:
        """What the queue shows of the jobs, in their order."""
        found = {row.entry.id: row for row in self._rows.read() if row.entry is not None}
        return [found[number] for number in self.numbers]

    def _show(self, progress: ChainProgress) -> None:
        rows = self.rows()
        for row in rows:
            if row.entry is not None and row.state in ENDED and row.entry.id not in self._told:
                self._told.add(row.entry.id)
                self._print("   ".join(part for part in self._cells(row.entry, row) if part))
        progress.update(rows)
        if self._run is None:
            return
        self._run.heartbeat()
        share = round(progress.done / progress.total, 2)
        if share != self._share:
            self._share = share
            self._run.event("progress", done=share, total=1.0, text=f"{progress.count}   {progress.text}")

    def _print(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    # ------------------------------------------------------------------ the end

    def tell_end(self) -> None:
        """A table of what was measured; for jobs that did not finish, why, and how to go on."""
        table = Table(title="what was measured", box=None, header_style="bold")
        for title in ("job", "state", "result", "task time", "took"):
            table.add_column(title, overflow="fold")
        entries, rows = self.entries(), self.rows()
        for entry, row in zip(entries, rows):
            table.add_row(*self._cells(entry, row))
        self._console.print(table)
        if self._run is not None:
            self._run.event("chain", jobs=[_facts(entry, row) for entry, row in zip(entries, rows)])
        for entry in entries:
            if entry.state not in ("finished", "skipped", "waiting"):
                self._tell_remedy(entry)

    def _cells(self, entry: Entry, row: RunRow) -> tuple[str, ...]:
        took = (
            "" if entry.started_s is None or entry.ended_s is None else format_duration(entry.ended_s - entry.started_s)
        )
        return entry.title, entry.state, row.headline or row.message, task_time(row.path), took

    def _tell_remedy(self, entry: Entry) -> None:
        if entry.state != "stopped":
            self._print("\n".join(tail(self.desk.store.log_path(entry.id), 8)))
        why = f": {entry.message}" if entry.message else ""
        again = f"refine-dp queue resume {entry.id} --runs {self.desk.store.root}"
        self._print(f"{entry.title} {entry.state}{why}; those behind it follow when it goes on: {again}")


def _facts(entry: Entry, row: RunRow) -> dict[str, Any]:
    return {"number": entry.id, "job": entry.job, "state": entry.state, "result": row.headline, "run": entry.run}


def task_time(run: Path | None) -> str:
    """Median time of successes that an evaluation's run folder reports, '' for other runs."""
    path = None if run is None else run / REPORT
    if path is None or not path.is_file():
        return ""
    time_s = json.loads(path.read_text(encoding="utf-8")).get("task_time_s")
    return "" if time_s is None else f"{time_s:.1f} s"
