"""Where the robots of a data set started: what the map of starts shows."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from core.data.dataset import Dataset
from core.data.errors import DatasetMissingError
from core.tasks.catalogue import STARTS
from core.tasks.starts import StartRanges
from trainer.dataset_measures import measures_of, starts_of


@dataclass(frozen=True)
class Starts:
    """Starts of a data set's episodes."""

    names: tuple[str, ...] = ()
    "of the episodes"
    success: tuple[bool, ...] = ()
    values: np.ndarray = field(default_factory=lambda: np.empty((0, 3)))
    "(E, 3): distance in m, bearing and heading in rad, relative to the object"
    ranges: StartRanges | None = None
    "of the task, None where it has none: there is no map then"
    measures: dict[str, float] = field(default_factory=dict)
    "coverage and quality, by name"


def load_starts(path: Path) -> Starts:
    """Read them. Nothing for a missing data set. Raises DatasetError."""
    try:
        dataset = Dataset(path)
    except DatasetMissingError:
        return Starts()
    episodes = list(dataset)
    values, task = starts_of(dataset, episodes), dataset.spec.task
    return Starts(
        tuple(e.info.name for e in episodes),
        tuple(e.info.success for e in episodes),
        np.empty((0, 3)) if values is None else values,
        STARTS.get(task),
        measures_of(task, episodes, values) if episodes else {},
    )


def positions(values: np.ndarray) -> np.ndarray:
    """(E, 2): where the robots stand when one looks from above and the object is at 0, its near side below."""
    distance, bearing = values[:, 0], values[:, 1]
    return np.stack((distance * np.sin(bearing), -distance * np.cos(bearing)), axis=1)


def directions(values: np.ndarray) -> np.ndarray:
    """(E, 2): unit vectors of where the robots look, in the same picture."""
    ahead = np.pi / 2 + values[:, 1] + values[:, 2]  # straight up for a robot in front that faces the object
    return np.stack((np.cos(ahead), np.sin(ahead)), axis=1)


def outline(ranges: StartRanges, points: int = 24) -> np.ndarray:
    """(P, 2): the border of the range of starts, closed."""
    bearing = np.linspace(*ranges.polar_rad, points)
    arcs = [np.stack((np.full(points, distance), bearing), axis=1) for distance in ranges.radial_m]
    ring = np.concatenate((arcs[0], arcs[1][::-1], arcs[0][:1]))
    return positions(ring)


def measures_text(measures: dict[str, float]) -> str:
    """Coverage and quality in a line, '' where they are not known."""
    parts = []
    if "start_coverage" in measures:
        parts.append(
            f"covers {100 * measures['start_coverage']:.0f} % of the start range "
            f"(SACo {measures['start_saco']:.2f}: 1 is as good as uniform)"
        )
        if measures["starts_outside"] > 0:
            parts.append(f"{100 * measures['starts_outside']:.0f} % outside")
    if "trajectory_quality" in measures:
        parts.append(f"quality TQ {measures['trajectory_quality']:.2f} (1: every episode as quick as the best)")
    return " · ".join(parts)
