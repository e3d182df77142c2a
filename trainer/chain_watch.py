"""A chain of queued jobs watched from a terminal: a bar for each, and a table at the end."""

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Table

from trainer.progress import LINE_PERIOD_S, format_duration
from trainer.queue.desk import QueueDesk
from trainer.queue.entry import ENDED, Entry
from trainer.queue.outcome import tail
from trainer.run_rows import RowReader, RunRow

POLL_S = 0.5
REPORT = "evaluation.json"


class ChainWatch:
    """Shows jobs of a queue until all have ended."""

    def __init__(self, desk: QueueDesk, numbers: Sequence[int], console: Console | None = None) -> None:
        self.desk = desk
        self.numbers = tuple(numbers)
        self._console = console or Console()
        self._rows = RowReader(desk.store)
        self._told_s = -LINE_PERIOD_S
        columns = (TextColumn("{task.description:<12}"), BarColumn(), TextColumn("{task.fields[text]}"))
        self._bars = Progress(*columns, console=self._console, disable=not self._console.is_terminal)

    def entries(self) -> list[Entry]:
        """The jobs as they are now."""
        return [self.desk.store.get(number) for number in self.numbers]

    def watch(
        self,
        stop_requested: Callable[[], bool],
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> bool:
        """Until all have ended; returns whether all did well. A stop asks the job at work to save and end."""
        asked = False
        with self._bars:
            bars = {
                number: self._bars.add_task(self.desk.store.get(number).job, total=1.0, text="")
                for number in self.numbers
            }
            while not all(entry.state in ENDED for entry in self.entries()):
                if stop_requested() and not asked:
                    asked = True
                    self._stop()
                self.desk.wake()  # a runner that was killed is replaced
                self._show(bars, now())
                sleep(POLL_S)
            self._show(bars, now())
        return all(entry.state == "finished" for entry in self.entries())

    def _stop(self) -> None:
        """What waits first, or it would be started at once."""
        for entry in reversed(self.entries()):
            if entry.state not in ENDED:
                self.desk.stop(entry.id)

    def _show(self, bars: dict[int, TaskID], now_s: float) -> None:
        rows = {row.entry.id: row for row in self._rows.read() if row.entry is not None and row.entry.id in bars}
        for number, row in rows.items():
            self._bars.update(bars[number], completed=row.done or 0.0, text=row_text(row))
        running = next((row for row in rows.values() if row.state == "running"), None)
        if not self._console.is_terminal and running is not None and now_s - self._told_s >= LINE_PERIOD_S:
            self._told_s = now_s
            place = self.numbers.index(running.entry.id) + 1 if running.entry is not None else 0
            share = "" if running.done is None else f"{100 * running.done:.0f} %   "
            self._console.print(
                f"[{place}/{len(self.numbers)}] {running.job}   {share}{row_text(running)}",
                highlight=False, markup=False, soft_wrap=True,
            )  # fmt: skip

    # ------------------------------------------------------------------ the end

    def tell_end(self) -> None:
        """A table of what was measured; for jobs that did not finish, why, and how to go on."""
        table = Table(title="what was measured", box=None, header_style="bold")
        for title in ("job", "state", "result", "task time", "took"):
            table.add_column(title, overflow="fold")
        rows = {row.entry.id: row for row in self._rows.read() if row.entry is not None}
        for entry in self.entries():
            table.add_row(*self._cells(entry, rows[entry.id]))
        self._console.print(table)
        for entry in self.entries():
            self._tell_remedy(entry)

    def _cells(self, entry: Entry, row: RunRow) -> tuple[str, ...]:
        took = (
            "" if entry.started_s is None or entry.ended_s is None else format_duration(entry.ended_s - entry.started_s)
        )
        return entry.title, entry.state, row.headline or row.message, task_time(row.path), took

    def _tell_remedy(self, entry: Entry) -> None:
        if entry.state in ("finished", "skipped"):
            return
        if entry.state != "stopped":
            self._console.print("\n".join(tail(self.desk.store.log_path(entry.id), 8)), highlight=False, markup=False)
        self._console.print(
            f"{entry.title} {entry.state}{': ' if entry.message else ''}{entry.message}; go on with: "
            f"refine-dp queue resume {entry.id} --runs {self.desk.store.root}",
            highlight=False, markup=False, soft_wrap=True,
        )  # fmt: skip


def row_text(row: RunRow) -> str:
    """State, result so far and time left of a job."""
    left = "" if row.left_s is None else f"{format_duration(row.left_s)} left"
    return "   ".join(part for part in (row.state, row.headline or row.message, left) if part)


def task_time(run: Path | None) -> str:
    """Median time of successes that an evaluation's run folder reports, '' for other runs."""
    path = None if run is None else run / REPORT
    if path is None or not path.is_file():
        return ""
    time_s = json.loads(path.read_text(encoding="utf-8")).get("task_time_s")
    return "" if time_s is None else f"{time_s:.1f} s"
