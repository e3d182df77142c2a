"""Charts as SVG text: bars with intervals, histograms, counts, a map of starts, curves. No library, no network."""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

BLUE, ORANGE, GREEN, RED, PURPLE, SKY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9"
"""Okabe and Ito's colours (2008): told apart by everybody."""
SERIES = (BLUE, ORANGE, GREEN, PURPLE, RED, SKY)
INK, GREY, FAINT = "#333940", "#6b727c", "#dfe3e8"
FONT = "font-family='system-ui, Segoe UI, Helvetica, Arial, sans-serif'"
WIDTH = 560


@dataclass(frozen=True)
class Bar:
    """A rate with its interval."""

    label: str
    rate: float
    low: float
    high: float
    note: str = ""


@dataclass(frozen=True)
class Point:
    """A place on a curve, with the interval of its height."""

    x: float
    y: float
    low: float
    high: float


@dataclass(frozen=True)
class Frame:
    """The plot area inside a picture, and how data lie in it."""

    left: float
    top: float
    width: float
    height: float
    x_range: tuple[float, float]
    y_range: tuple[float, float] = (0.0, 1.0)

    def x(self, value: float) -> float:
        """Picture coordinate."""
        low, high = self.x_range
        return self.left + self.width * (value - low) / (high - low)

    def y(self, value: float) -> float:
        """Picture coordinate: upwards."""
        low, high = self.y_range
        return self.top + self.height * (1.0 - (value - low) / (high - low))


def picture(title: str, height: float, parts: Sequence[str], width: float = WIDTH) -> str:
    """The SVG element with a white ground, readable in any page and by screen readers."""
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width:g} {height:g}' width='{width:g}' "
        f"height='{height:g}' role='img' aria-label='{escape(title, quote=True)}' {FONT} font-size='12'>"
        f"<rect width='{width:g}' height='{height:g}' fill='#ffffff'/>"
        f"{text(12, 20, title, size=14, weight='600')}{''.join(parts)}</svg>"
    )


def text(
    x: float, y: float, words: str, anchor: str = "start", colour: str = INK, size: float = 12, weight: str = "400"
) -> str:
    """A line of text."""
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}' fill='{colour}' font-size='{size:g}' "
        f"font-weight='{weight}'>{escape(words)}</text>"
    )


def line(x1: float, y1: float, x2: float, y2: float, colour: str = INK, width: float = 1.0) -> str:
    """A straight line."""
    return f"<line x1='{x1:.1f}' y1='{y1:.1f}' x2='{x2:.1f}' y2='{y2:.1f}' stroke='{colour}' stroke-width='{width:g}'/>"


