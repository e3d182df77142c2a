"""What queue and run folders say, a row a job: state, progress, time left, result. Cheap to read every second."""

import json
import math
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from core.statistics import wilson_interval
from trainer.queue.entry import Entry
from trainer.queue.outcome import GONE
from trainer.queue.store import QueueStore
from trainer.runs import Run, RunError, list_runs

TAIL_BYTES = 65_536
"""So much of the end of events.jsonl is read."""
QUIET_S = 120.0
"""A rate is taken over at least this much of the latest progress, where there is as much."""


@dataclass(frozen=True)
class Progress:
    """What the newest events say."""

    done: float | None = None
    "share, 0 to 1"
    rate_per_s: float | None = None
    "share a second"
    told_s: float = 0.0
    "epoch time of the newest progress"
    headline: str = ""
    "the result so far"
    success: float | None = None
    "newest success rate, for sorting"


@dataclass(frozen=True)
class RunRow:
    """One job: in the queue, as a run folder, or both."""

    entry: Entry | None
    path: Path | None
    "run folder, once there is one"
    job: str
    state: str
    started_s: float
    "epoch time at which it was started, or added while it waits"
    done: float | None = None
    "share, 0 to 1; None when the job did not say"
    left_s: float | None = None
    "time left at the rate of the last minutes; only while it runs"
    headline: str = ""
    success: float | None = None
    message: str = ""
    pid: int | None = None

    @property
    def key(self) -> str:
        """Stays the same while the row changes."""
        return f"#{self.entry.id}" if self.entry is not None else str(self.path)

    @property
    def title(self) -> str:
        """As the window names it."""
        return self.entry.title if self.entry is not None else self.path.name if self.path is not None else self.job


class RowReader:
    """Reads rows again and again; what did not change on the disk is not read again."""

    def __init__(self, store: QueueStore) -> None:
        self._store = store
        self._progress: dict[Path, tuple[tuple[int, int], Progress]] = {}

    def read(self, now_s: float | None = None) -> tuple[RunRow, ...]:
        """Jobs that wait or run in their order, then everything that has ended, newest first."""
        now_s = time.time() if now_s is None else now_s
        entries = self._store.entries()
        by_run = {Path(entry.run): entry for entry in entries if entry.run is not None}
        rows = [self._entry_row(entry, now_s) for entry in entries]
        for run in list_runs(self._store.root):
            if run.path not in by_run:
                rows += self._run_rows(run, now_s)
        order = {"running": 0, "waiting": 1}
        waiting = {entry.id: index for index, entry in enumerate(entries)}

        def place(row: RunRow) -> tuple[float, float]:
            if row.state == "waiting" and row.entry is not None:
                return order["waiting"], waiting[row.entry.id]
            return order.get(row.state, 2), -row.started_s

        return tuple(sorted(rows, key=place))

    def _entry_row(self, entry: Entry, now_s: float) -> RunRow:
        path = Path(entry.run) if entry.run is not None and (Path(entry.run) / "run.json").is_file() else None
        started_s = entry.started_s or entry.created_s
        pid = None if entry.process is None else entry.process.pid
        job = " ".join((entry.job, *entry.arguments[:1])) if entry.job == "train-controller" else entry.job
        row = RunRow(entry, path, job, entry.state, started_s, message=entry.message, pid=pid)
        return row if path is None or entry.state == "waiting" else self._with_progress(row, path, now_s)

    def _run_rows(self, run: Run, now_s: float) -> Iterator[RunRow]:
        try:
            info, status = run.info(), run.read_status()
        except RunError:
            return
        started_s = datetime.fromisoformat(info.created).timestamp()
        message = status.message or (GONE if status.state == "killed" else "")
        row = RunRow(None, run.path, info.job, status.state, started_s, message=message, pid=status.pid)
        yield self._with_progress(row, run.path, now_s)

    def _with_progress(self, row: RunRow, path: Path, now_s: float) -> RunRow:
        progress = self._read_progress(path / "events.jsonl")
        left_s = None
        if row.state == "running" and progress.done is not None and progress.rate_per_s:
            left_s = max((1.0 - progress.done) / progress.rate_per_s - (now_s - progress.told_s), 0.0)
        done = 1.0 if row.state == "finished" else progress.done
        return replace(row, done=done, left_s=left_s, headline=progress.headline, success=progress.success)

    def _read_progress(self, path: Path) -> Progress:
        try:
            stat = path.stat()
        except OSError:
            return Progress()
        stamp = (stat.st_size, stat.st_mtime_ns)
        known = self._progress.get(path)
        if known is None or known[0] != stamp:
            self._progress[path] = known = (stamp, progress_of(list(newest_events(path))))
        return known[1]


