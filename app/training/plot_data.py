"""From the curves of several runs to the lines of each plot: which scalars, which axis, how much smoothing (no Qt)."""

import csv
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from trainer.run_curves import Curve, RunCurves, smooth, thin

Axis = Literal["iterations", "steps", "minutes"]
Look = Literal["solid", "dashed", "dots"]
DEGREES = 180 / np.pi
DRAWN_POINTS = 1200
"""A line of more points looks the same and costs more."""
READ_S = 0.5
"""Long files are drawn while they are read: so often."""
FALLBACK_PLOTS = 6
"""Runs with none of the known scalars show their first ones."""


@dataclass(frozen=True)
class Scalar:
    """One scalar of a plot."""

    name: str
    label: str = ""
    look: Look = "solid"
    low: str = ""
    "scalars of its interval"
    high: str = ""


@dataclass(frozen=True)
class PlotSpec:
    """One plot."""

    key: str
    title: str
    unit: str
    scalars: tuple[Scalar, ...]
    scale: float = 1.0
    decimals: int = 3
    logarithmic: bool = False
    bounds: tuple[float, float] | None = None


def _rate(name: str, label: str, look: Look) -> Scalar:
    return Scalar(f"{name}/success_rate", label, look, f"{name}/success_low", f"{name}/success_high")


PARTS = tuple(
    Scalar(f"time/{name}_s", name.replace("_", " ")) for name in ("simulation", "sampling", "log_prob", "update")
)
SUCCESS = (
    _rate("explore", "exploring", "solid"),
    _rate("evaluate", "evaluated", "dots"),
    Scalar("collect/success_rate", "collecting"),
)
LOSSES = (Scalar("train/loss", "train"), Scalar("validation/loss", "validation", "dashed"))
PERCENT = (0.0, 100.0)
PLOTS: tuple[PlotSpec, ...] = (
    PlotSpec("success", "Success rate", "%", SUCCESS, 100.0, 0, bounds=PERCENT),
    PlotSpec("loss", "Loss", "", LOSSES, decimals=4, logarithmic=True),
    PlotSpec("tracking", "Hand position error", "mm", (Scalar("explore/hand_position_error_m"),), 1000.0, 1),
    PlotSpec("angle", "Hand angle error", "°", (Scalar("explore/hand_orientation_error_rad"),), DEGREES, 1),
    PlotSpec("kl", "KL of an iteration", "nats", (Scalar("learn/kl"),)),
    PlotSpec("clip", "Clipped", "%", (Scalar("learn/clip_fraction"),), 100.0, 1),
    PlotSpec("time", "Time of an iteration", "s", PARTS, decimals=1),
    PlotSpec("curriculum", "Start range", "% of the way", (Scalar("curriculum/share"),), 100.0, 0, bounds=PERCENT),
)


@dataclass(frozen=True)
class RunSource:
    """A run to plot."""

    key: str
    title: str
    colour: int
    "index into the colours of the theme; stays with the run while it is selected"
    curves: RunCurves


@dataclass(frozen=True, eq=False)
class Line:
    """x and y (n,) with the interval, where there is one; `raw` is y before smoothing. Equal to itself only."""

    run: str
    label: str
    colour: int
    look: Look
    x: np.ndarray
    y: np.ndarray
    low: tuple[np.ndarray, np.ndarray] | None = None
    high: tuple[np.ndarray, np.ndarray] | None = None
    raw: tuple[np.ndarray, np.ndarray] | None = None


@dataclass(frozen=True)
class Plot:
    """One plot with its lines."""

    spec: PlotSpec
    lines: tuple[Line, ...]


def read_more(
    sources: tuple[RunSource, ...], longest_s: float = READ_S, now: Callable[[], float] = time.monotonic
) -> bool:
    """Read piece by piece, all runs alike, for about `longest_s`. Returns whether there is more."""
    until_s, left = now() + longest_s, list(sources)
    while left:
        left = [source for source in left if source.curves.read()]
        if now() > until_s:
            break
    return bool(left)


