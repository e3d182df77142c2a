"""Reading and changing a data set for the window: plain functions that run on the background thread."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from app.replay import RecordedStates
from core.data.dataset import Dataset, Episode
from core.data.episodes import DatasetWriter
from core.data.errors import DatasetLockedError
from core.data.schema import ROBOT, EpisodeInfo
from core.tasks.scene import Scene
from trainer.typed_json import from_json

ROBOT_STATES = f"states/articulation/{ROBOT}"
OBJECT_STATES = "states/rigid_object"
TIME_FIELD = "timestamps/sim_s"
LOCK_WAIT_S = 3.0
LOCK_RETRY_S = 0.05


@dataclass(frozen=True)
class FieldSeries:
    """One array of an episode, ready to plot."""

    episode: str
    name: str
    unit: str
    time_s: np.ndarray
    "(T,)"
    values: np.ndarray
    "(T, K)"
    columns: tuple[str, ...]
    "K names"


def list_episodes(path: Path) -> tuple[EpisodeInfo, ...]:
    """Attributes of every episode; empty while the file does not exist yet."""
    if not path.exists():
        return ()
    return tuple(episode.info for episode in Dataset(path))


def list_fields(path: Path, name: str) -> tuple[str, ...]:
    """Paths of the arrays of an episode that have one row a sample."""
    episode = Dataset(path).episode(name)
    prefixes = ("actions", "obs/", "states/", "timestamps/", "rewards", "dones")
    return tuple(field for field in episode.array_names if field.startswith(prefixes))


def load_field(path: Path, name: str, field: str) -> FieldSeries:
    """One array with its time and the names of its columns."""
    dataset = Dataset(path)
    episode = dataset.episode(name)
    arrays = episode.arrays((field, TIME_FIELD))
    values = np.asarray(arrays[field], dtype=float)
    values = values.reshape(len(values), -1)
    unit = next((f.unit for f in dataset.spec.fields() if f.name == field), "")
    time_s = arrays[TIME_FIELD] - arrays[TIME_FIELD][0]
    return FieldSeries(name, field, unit, time_s, values, _column_names(dataset, field, values.shape[1]))


def _column_names(dataset: Dataset, field: str, count: int) -> tuple[str, ...]:
    spec, last = dataset.spec, field.rpartition("/")[2]
    known = {
        "actions": spec.action_names,
        "joint_position": spec.joint_names,
        "joint_velocity": spec.joint_names,
        "root_pose": ("x", "y", "z", "qw", "qx", "qy", "qz"),
        "root_velocity": ("vx", "vy", "vz", "wx", "wy", "wz"),
        "gripper_opening": ("left", "right"),
    }.get(last, ())
    if len(known) == count:
        return tuple(known)
    return (last,) if count == 1 else tuple(f"{last}[{i}]" for i in range(count))


def load_states(path: Path, name: str) -> RecordedStates:
    """What the 3-D view needs to replay an episode."""
    dataset = Dataset(path)
    episode = dataset.episode(name)
    arrays = episode.arrays([n for n in episode.array_names if n.startswith(("states/", "physics/")) or n in _OTHERS])
    base = np.asarray(arrays[f"{ROBOT_STATES}/root_pose"], dtype=float)
    time_s = np.asarray(arrays[TIME_FIELD], dtype=float)
    return RecordedStates(
        title=_title(path, episode),
        time_s=time_s - time_s[0],
        base_pose_w=base,
        joint_pos=np.asarray(arrays[f"{ROBOT_STATES}/joint_position"], dtype=float),
        gripper_opening=np.asarray(arrays[f"{ROBOT_STATES}/gripper_opening"], dtype=float),
        object_pose_w=_object_poses(arrays, len(base)),
        object_size=_by_object(arrays, "physics/object_size/"),
        command_hand_pose_w=hand_poses_w(np.asarray(arrays["actions"], dtype=float), base),
        scene=_scene(dataset),
    )


_OTHERS = ("actions", TIME_FIELD)


def _title(path: Path, episode: Episode) -> str:
    info = episode.info
    return f"{info.name} of {path.name} · {info.label} · {info.source} · {info.duration_s:.1f} s"


def _object_poses(arrays: dict[str, np.ndarray], count: int) -> dict[str, np.ndarray]:
    """Free objects as recorded, fixed ones where the episode had put them."""
    prefix, suffix = f"{OBJECT_STATES}/", "/root_pose"
    poses = {n[len(prefix) : -len(suffix)]: a for n, a in arrays.items() if n.startswith(prefix) and n.endswith(suffix)}
    for name, pos in _by_object(arrays, "physics/fixed_object_pos/").items():
        poses[name] = np.tile(np.concatenate((pos, (1.0, 0.0, 0.0, 0.0))), (count, 1))
    return {name: np.asarray(pose, dtype=float) for name, pose in poses.items()}


def _by_object(arrays: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {n[len(prefix) :]: np.asarray(a, float).reshape(-1) for n, a in arrays.items() if n.startswith(prefix)}


def _scene(dataset: Dataset) -> Scene | None:
    scene = dataset.spec.scene
    return from_json(Scene, dict(scene)) if scene else None


def hand_poses_w(actions: np.ndarray, base_pose_w: np.ndarray) -> np.ndarray:
    """(T, 2, 7) commanded hand frames in the world, from action vectors (T, 19) and Trunk poses (T, 7)."""
    count = len(actions)
    pos_b, quat_b = actions[:, 3:9].reshape(count, 2, 3), actions[:, 9:17].reshape(count, 2, 4)
    base_quat = np.repeat(base_pose_w[:, None, 3:], 2, axis=1)
    pos_w = base_pose_w[:, None, :3] + quat_rotate(base_quat, pos_b)
    return np.concatenate((pos_w, quat_multiply(base_quat, quat_b)), axis=-1)


def quat_rotate(quat: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """Rotate (..., 3) by wxyz quaternions (..., 4). core.rigid does this in torch, which the window never loads."""
    w, u = quat[..., :1], quat[..., 1:]
    t = 2.0 * np.cross(u, vector)
    return vector + w * t + np.cross(u, t)


def quat_multiply(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Hamilton product (..., 4) of wxyz quaternions."""
    w = a[..., :1] * b[..., :1] - (a[..., 1:] * b[..., 1:]).sum(-1, keepdims=True)
    v = a[..., :1] * b[..., 1:] + b[..., :1] * a[..., 1:] + np.cross(a[..., 1:], b[..., 1:])
    return np.concatenate((w, v), axis=-1)


def edit(path: Path, change: Callable[[DatasetWriter], Any], wait_s: float = LOCK_WAIT_S) -> str:
    """Change a data set; waits for the recorder to let go of it. Returns what was done, for the log.

    Raises DatasetLockedError when another process keeps the data set.
    """
    deadline = time.monotonic() + wait_s
    while True:
        try:
            with DatasetWriter.open(path) as writer:
                result = change(writer)
                return result.describe() if hasattr(result, "describe") else ""
        except DatasetLockedError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(LOCK_RETRY_S)