def read_rows(store: QueueStore) -> tuple[RunRow, ...]:
    """All rows, read once."""
    return RowReader(store).read()


def newest_events(path: Path) -> Iterator[dict[str, Any]]:
    """The events at the end of a file, in order; torn lines are left out."""
    try:
        with path.open("rb") as file:
            start = max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES)
            file.seek(start)
            lines = file.read().split(b"\n")
    except OSError:
        return
    for line in lines[1:] if start else lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict):
            yield event


def progress_of(events: list[dict[str, Any]]) -> Progress:
    """Share done, rate and result, from events in order. The rate counts from the last start on."""
    points: list[tuple[float, float]] = []
    rated, losses, success = "", {}, None
    for event in events:
        if event.get("kind") == "status" and event.get("state") == "running":
            points.clear()
        share = _share(event)
        if share is not None:
            points.append((float(event.get("time_s", 0.0)), share))
        said, rate = _success_of(event)
        rated, success = (said, rate) if said else (rated, success)
        losses |= _losses_of(event)
    headline = " · ".join((*filter(None, [rated]), *(f"{name} {value:.4f}" for name, value in sorted(losses.items()))))
    if not points:
        return Progress(headline=headline, success=success)
    return Progress(points[-1][1], _rate(points), points[-1][0], headline, success)


def _share(event: dict[str, Any]) -> float | None:
    done, total = event.get("done", math.nan), event.get("total", math.nan)
    return min(done / total, 1.0) if _is_number(done) and _is_number(total) and total > 0 else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _rate(points: list[tuple[float, float]]) -> float | None:
    last_s, last = points[-1]
    first_s, first = next((p for p in reversed(points) if last_s - p[0] >= QUIET_S), points[0])
    return (last - first) / (last_s - first_s) if last_s > first_s and last > first else None


def _success_of(event: dict[str, Any]) -> tuple[str, float | None]:
    """(words, success rate) of an event that tells a success rate with its interval."""
    match event.get("kind"):
        case "evaluation" if _is_number(event.get("success_rate")):
            return _percent(event["success_rate"], *event.get("ci95", (math.nan, math.nan)))
        case "result" if _is_number(event.get("kept")):
            p = wilson_interval(int(event.get("successes", 0)), int(event.get("trials", 0)))
            return f"{event['kept']} recorded · {_percent(p.rate, p.low, p.high)[0]}", p.rate
        case "scalars" if isinstance(event.get("values"), dict):
            return _success_of_scalars(event["values"])
    return "", None


def _percent(rate: float, low: float, high: float) -> tuple[str, float | None]:
    if not _is_number(rate):
        return "", None
    return f"success {100 * rate:.0f} % ({100 * low:.0f}–{100 * high:.0f})", float(rate)


def _success_of_scalars(values: dict[str, Any]) -> tuple[str, float | None]:
    for group in ("evaluate", "explore"):
        if _is_number(values.get(f"{group}/success_rate")):
            return _percent(*(values.get(f"{group}/success_{part}", math.nan) for part in ("rate", "low", "high")))
    return "", None


def _losses_of(event: dict[str, Any]) -> dict[str, float]:
    values = event.get("values")
    names = {"train/loss": "loss", "validation/loss": "validation"}
    return {short: values[name] for name, short in names.items() if _is_number(values.get(name))} if values else {}
