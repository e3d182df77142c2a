"""Two numbers on the episodes of a data set: coverage of the task's start range, and trajectory quality."""

from collections.abc import Set

import numpy as np

from core.data.dataset import Dataset
from core.data.measures import recorded_starts, start_coverage, trajectory_quality
from core.tasks.box_pickup import BoxPickup
from core.tasks.catalogue import make_task


def dataset_measures(dataset: Dataset, uuids: Set[str] | None = None) -> dict[str, float]:
    """Measures of some episodes (None: all); those of the starts only for a task whose start ranges are known.

    trajectory_quality: TQ; start_coverage: share of the cells of the start range; start_saco: the same relative to as
    many uniform starts; starts_outside: share of the starts outside the range.
    """
    episodes = [e for e in dataset if uuids is None or e.info.uuid in uuids]
    spec = dataset.spec
    task = make_task(spec.task, 1)
    success = np.array([e.info.success for e in episodes], dtype=bool)
    duration = np.array([e.info.duration_s for e in episodes])
    measures = {"trajectory_quality": trajectory_quality(success, duration, task.time_limit_s)}
    if isinstance(task, BoxPickup) and spec.object_names and episodes:
        starts = recorded_starts(episodes, spec.object_names[0])
        ranges = task.starts
        coverage = start_coverage(starts, (ranges.radial_m, ranges.polar_rad, ranges.heading_rad))
        measures["start_coverage"] = coverage.occupied
        measures["start_saco"] = coverage.saco
        measures["starts_outside"] = coverage.outside
    return measures
