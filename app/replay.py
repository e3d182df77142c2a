"""Replay of a recorded episode: recorded states shown again at any time and speed; nothing is simulated."""

from dataclasses import dataclass, field, replace

import numpy as np

from app.scene_pose import Ghosts, ScenePose
from core.tasks.scene import Scene

SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0)


@dataclass(frozen=True)
class RecordedStates:
    """The states of one episode, T samples. Arrays are never written after they are put here."""

    title: str
    "what is replayed, for the banner"
    time_s: np.ndarray
    "(T,) s from the start, rising"
    base_pose_w: np.ndarray
    "(T, 7)"
    joint_pos: np.ndarray
    "(T, 29)"
    gripper_opening: np.ndarray
    "(T, 2) m"
    object_pose_w: dict[str, np.ndarray] = field(default_factory=dict)
    "name -> (T, 7)"
    object_size: dict[str, np.ndarray] = field(default_factory=dict)
    "name -> (3,)"
    command_hand_pose_w: np.ndarray | None = None
    "(T, 2, 7) commanded hand frames"
    scene: Scene | None = None
    "the scene recorded with the data set; None keeps the one shown"
    beside: "RecordedStates | None" = None
    "the same commands simulated again, shown translucent in the same picture"

    def __post_init__(self) -> None:
        if len(self.time_s) == 0:
            raise ValueError(f"{self.title}: the episode has no samples; nothing to replay")

    @property
    def free_objects(self) -> tuple[str, ...]:
        """Objects that can move."""
        names = tuple(self.object_pose_w)
        return (
            names if self.scene is None else tuple(n for n in names if n in {o.name for o in self.scene.free_objects})
        )


class Replay:
    """A position in an episode that moves with the display clock."""

    def __init__(self, states: RecordedStates) -> None:
        self.states = states
        self.speed = 1.0
        self.playing = True
        self.position_s = 0.0

    @property
    def duration_s(self) -> float:
        """Time of the last sample."""
        return float(self.states.time_s[-1])

    @property
    def index(self) -> int:
        """The sample shown: the newest one at or before the position."""
        return index_at(self.states, self.position_s)

    def advance(self, seconds: float) -> None:
        """Move on by display time; stops at the end."""
        if not self.playing:
            return
        self.position_s = min(self.position_s + seconds * self.speed, self.duration_s)
        if self.position_s >= self.duration_s:
            self.playing = False

    def play(self) -> None:
        """Go on, from the start when at the end."""
        if self.position_s >= self.duration_s:
            self.position_s = 0.0
        self.playing = True

    def pause(self) -> None:
        """Stand still."""
        self.playing = False

    def seek(self, position_s: float) -> None:
        """Jump."""
        self.position_s = float(np.clip(position_s, 0.0, self.duration_s))

    def step(self, samples: int) -> None:
        """Move by whole samples, standing still."""
        self.playing = False
        index = int(np.clip(self.index + samples, 0, len(self.states.time_s) - 1))
        self.position_s = float(self.states.time_s[index])

    def pose(self) -> ScenePose:
        """The pose at the position, with that of the simulation beside it."""
        pose, other = pose_at(self.states, self.position_s), self.states.beside
        return pose if other is None else replace(pose, beside=pose_at(other, self.position_s))

    def apart(self) -> str:
        """How far the simulation beside it is from the recording now, '' without one."""
        pose = self.pose()
        other = pose.beside
        if other is None:
            return ""
        joints = np.sqrt(np.mean((pose.joint_pos - other.joint_pos) ** 2))
        words = [f"base {100 * np.linalg.norm(pose.base_pos_w - other.base_pos_w):.1f} cm", f"joints {joints:.3f} rad"]
        for name, at in pose.object_pose_w.items():
            there = other.object_pose_w.get(name)
            if there is not None and name in self.states.free_objects:
                words.append(f"{name} {100 * np.linalg.norm(at[:3] - there[:3]):.1f} cm")
        return "apart: " + ", ".join(words)


def index_at(states: RecordedStates, position_s: float) -> int:
    """The newest sample at or before a time."""
    index = int(np.searchsorted(states.time_s, position_s + 1e-9, side="right")) - 1
    return max(index, 0)


def pose_at(states: RecordedStates, position_s: float) -> ScenePose:
    """The pose at a time, interpolated: samples are 0.1 s apart, the picture is drawn 30 times a second."""
    s, i = states, index_at(states, position_s)
    j = min(i + 1, len(s.time_s) - 1)
    step = s.time_s[j] - s.time_s[i]
    share = float(np.clip((position_s - s.time_s[i]) / step, 0.0, 1.0)) if step > 0 else 0.0
    base = blend_pose(s.base_pose_w[i], s.base_pose_w[j], share)
    # a command is held until the next one
    hands = None if s.command_hand_pose_w is None else s.command_hand_pose_w[i]
    return ScenePose(
        base_pos_w=base[:3],
        base_quat_w=base[3:],
        joint_pos=blend(s.joint_pos[i], s.joint_pos[j], share),
        gripper_opening=blend(s.gripper_opening[i], s.gripper_opening[j], share),
        object_pose_w={name: blend_pose(p[i], p[j], share) for name, p in s.object_pose_w.items()},
        object_size=s.object_size,
        ghosts=Ghosts(hand_pose_w=hands),
    )


def blend(a: np.ndarray, b: np.ndarray, share: float) -> np.ndarray:
    """Between two vectors: a at 0, b at 1."""
    return (1.0 - share) * a + share * b


def blend_pose(a: np.ndarray, b: np.ndarray, share: float) -> np.ndarray:
    """Between two poses (7,): straight line, and the shorter arc by normalised linear interpolation."""
    nearer = b[3:] if a[3:] @ b[3:] >= 0 else -b[3:]
    quat = blend(a[3:], nearer, share)
    return np.concatenate((blend(a[:3], b[:3], share), quat / np.linalg.norm(quat)))
