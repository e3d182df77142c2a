"""Two numbers on a data set (no torch): how much of the starts it covers, and how good its episodes are.

After 'A Dataset Perspective on Offline Reinforcement Learning' (Schweighofer et al., 2022): state-action coverage
(SACo) counts distinct cells relative to a reference data set; trajectory quality (TQ) is the mean return between the
worst and the best known. Here cells are those of the task's start variables, because an episode's start decides what
a planner meets, and the reference is as many starts drawn uniformly from the task's range.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from core.data.dataset import Episode
from core.data.errors import DatasetError
from core.data.schema import ROBOT

BINS = 4
"""Cells per start variable: 64 cells for three."""


@dataclass(frozen=True)
class Coverage:
    """How the starts fill the task's range."""

    occupied: float
    "share of the cells with at least one start"
    expected: float
    "the same share to be expected of as many uniform starts"
    outside: float
    "share of the starts outside the range"

    @property
    def saco(self) -> float:
        """Coverage relative to uniform starts: 1 as good, below 1 clumped."""
        return self.occupied / self.expected if self.expected else 0.0


def start_coverage(values: np.ndarray, ranges: Sequence[tuple[float, float]], bins: int = BINS) -> Coverage:
    """Coverage of start variables (E, V) over a (low, high) each. Raises ValueError when the sizes disagree."""
    if values.ndim != 2 or values.shape[1] != len(ranges):
        raise ValueError(f"{len(ranges)} ranges need values of shape (E, {len(ranges)}), got {values.shape}")
    low, high = np.array(ranges, float).T
    share = (values - low) / np.maximum(high - low, 1e-12)
    inside = ((share >= 0) & (share <= 1)).all(axis=1)
    cells = np.minimum((share[inside] * bins).astype(int), bins - 1)
    total = bins ** len(ranges)
    count = len(values)
    return Coverage(
        occupied=len(np.unique(cells, axis=0)) / total,
        expected=1.0 - (1.0 - 1.0 / total) ** count,
        outside=1.0 - float(inside.mean()) if count else 0.0,
    )


def trajectory_quality(success: np.ndarray, duration_s: np.ndarray, time_limit_s: float) -> float:
    """Mean return relative to the best episode; a success returns the share of the time limit it left, a failure 0.

    1: every episode is as good as the best one. 0 without a success.
    """
    returns = np.where(success, 1.0 - np.asarray(duration_s) / time_limit_s, 0.0).clip(0.0)
    return float(returns.mean() / returns.max()) if len(returns) and returns.max() > 0 else 0.0


def start_variables(robot_pose: np.ndarray, object_pose: np.ndarray) -> np.ndarray:
    """(E, 3): distance in m, bearing and heading in rad of robots (E, 7) relative to objects (E, 7), as in B101.

    Bearing: of the robot seen from the object, 0 in front of its -x side. Heading: the robot's yaw relative to the
    direction to the object.
    """
    offset = robot_pose[:, :2] - object_pose[:, :2]
    direction = np.arctan2(offset[:, 1], offset[:, 0])
    bearing = _wrap(direction - _yaw(object_pose[:, 3:7]) - np.pi)
    heading = _wrap(_yaw(robot_pose[:, 3:7]) - direction - np.pi)
    return np.stack([np.linalg.norm(offset, axis=1), bearing, heading], axis=1)


def recorded_starts(episodes: Iterable[Episode], object_name: str) -> np.ndarray:
    """`start_variables` (E, 3) of recorded episodes (a `Dataset` is one of those).

    Of an episode without its initial state (a data set of another program) the first sample counts.
    """
    paths = (f"articulation/{ROBOT}/root_pose", f"rigid_object/{object_name}/root_pose")
    poses = [_first_poses(episode, paths) for episode in episodes]
    robot, thing = np.array(poses, float).reshape(-1, 2, 7).transpose(1, 0, 2)
    return start_variables(robot, thing)


def _first_poses(episode: Episode, paths: Sequence[str]) -> list[np.ndarray]:
    try:
        arrays = episode.arrays([f"initial_state/{path}" for path in paths])
    except DatasetError:
        arrays = episode.arrays([f"states/{path}" for path in paths])
    return [array[0] for array in arrays.values()]


def _yaw(quat: np.ndarray) -> np.ndarray:
    w, x, y, z = quat.T
    return np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))


def _wrap(angle: np.ndarray) -> np.ndarray:
    return np.remainder(angle + np.pi, 2 * np.pi) - np.pi
