"""Progress of a job that runs episodes: bar, rate, success with its interval, time left; lines without a terminal."""

import math
import time
from collections.abc import Callable
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from core.statistics import wilson_interval

LINE_PERIOD_S = 10.0
"""Without a terminal (a log file, the window) a line is printed this often."""


def format_duration(seconds: float) -> str:
    """12 s, 3:05 min, 1:02:10 h; '-' when it is not known."""
    if not math.isfinite(seconds):
        return "-"
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    if hours:
        return f"{hours}:{minutes:02d}:{whole % 60:02d} h"
    return f"{minutes}:{whole % 60:02d} min" if minutes else f"{whole} s"


class EpisodeProgress:
    """Shows how far a number of episodes has come. Use as a context manager."""

    def __init__(
        self, title: str, total: int, done: int = 0, console: Console | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        """`done` episodes are there already: they count for the bar, not for rate and success."""
        self.total = total
        self.done = done
        self.trials = 0
        self.successes = 0
        self._before = done
        self._now = now
        self._console = console or Console()
        self._started_s = now()
        self._printed_s = now()
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[text]}"),
        )
        self._bar = Progress(*columns, console=self._console, disable=not self._console.is_terminal)
        self._task = self._bar.add_task(title, total=total, completed=done, text="")
        self._title = title

    @property
    def per_minute(self) -> float:
        """Episodes done a minute since the start of this run."""
        elapsed = self._now() - self._started_s
        return 60.0 * (self.done - self._before) / elapsed if elapsed > 0 else 0.0

    @property
    def left_s(self) -> float:
        """Time left at this rate, infinite while nothing is done."""
        return 60.0 * (self.total - self.done) / self.per_minute if self.per_minute > 0 else math.inf

    @property
    def text(self) -> str:
        """What stands beside the bar."""
        success = wilson_interval(self.successes, self.trials)
        return f"{self.per_minute:.1f}/min   success {success}   {format_duration(self.left_s)} left"

    def update(self, done: int, trials: int, successes: int) -> None:
        """New counts: episodes done of the total, and trials with their successes in this run."""
        self.done, self.trials, self.successes = done, trials, successes
        self.refresh()

    def refresh(self) -> None:
        """Show time passing."""
        self._bar.update(self._task, completed=self.done, text=self.text)
        if not self._console.is_terminal and self._now() - self._printed_s >= LINE_PERIOD_S:
            self._printed_s = self._now()
            self._console.print(
                f"{self._title} {self.done}/{self.total}   {self.text}", highlight=False, soft_wrap=True
            )

    def __enter__(self) -> "EpisodeProgress":
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._bar.stop()


class StepProgress:
    """Progress of a job that takes steps: bar, rate, time left and a note; lines without a terminal."""

    def __init__(
        self, title: str, total: int, done: int = 0, console: Console | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        """`done` steps were taken before: they count for the bar, not for the rate."""
        self.total = total
        self.done = done
        self.note = ""
        self._before = done
        self._title = title
        self._now = now
        self._console = console or Console()
        self._started_s = now()
        self._printed_s = now()
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[text]}"),
        )
        self._bar = Progress(*columns, console=self._console, disable=not self._console.is_terminal)
        self._task = self._bar.add_task(title, total=total, completed=done, text="")

    @property
    def per_second(self) -> float:
        """Steps a second since the start of this run."""
        elapsed = self._now() - self._started_s
        return (self.done - self._before) / elapsed if elapsed > 0 else 0.0

    @property
    def text(self) -> str:
        """What stands beside the bar."""
        left_s = (self.total - self.done) / self.per_second if self.per_second > 0 else math.inf
        return f"{self.per_second:.1f}/s   {self.note}   {format_duration(left_s)} left"

    def update(self, done: int, note: str) -> None:
        """Steps done of the total, and what to say about them."""
        self.done, self.note = done, note
        self._bar.update(self._task, completed=done, text=self.text)
        if not self._console.is_terminal and self._now() - self._printed_s >= LINE_PERIOD_S:
            self._printed_s = self._now()
            self._console.print(f"{self._title} {done}/{self.total}   {self.text}", highlight=False, soft_wrap=True)

    def __enter__(self) -> "StepProgress":
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._bar.stop()