def box(x: float, y: float, width: float, height: float, colour: str, title: str = "") -> str:
    """A filled rectangle; the title is shown by the pointer."""
    hint = f"<title>{escape(title)}</title>" if title else ""
    return (
        f"<rect x='{x:.1f}' y='{y:.1f}' width='{max(width, 0):.1f}' height='{max(height, 0):.1f}' "
        f"fill='{colour}'>{hint}</rect>"
    )


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers inside a range, about `count` of them."""
    if not high > low:
        return [low]
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(first * step + i * step, 12) for i in range(int((high - first * step) / step + 1e-9) + 1)]


def _x_axis(frame: Frame, values: Sequence[float], labels: Sequence[str], title: str) -> str:
    bottom = frame.top + frame.height
    parts = [line(frame.left, bottom, frame.left + frame.width, bottom, INK)]
    for value, label in zip(values, labels):
        parts.append(line(frame.x(value), frame.top, frame.x(value), bottom, FAINT))
        parts.append(text(frame.x(value), bottom + 16, label, "middle"))
    parts.append(text(frame.left + frame.width / 2, bottom + 34, title, "middle", GREY))
    return "".join(parts)


def _y_axis(frame: Frame, values: Sequence[float], labels: Sequence[str]) -> str:
    parts = []
    for value, label in zip(values, labels):
        parts.append(line(frame.left, frame.y(value), frame.left + frame.width, frame.y(value), FAINT))
        parts.append(text(frame.left - 8, frame.y(value) + 4, label, "end"))
    return "".join(parts)


def success_bars(title: str, bars: Sequence[Bar]) -> str:
    """Success rates with their intervals, one bar a row."""
    row, top, left = 34, 36, 30 + 7 * max(len(bar.label) for bar in bars)
    frame = Frame(left, top, WIDTH - left - 96, row * len(bars), (0.0, 1.0))
    marks = [0.0, 0.25, 0.5, 0.75, 1.0]
    parts = [_x_axis(frame, marks, [f"{100 * m:.0f} %" for m in marks], "success rate, 95 % interval")]
    for i, bar in enumerate(bars):
        y = top + row * i + 7
        middle = y + (row - 14) / 2
        hint = f"{bar.label}: {100 * bar.rate:.1f} % [{100 * bar.low:.1f}, {100 * bar.high:.1f}] {bar.note}".strip()
        parts.append(box(left, y, frame.x(bar.rate) - left, row - 14, SERIES[i % len(SERIES)], hint))
        parts.append(line(frame.x(bar.low), middle, frame.x(bar.high), middle, INK, 1.6))
        parts += [line(frame.x(v), middle - 5, frame.x(v), middle + 5, INK, 1.6) for v in (bar.low, bar.high)]
        parts.append(text(left - 10, middle + 4, bar.label, "end"))
        parts.append(text(left + frame.width + 10, middle + 4, f"{100 * bar.rate:.1f} % {bar.note}".strip()))
    return picture(title, top + frame.height + 46, parts)


def histogram(title: str, unit: str, groups: Mapping[str, Sequence[float]], bins: int = 24) -> str:
    """Distributions side by side in each bin, with a line at every median."""
    values = [value for group in groups.values() for value in group]
    if not values:
        return picture(title, 60, [text(12, 44, "no values", colour=GREY)])
    low, high = min(values), max(values)
    pad = 0.02 * (high - low) or 0.5
    low, high = low - pad, high + pad
    counts = {name: _binned(group, low, high, bins) for name, group in groups.items()}
    top_count = max(max(row) for row in counts.values())
    frame = Frame(48, 52, WIDTH - 64, 150, (low, high), (0.0, float(top_count)))
    marks, heights = ticks(low, high, 7), [v for v in ticks(0, top_count, 4) if v == int(v)]
    parts = [_y_axis(frame, heights, [f"{v:.0f}" for v in heights])]
    parts.append(_x_axis(frame, marks, [f"{m:g}" for m in marks], unit))
    for g, (name, row) in enumerate(counts.items()):
        parts.append(_histogram_bars(frame, row, g, len(groups), name))
        parts.append(_median_line(frame, groups[name], SERIES[g % len(SERIES)]))
    names = [f"{name}: median {statistics.median(group):.3g}" if group else name for name, group in groups.items()]
    parts.append(legend(names, 48, 40))
    return picture(title, frame.top + frame.height + 46, parts)


def _binned(values: Sequence[float], low: float, high: float, bins: int) -> list[int]:
    counts = [0] * bins
    for value in values:
        counts[min(int((value - low) / (high - low) * bins), bins - 1)] += 1
    return counts


def _histogram_bars(frame: Frame, row: Sequence[int], group: int, groups: int, name: str) -> str:
    slot = frame.width / len(row)
    width = (slot - 2) / groups
    bars = [
        box(
            frame.left + i * slot + 1 + group * width,
            frame.y(count),
            width,
            frame.y(0) - frame.y(count),
            SERIES[group % len(SERIES)],
            f"{name}: {count}",
        )
        for i, count in enumerate(row)
        if count
    ]
    return "".join(bars)


def _median_line(frame: Frame, values: Sequence[float], colour: str) -> str:
    if not values:
        return ""
    x = frame.x(statistics.median(values))
    return line(x, frame.top, x, frame.top + frame.height, colour, 2)


def legend(names: Sequence[str], x: float, y: float) -> str:
    """Coloured squares with names."""
    parts = []
    for i, name in enumerate(names):
        parts.append(box(x, y - 9, 10, 10, SERIES[i % len(SERIES)]))
        parts.append(text(x + 14, y, name))
        x += 30 + 7 * len(name)
    return "".join(parts)


def count_bars(title: str, counts: Mapping[str, Mapping[str, int]]) -> str:
    """Counts by reason, one group of bars a reason: `counts[series][reason]`."""
    reasons = list(dict.fromkeys(reason for row in counts.values() for reason in row))
    most = max([count for row in counts.values() for count in row.values()] or [0])
    bar, top = 16, 36 + 16 * (len(counts) > 1)
    group = bar * len(counts) + 10
    frame = Frame(110, top, WIDTH - 170, group * len(reasons), (0.0, max(most, 1)))
    marks = [v for v in ticks(0, max(most, 1), 5) if v == int(v)]
    parts = [_x_axis(frame, marks, [f"{m:.0f}" for m in marks], "episodes")]
    for r, reason in enumerate(reasons):
        parts.append(text(100, top + group * r + group / 2 + 4, reason, "end"))
        for s, (name, row) in enumerate(counts.items()):
            y, count = top + group * r + 5 + bar * s, row.get(reason, 0)
            parts.append(box(110, y, frame.x(count) - 110, bar - 2, SERIES[s % len(SERIES)], f"{name}: {count}"))
            parts.append(text(frame.x(count) + 6, y + 12, str(count), size=11))
    if len(counts) > 1:
        parts.append(legend(list(counts), 48, 36))
    return picture(title, top + frame.height + 46, parts)


def stacked_bars(title: str, x_title: str, rows: Mapping[str, Mapping[str, int]]) -> str:
    """Counts by reason, one bar a row, the reasons one after the other."""
    reasons = list(dict.fromkeys(reason for row in rows.values() for reason in row))
    most = max([sum(row.values()) for row in rows.values()] + [1])
    height, top, left = 30, 52, 30 + 7 * max(len(label) for label in rows)
    frame = Frame(left, top, WIDTH - left - 60, height * len(rows), (0.0, most))
    marks = [v for v in ticks(0, most, 5) if v == int(v)]
    parts = [_x_axis(frame, marks, [f"{m:.0f}" for m in marks], x_title)]
    for r, (label, row) in enumerate(rows.items()):
        y, done = top + height * r + 5, 0
        parts.append(text(left - 10, y + 15, label, "end"))
        for i, reason in enumerate(reasons):
            count = row.get(reason, 0)
            width = frame.x(done + count) - frame.x(done)
            parts.append(box(frame.x(done), y, width, height - 10, SERIES[i % len(SERIES)], f"{reason}: {count}"))
            done += count
        parts.append(text(frame.x(done) + 6, y + 15, str(done), size=11))
    parts.append(legend(reasons, 48, 40))
    return picture(title, top + frame.height + 46, parts)


def start_map(title: str, starts: Sequence[tuple[float, float, bool]]) -> str:
    """Where the robot began (x, y in m in front of the object at the origin), by success: dots and crosses."""
    if not starts:
        return picture(title, 60, [text(12, 44, "this task has no object to measure from", colour=GREY)])
    xs, ys = [x for x, _, _ in starts] + [0.0], [y for _, y, _ in starts] + [0.0]
    x_range, y_range = (min(xs) - 0.15, max(xs) + 0.15), (min(ys) - 0.15, max(ys) + 0.15)
    scale = min((WIDTH - 80) / (x_range[1] - x_range[0]), 360 / (y_range[1] - y_range[0]))
    frame = Frame(
        56, 56, scale * (x_range[1] - x_range[0]), scale * (y_range[1] - y_range[0]), x_range, y_range
    )  # fmt: skip
    marks, heights = ticks(*x_range, 5), ticks(*y_range, 5)
    parts = [_y_axis(frame, heights, [f"{v:g}" for v in heights])]
    parts.append(_x_axis(frame, marks, [f"{m:g}" for m in marks], "m, in the object's frame (object at 0, 0)"))
    parts.append(box(frame.x(0) - 5, frame.y(0) - 5, 10, 10, INK, "object"))
    parts += [_start_mark(frame.x(x), frame.y(y), success) for x, y, success in sorted(starts, key=lambda s: not s[2])]
    parts.append(_start_mark(62, 40, True) + text(72, 44, "success"))
    parts.append(_start_mark(142, 40, False) + text(152, 44, "failure"))
    return picture(title, frame.top + frame.height + 46, parts)


def _start_mark(x: float, y: float, success: bool) -> str:
    if success:
        return f"<circle cx='{x:.1f}' cy='{y:.1f}' r='3' fill='{BLUE}' fill-opacity='0.55'/>"
    return line(x - 4, y - 4, x + 4, y + 4, RED, 1.8) + line(x - 4, y + 4, x + 4, y - 4, RED, 1.8)


def curves(title: str, x_title: str, series: Mapping[str, Sequence[Point]], linear: bool = False) -> str:
    """Success against a positive number on a logarithmic or a linear axis, with intervals as bands."""
    xs = sorted({point.x for points in series.values() for point in points})
    place: Callable[[float], float] = float if linear else math.log10
    marks, margin = (ticks(xs[0], xs[-1], 8), 0.5) if linear else (xs, 0.05)
    frame = Frame(56, 52, WIDTH - 76, 240, (place(xs[0]) - margin, place(xs[-1]) + margin), (0.0, 1.0))
    heights = [0.0, 0.25, 0.5, 0.75, 1.0]
    parts = [_y_axis(frame, heights, [f"{100 * h:.0f} %" for h in heights])]
    parts.append(_x_axis(frame, [place(x) for x in marks], [f"{x:g}" for x in marks], x_title))
    for i, points in enumerate(series.values()):
        placed = [(frame.x(place(p.x)), p) for p in sorted(points, key=lambda point: point.x)]
        parts.append(_curve(frame, placed, SERIES[i % len(SERIES)]))
    parts.append(legend(list(series), 56, 40))
    return picture(title, frame.top + frame.height + 46, parts)


def _curve(frame: Frame, placed: Sequence[tuple[float, Point]], colour: str) -> str:
    """Through points with their horizontal picture coordinates."""
    edge = [f"{x:.1f},{frame.y(p.high):.1f}" for x, p in placed]
    edge += [f"{x:.1f},{frame.y(p.low):.1f}" for x, p in reversed(placed)]
    path = " ".join(f"{x:.1f},{frame.y(p.y):.1f}" for x, p in placed)
    band = f"<polygon points='{' '.join(edge)}' fill='{colour}' fill-opacity='0.15'/>"
    way = f"<polyline points='{path}' fill='none' stroke='{colour}' stroke-width='2'/>"
    dots = []
    for x, p in placed:
        hint = f"{p.x:g}: {100 * p.y:.1f} % [{100 * p.low:.1f}, {100 * p.high:.1f}]"
        dots.append(line(x, frame.y(p.low), x, frame.y(p.high), colour, 1.4))
        dots.append(
            f"<circle cx='{x:.1f}' cy='{frame.y(p.y):.1f}' r='3.5' fill='{colour}'><title>{hint}</title></circle>"
        )
    return band + way + "".join(dots)
