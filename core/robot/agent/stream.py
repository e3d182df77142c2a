"""The stream of low-level frames: what every 2 ms frame is, limited in position, velocity and step (time injected)."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from core.robot.gains import DAMPING_KD
from core.robot.view import Frame
from core.t1.model import ARMS, LEGS, LOWER_LIMIT, NUM_JOINTS, UPPER_LIMIT, VELOCITY_LIMIT

LEG_MARGIN_RAD = 0.6
"""Leg targets may lie beyond the joint limits: a spring needs the distance to push against a load."""
MAX_FRAME_S = 0.0028
"""A late frame allows no larger step than this time would: frames that queue up behind it arrive at once."""

_LOWER, _UPPER = LOWER_LIMIT.copy(), UPPER_LIMIT.copy()
_LOWER[LEGS] -= LEG_MARGIN_RAD
_UPPER[LEGS] += LEG_MARGIN_RAD
WHOLE_BODY = np.ones(NUM_JOINTS, dtype=bool)
ARMS_ONLY = np.isin(np.arange(NUM_JOINTS), ARMS)

SLOW_SHARE = 0.1
"""Share of their speed with which arms begin to follow a controller whose pose may be another one."""

Phase = Literal["off", "hold", "damping"]


@dataclass
class Blend:
    """A quantity that goes from one value to another in a given time."""

    begin: np.ndarray
    end: np.ndarray
    since_s: float
    seconds: float

    def at(self, now_s: float) -> np.ndarray:
        """(29,) now."""
        part = 1.0 if self.seconds <= 0 else min(1.0, max(0.0, (now_s - self.since_s) / self.seconds))
        return self.begin + part * (self.end - self.begin)


class Stream:
    """Poses and gains over time. Only `frame` makes frames, so that nothing goes round the limits."""

    def __init__(self, arm_speed_rad_s: float = float("inf")) -> None:
        """arm_speed_rad_s: arms move no faster than this, all joints no faster than rated."""
        self.phase: Phase = "off"
        self.joints = WHOLE_BODY
        "joints that are driven; the others get no gains at all"
        self.limited_speed = 0
        "frames in which a target was slowed down"
        self.limited_position = 0
        "frames in which a target was kept within the limits"
        self._rate = np.where(ARMS_ONLY, np.minimum(VELOCITY_LIMIT, arm_speed_rad_s), VELOCITY_LIMIT)
        self._arm_share = Blend(np.ones(1), np.ones(1), 0.0, 0.0)
        self._pose = Blend(np.zeros(NUM_JOINTS), np.zeros(NUM_JOINTS), 0.0, 0.0)
        self._kp = Blend(np.zeros(NUM_JOINTS), np.zeros(NUM_JOINTS), 0.0, 0.0)
        self._kd = Blend(np.zeros(NUM_JOINTS), np.zeros(NUM_JOINTS), 0.0, 0.0)
        self._q = np.zeros(NUM_JOINTS)
        self._last_s = float("-inf")

    @property
    def q(self) -> np.ndarray:
        """(29,) what the last frame asked for."""
        return self._q

    def begin(self, q: np.ndarray, kp: np.ndarray, kd: np.ndarray, joints: np.ndarray, now_s: float) -> None:
        """Hold the given pose from the next frame on; the only call that may jump."""
        self.joints = joints
        self._q = np.clip(q, _LOWER, _UPPER)
        self._pose = Blend(self._q, self._q, now_s, 0.0)
        self._kp, self._kd = Blend(kp, kp, now_s, 0.0), Blend(kd, kd, now_s, 0.0)
        self._last_s = now_s
        self.phase = "hold"

    def go_to(self, q: np.ndarray, seconds: float, now_s: float) -> None:
        """Move to a pose in a time. Raises ValueError when it is not finite: nothing of it is taken over."""
        if not np.isfinite(q).all():
            raise ValueError(f"a joint target is not a number: {np.flatnonzero(~np.isfinite(q)).tolist()}")
        clipped = np.clip(q, _LOWER, _UPPER)
        self.limited_position += bool((np.abs(clipped - q) > 1e-6)[self.joints].any())
        self._pose = Blend(self._q.copy(), clipped, now_s, seconds)

    def change_gains(self, kp: np.ndarray, kd: np.ndarray, seconds: float, now_s: float) -> None:
        """Change the gains in a time."""
        self._kp = Blend(self._kp.at(now_s), kp, now_s, seconds)
        self._kd = Blend(self._kd.at(now_s), kd, now_s, seconds)

    def start_slowly(self, seconds: float, now_s: float) -> None:
        """Arms reach their full speed only after this time."""
        self._arm_share = Blend(np.full(1, SLOW_SHARE), np.ones(1), now_s, seconds)

    def freeze(self, now_s: float) -> None:
        """Hold what was asked for last."""
        self._pose = Blend(self._q.copy(), self._q.copy(), now_s, 0.0)

    def damp(self, joints: np.ndarray) -> None:
        """No stiffness from the next frame on."""
        self.joints = joints
        self.phase = "damping"

    def off(self) -> None:
        """Send nothing."""
        self.phase = "off"

    def frame(self, now_s: float) -> Frame | None:
        """The frame to send now, None for none."""
        if self.phase == "off":
            return None
        if self.phase == "damping":
            return Frame(self._q, np.zeros(NUM_JOINTS), np.where(self.joints, DAMPING_KD, 0.0))
        rate = np.where(ARMS_ONLY, self._arm_share.at(now_s) * self._rate, self._rate)
        reach = rate * min(max(now_s - self._last_s, 0.0), MAX_FRAME_S)
        self._last_s = now_s
        wanted = self._pose.at(now_s)
        step = np.clip(wanted - self._q, -reach, reach)
        self.limited_speed += bool((np.abs(wanted - self._q - step) > 1e-6)[self.joints].any())
        self._q = self._q + step
        kp, kd = self._kp.at(now_s), self._kd.at(now_s)
        return Frame(self._q, np.where(self.joints, kp, 0.0), np.where(self.joints, kd, 0.0))
