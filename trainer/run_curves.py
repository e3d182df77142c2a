"""The scalars of a run as curves, read from events.jsonl a piece at a time; no torch."""

import json
from array import array
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

PIECE_BYTES = 1 << 18
DECISIONS = "explore/decisions"
"""Decisions of an iteration of fine-tuning: their sum is how many steps the planner has learned from."""


@dataclass
class _Points:
    """One scalar; arrays grow in place."""

    step: array = field(default_factory=lambda: array("d"))
    minutes: array = field(default_factory=lambda: array("d"))
    value: array = field(default_factory=lambda: array("d"))

    def add(self, step: float, minutes: float, value: float) -> None:
        """A resumed run repeats steps that it had lost: what came after them is forgotten."""
        while self.step and self.step[-1] >= step:
            for column in (self.step, self.minutes, self.value):
                column.pop()
        self.step.append(step)
        self.minutes.append(minutes)
        self.value.append(value)


@dataclass(frozen=True)
class Curve:
    """One scalar of a run: step, minutes of work and value, each (n,)."""

    step: np.ndarray
    minutes: np.ndarray
    value: np.ndarray


class RunCurves:
    """What one events.jsonl says so far. Not to be used by two threads at a time."""

    def __init__(self, path: Path) -> None:
        """`path` is the file; it may not exist yet."""
        self._path = path
        self._offset = 0
        self._points: dict[str, _Points] = {}
        self._last_s: float | None = None
        self._active_s = 0.0
        self.changes = 0
        "grows whenever something was read"

    def read(self) -> bool:
        """Read the next piece. Returns whether there is more."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                piece = file.read(PIECE_BYTES)
        except OSError:
            return False
        if piece.rfind(b"\n") < 0 and len(piece) == PIECE_BYTES:
            with self._path.open("rb") as file:  # a line longer than a piece
                file.seek(self._offset)
                piece = file.readline()
        whole = piece[: piece.rfind(b"\n") + 1]
        if not whole:
            return False
        self._offset += len(whole)
        self.changes += 1
        for line in whole.splitlines():
            self._take_line(line)
        return len(piece) >= PIECE_BYTES

    def _take_line(self, line: bytes) -> None:
        try:
            event = json.loads(line)
        except ValueError:
            return
        if isinstance(event, dict):
            self._take(event)

    def _take(self, event: dict[str, Any]) -> None:
        time_s = event.get("time_s")
        if isinstance(time_s, int | float):
            begins = event.get("kind") == "status" and event.get("state") == "running"
            if self._last_s is not None and not begins:  # a pause between two processes is no work
                self._active_s += max(time_s - self._last_s, 0.0)
            self._last_s = time_s
        values, step = event.get("values"), event.get("step")
        if event.get("kind") != "scalars" or not isinstance(values, dict) or not isinstance(step, int | float):
            return
        minutes = self._active_s / 60.0
        for name, value in values.items():
            if isinstance(value, int | float):
                points = self._points.get(name)
                if points is None:
                    points = self._points[name] = _Points()
                points.add(step, minutes, value)

    @property
    def names(self) -> tuple[str, ...]:
        """Every scalar, in the order in which they appeared."""
        return tuple(self._points)

    def curve(self, name: str) -> Curve | None:
        """A scalar, None when the run has none of that name."""
        points = self._points.get(name)
        if points is None:
            return None
        return Curve(*(np.array(column, dtype=float) for column in (points.step, points.minutes, points.value)))

    def steps_learned(self, step: np.ndarray) -> np.ndarray:
        """How many decisions the planner had learned from at each step; the step itself where none are counted."""
        decisions = self.curve(DECISIONS)
        if decisions is None or len(decisions.step) == 0:
            return step
        return np.interp(step, decisions.step, np.cumsum(decisions.value))


def smooth(value: np.ndarray, strength: float) -> np.ndarray:
    """Exponential average of the points so far, each counting `strength` times the next one; NaN counts nothing.

    `strength` 0 changes nothing. Raises ValueError outside [0, 1).
    """
    if not 0.0 <= strength < 1.0:
        raise ValueError(f"strength must lie in [0, 1), got {strength}")
    if strength == 0.0 or len(value) < 2:
        return value
    length = min(len(value), int(np.ceil(np.log(1e-3) / np.log(strength))) + 1)
    kernel = strength ** np.arange(length)
    known = np.isfinite(value)
    weight = np.convolve(known.astype(float), kernel)[: len(value)]
    total = np.convolve(np.where(known, value, 0.0), kernel)[: len(value)]
    return np.divide(total, weight, out=np.full(len(value), np.nan), where=weight > 0)


def thin(x: np.ndarray, y: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """At most about `most` points that look the same on a screen: the lowest and highest of each bucket."""
    if len(x) <= most:
        return x, y
    size = int(np.ceil(2 * len(x) / most))
    whole = len(x) // size * size
    buckets = np.nan_to_num(y[:whole].reshape(-1, size), nan=0.0)
    first = np.arange(0, whole, size)
    picked = np.unique(
        np.concatenate((first + buckets.argmin(axis=1), first + buckets.argmax(axis=1), [0, len(x) - 1]))
    )
    return x[picked], y[picked]
