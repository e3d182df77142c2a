"""Tables and progress bars of `refine-dp dataset`."""

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from core.data.check import Finding
from core.data.schema import EpisodeInfo
from core.statistics import wilson_interval

if TYPE_CHECKING:
    from core.replay import Replayed

WIDTH = 200
"""Columns where the output is no terminal."""


@contextmanager
def progress(title: str, total: int, quiet: bool = False) -> Iterator[Callable[[int], None]]:
    """A bar on the error stream; yields the function that moves it."""
    console = Console(file=sys.stderr)
    with Progress(console=console, transient=True, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task(title, total=total)
        yield lambda done: bar.update(task, completed=done)


def count(values: Iterable[str]) -> dict[str, int]:
    """How often each value occurs, most frequent first."""
    return dict(Counter(values).most_common())


def _print(table: Table) -> None:
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    console.print(table)


def show_summary(values: dict[str, Any]) -> None:
    """The result of `info`."""
    table = Table(title=values["path"], show_header=False)
    rows = {
        "task": values["task"],
        "episodes": values["episodes"],
        "success rate": str(wilson_interval(values["successes"], values["episodes"])),
        "samples": f"{values['samples']} at {values['command_hz']:g} Hz",
        "duration": f"{values['duration_s'] / 60:.1f} min",
        "observation": ", ".join(f"{name} {size}" for name, size in values["observation_sizes"].items()),
        "recorded": f"{values['first_date'][:19]} to {values['last_date'][:19]} UTC" if values["episodes"] else "-",
        "size": f"{values['bytes'] / 1e6:.1f} MB, {values['in_trash']} versions in the trash",
    }
    for what in ("sources", "backends", "labels"):
        rows[what] = ", ".join(f"{name or '(none)'} {n}" for name, n in values[what].items())
    for name, value in values.get("measures", {}).items():
        rows[name.replace("_", " ")] = f"{value:.2f}"
    if values["unfinished"]:
        rows["unfinished"] = f"{values['unfinished']} being recorded now, or left by a crash (`dataset recover`)"
    for name, value in rows.items():
        table.add_row(name, str(value))
    _print(table)


def show_episodes(title: str, infos: Sequence[EpisodeInfo], by_version: bool = False) -> None:
    """One row an episode."""
    table = Table(title=title)
    for column in ("episode", "samples", "duration s", "label", "reason", "source", "operator", "seed", "date"):
        table.add_column(column)
    for i in infos:
        name = i.version if by_version else i.name
        values = (i.num_samples, f"{i.duration_s:.1f}", i.label, i.reason, i.source, i.operator, i.seed, i.date[:19])
        table.add_row(name, *map(str, values))
    _print(table)


def show_findings(findings: Sequence[Finding], episodes: int) -> None:
    """The result of `check`."""
    if not findings:
        print(f"{episodes} episodes, nothing found")
        return
    table = Table(title=f"{len(findings)} findings in {episodes} episodes")
    for column in ("level", "kind", "episode", "field", "found", "allowed"):
        table.add_column(column)
    for f in findings:
        colour = "red" if f.level == "error" else "yellow"
        table.add_row(f"[{colour}]{f.level}[/]", f.kind, f.episode, f.field, f.value, f.allowed)
    _print(table)


def replay_summary(info: EpisodeInfo, result: "Replayed") -> dict[str, Any]:
    """Largest and last distances of a replay, as JSON."""
    return {
        "episode": info.name,
        "samples": len(result.base_position_m),
        "of": info.num_samples,
        "recorded_success": info.success,
        "replayed_success": result.success,
        "base_position_m": _largest_and_last(result.base_position_m),
        "base_rotation_rad": _largest_and_last(result.base_rotation_rad),
        "joint_position_rad": _largest_and_last(result.joint_position_rad),
        "object_position_m": {name: _largest_and_last(v) for name, v in result.object_position_m.items()},
        "observation_difference": {name: float(v.max()) for name, v in result.observation.items()},
    }


def _largest_and_last(values: np.ndarray) -> dict[str, float]:
    return {"largest": float(values.max()), "last": float(values[-1])}


def show_replays(results: Sequence[dict[str, Any]], mode: str) -> None:
    """The result of `replay`."""
    table = Table(title=f"replay of {mode}: largest (last) distance from the recording")
    for column in ("episode", "samples", "success", "base m", "base rad", "joints rad", "objects m", "observation"):
        table.add_column(column)
    verdict = {True: "yes", False: "no", None: "-"}
    for r in results:
        objects = ", ".join(f"{name} {_shown(v)}" for name, v in r["object_position_m"].items())
        observation = max(r["observation_difference"].values(), default=None)
        table.add_row(
            r["episode"],
            f"{r['samples']}/{r['of']}",
            f"{verdict[r['recorded_success']]} -> {verdict[r['replayed_success']]}",
            *(_shown(r[key]) for key in ("base_position_m", "base_rotation_rad", "joint_position_rad")),
            objects,
            "-" if observation is None else f"{observation:.2g}",
        )
    _print(table)


def _shown(values: dict[str, float]) -> str:
    return f"{values['largest']:.4f} ({values['last']:.4f})"