class PlotBuilder:
    """Builds plots again and again; what did not change keeps its lines, the very same objects."""

    def __init__(self, most: int = DRAWN_POINTS) -> None:
        """`most` is about how many points of a line are drawn."""
        self._most = most
        self._known: dict[tuple[Any, ...], tuple[Line, ...]] = {}

    def build(
        self, sources: tuple[RunSource, ...], axis: Axis, strength: float, extra: tuple[str, ...] = ()
    ) -> tuple[Plot, ...]:
        """Every plot that has something to show, then a plot for each of the `extra` scalars."""
        before, self._known = self._known, {}
        several = len(sources) > 1

        def plot(spec: PlotSpec) -> Plot:
            lines: list[Line] = []
            for source in sources:
                key = (spec.key, source.key, source.colour, source.curves.changes, axis, strength, several)
                found = before.get(key)
                if found is None:
                    found = tuple(_lines(spec, source, several, axis, strength, self._most))
                self._known[key] = found
                lines += found
            return Plot(spec, tuple(lines))

        shown = [one for one in map(plot, PLOTS) if one.lines]
        names = extra or (() if shown else scalar_names(sources)[:FALLBACK_PLOTS])
        return (*shown, *(plot(spec_of(name)) for name in names))


def spec_of(name: str) -> PlotSpec:
    """The plot of a scalar that has none of its own."""
    return PlotSpec(name, name.replace("/", " · ").replace("_", " "), "", (Scalar(name),))


def scalar_names(sources: tuple[RunSource, ...]) -> tuple[str, ...]:
    """Scalars of the runs that no plot shows by itself."""
    known = {name for spec in PLOTS for s in spec.scalars for name in (s.name, s.low, s.high)}
    return tuple(dict.fromkeys(name for s in sources for name in s.curves.names if name not in known))


def _lines(spec: PlotSpec, source: RunSource, several: bool, axis: Axis, strength: float, most: int) -> Iterator[Line]:
    """Of one run. The parts of the time are coloured by part where there is one run, else only their sum is shown."""
    parts = spec.key == "time"
    if parts and several:
        total = _total(source.curves, spec.scalars)
        if total is not None:
            yield _line(spec, source, Scalar("time", "all parts"), total, source.colour, axis, strength, most)
        return
    for index, scalar in enumerate(spec.scalars):
        curve = source.curves.curve(scalar.name)
        if curve is not None and len(curve.step):
            yield _line(spec, source, scalar, curve, index if parts else source.colour, axis, strength, most)


def _total(curves: RunCurves, scalars: tuple[Scalar, ...]) -> Curve | None:
    """The sum of scalars that are told together."""
    found = [curve for scalar in scalars if (curve := curves.curve(scalar.name)) is not None and len(curve.step)]
    if not found:
        return None
    least = min(len(curve.step) for curve in found)
    total = np.sum([curve.value[:least] for curve in found], axis=0)
    return Curve(found[0].step[:least], found[0].minutes[:least], total)


def _line(
    spec: PlotSpec, source: RunSource, scalar: Scalar, curve: Curve, colour: int, axis: Axis, strength: float, most: int
) -> Line:
    x = _along(axis, curve, source.curves)
    y = spec.scale * curve.value
    smoothed = smooth(y, 0.0 if scalar.look == "dots" else strength)

    def bound(name: str) -> tuple[np.ndarray, np.ndarray] | None:
        found = source.curves.curve(name) if name else None
        if found is None or len(found.step) == 0:
            return None
        # an interval says how sure a value is; averaged over iterations it would say something else
        return thin(_along(axis, found, source.curves), spec.scale * found.value, most)

    raw = thin(x, y, most) if smoothed is not y else None
    thin_x, thin_y = thin(x, smoothed, most)
    low, high = bound(scalar.low), bound(scalar.high)
    return Line(source.title, scalar.label, colour, scalar.look, thin_x, thin_y, low, high, raw)


def _along(axis: Axis, curve: Curve, curves: RunCurves) -> np.ndarray:
    match axis:
        case "iterations":
            return curve.step
        case "minutes":
            return curve.minutes
        case "steps":
            return curves.steps_learned(curve.step)


def write_csv(path: Path, sources: tuple[RunSource, ...]) -> int:
    """Every scalar of the runs as run, scalar, iteration, minutes, value. Returns the number of rows."""
    count = 0
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("run", "scalar", "iteration", "minutes", "value"))
        for source in sources:
            for name in source.curves.names:
                curve = source.curves.curve(name)
                assert curve is not None
                rows = zip(curve.step, curve.minutes, curve.value)
                writer.writerows((source.title, name, f"{s:g}", f"{m:.4f}", repr(float(v))) for s, m, v in rows)
                count += len(curve.step)
    return count
