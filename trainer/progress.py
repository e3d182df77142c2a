"""Progress of long work: a bar with rate and time left in a terminal, elsewhere a line now and then."""

import math
import time
from collections.abc import Callable
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from core.statistics import wilson_interval

LINE_PERIOD_S = 10.0
"""Without a terminal (a log file, the window) a line is printed this often; the first one at once."""


def format_duration(seconds: float) -> str:
    """12 s, 3:05 min, 1:02:10 h; '-' when it is not known."""
    if not math.isfinite(seconds):
        return "-"
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    if hours:
        return f"{hours}:{minutes:02d}:{whole % 60:02d} h"
    return f"{minutes}:{whole % 60:02d} min" if minutes else f"{whole} s"


class JobProgress:
    """How far a job has come, of a known total. Use as a context manager."""

    def __init__(
        self, title: str, total: float, done: float = 0, console: Console | None = None,
        now: Callable[[], float] = time.monotonic, silent: bool = False,
    ) -> None:  # fmt: skip
        """`done` was done before: it counts for the bar, not for the rate. `silent`: within the bar of other work."""
        self.total = total
        self.done = done
        self._title = title
        self._before = done
        self._now = now
        self._console = console or Console(quiet=silent)
        self._started_s = now()
        self._printed_s = -math.inf
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[text]}"))
        self._bar = Progress(*columns, console=self._console, disable=silent or not self._console.is_terminal)
        self._task = self._bar.add_task(title, total=total, text="")
        self._bar.update(self._task, completed=done)

    def per_second(self, amount: float) -> float:
        """How much of something a second, when it has come to `amount` since the start of this run."""
        elapsed_s = self._now() - self._started_s
        return amount / elapsed_s if elapsed_s > 0 else 0.0

    @property
    def left_s(self) -> float:
        """Time left at the rate so far, infinite while nothing is done."""
        rate = self.per_second(self.done - self._before)
        return (self.total - self.done) / rate if rate > 0 else math.inf

    @property
    def count(self) -> str:
        """Done of the total."""
        return f"{self.done:g}/{self.total:g}"

    @property
    def note(self) -> str:
        """What is said between the count and the time left."""
        raise NotImplementedError

    @property
    def text(self) -> str:
        """Note and time left."""
        return f"{self.note}   {format_duration(self.left_s)} left"

    def refresh(self) -> None:
        """Show what is new, and time passing."""
        self._bar.update(self._task, completed=self.done, text=f"{self.count}   {self.text}")
        now_s = self._now()
        if not self._console.is_terminal and now_s - self._printed_s >= LINE_PERIOD_S:
            self._printed_s = now_s
            self._console.print(f"{self._title} {self.count}   {self.text}", highlight=False, soft_wrap=True)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()


class EpisodeProgress(JobProgress):
    """Progress of a job that runs episodes, with the success rate and its interval."""

    trials: int = 0
    "in this run"
    successes: int = 0

    @property
    def per_minute(self) -> float:
        """Episodes done a minute since the start of this run."""
        return 60.0 * self.per_second(self.done - self._before)

    @property
    def note(self) -> str:
        return f"{self.per_minute:.1f}/min   success {wilson_interval(self.successes, self.trials)}"

    def update(self, done: int, trials: int, successes: int) -> None:
        """New counts: episodes done of the total, and trials with their successes in this run."""
        self.done, self.trials, self.successes = done, trials, successes
        self.refresh()


class StepProgress(JobProgress):
    """Progress of a job that takes steps."""

    remark: str = ""

    @property
    def steps_per_second(self) -> float:
        """Since the start of this run."""
        return self.per_second(self.done - self._before)

    @property
    def note(self) -> str:
        rate = self.steps_per_second
        speed = f"{format_duration(1 / rate)} each" if 0 < rate < 0.5 else f"{rate:.1f}/s"
        return f"{speed}   {self.remark}"

    def update(self, done: int, remark: str) -> None:
        """Steps done of the total, and what to say about them."""
        self.done, self.remark = done, remark
        self.refresh()


class ShareProgress(JobProgress):
    """Progress of a training whose end is given by steps or by the clock: a share of 1, and steps a second."""

    steps: int = 0
    "taken in this run"
    remark: str = ""

    @property
    def count(self) -> str:
        return f"{100 * self.done:5.1f} %"

    @property
    def note(self) -> str:
        return f"{self.per_second(self.steps):,.0f} steps/s   {self.remark}"

    def update(self, share: float, steps: int, remark: str) -> None:
        """Share done, steps taken in this run, and what to say about them."""
        self.done, self.steps, self.remark = share, steps, remark
        self.refresh()
