"""Replay of a recorded episode: recorded states shown again at any time and speed; nothing is simulated."""

from dataclasses import dataclass, field

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

    def __post_init__(self) -> None:
        if len(self.time_s) == 0:
            raise ValueError(f"{self.title}: the episode has no samples; nothing to replay")


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
        index = int(np.searchsorted(self.states.time_s, self.position_s + 1e-9, side="right")) - 1
        return max(index, 0)

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
        """The pose at the position, interpolated: samples are 0.1 s apart, the picture is drawn 30 times a second."""
        s, i = self.states, self.index
        j = min(i + 1, len(s.time_s) - 1)
        step = s.time_s[j] - s.time_s[i]
        share = float(np.clip((self.position_s - s.time_s[i]) / step, 0.0, 1.0)) if step > 0 else 0.0
        base = blend_pose(s.base_pose_w[i], s.base_pose_w[j], share)
        hands = None
        if s.command_hand_pose_w is not None:
            hands = s.command_hand_pose_w[i]  # a command is held until the next one
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
