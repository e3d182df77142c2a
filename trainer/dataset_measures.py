"""Two numbers on the episodes of a data set (no torch): coverage of the task's start range, and trajectory quality."""

from collections.abc import Sequence, Set

import numpy as np

from core.data.dataset import Dataset, Episode
from core.data.measures import recorded_starts, start_coverage, trajectory_quality
from core.tasks.catalogue import STARTS, TIME_LIMITS_S


def dataset_measures(dataset: Dataset, uuids: Set[str] | None = None) -> dict[str, float]:
    """Measures of some episodes (None: all); see `measures_of`."""
    episodes = [e for e in dataset if uuids is None or e.info.uuid in uuids]
    return measures_of(dataset.spec.task, episodes, starts_of(dataset, episodes))


def starts_of(dataset: Dataset, episodes: Sequence[Episode]) -> np.ndarray | None:
    """(E, 3): distance, bearing and heading of the robot at the start of each episode; None where the task has none."""
    names = dataset.spec.object_names
    return recorded_starts(episodes, names[0]) if episodes and names and dataset.spec.task in STARTS else None


def measures_of(task: str, episodes: Sequence[Episode], starts: np.ndarray | None) -> dict[str, float]:
    """Measures of episodes with their starts (E, 3); those of the starts only for a task whose start ranges are known.

    trajectory_quality: TQ; start_coverage: share of the cells of the start range; start_saco: the same relative to as
    many uniform starts; starts_outside: share of the starts outside the range. Empty for an unknown task.
    """
    if task not in TIME_LIMITS_S:
        return {}
    success = np.array([e.info.success for e in episodes], dtype=bool)
    duration = np.array([e.info.duration_s for e in episodes])
    measures = {"trajectory_quality": trajectory_quality(success, duration, TIME_LIMITS_S[task])}
    if starts is not None:
        ranges = STARTS[task]
        coverage = start_coverage(starts, (ranges.radial_m, ranges.polar_rad, ranges.heading_rad))
        measures["start_coverage"] = coverage.occupied
        measures["start_saco"] = coverage.saco
        measures["starts_outside"] = coverage.outside
    return measures
