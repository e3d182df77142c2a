"""Where the base is: motion capture corrects what leg odometry and IMU predict, at the time at which it was seen.

Leg odometry is smooth and quick, but drifts, and is wrong while feet slide; motion capture is noisy and late, but true
in the long run. A predictor with a slow correction takes the best of both (a Luenberger observer with a velocity error
as second state). How good it is in simulation: docs/robot.md.
"""

import math
from collections import deque

from core.mocap.track import Sample
from core.teleop.poses import yaw_of
from core.teleop.samples import ZERO, Vector3

RATE_RAD_S = 5.0
"""Poles of the position's correction: an error of the prediction is gone after about half a second."""
YAW_S = 0.5
"""Time constant of the correction of the IMU's heading."""
KEPT_S = 0.5
"""Predictions that late samples are compared with."""
FAR_M = 0.3
"""A sample this far off is another place, not an error: people moved the robot."""
MAX_VELOCITY_ERROR_M_S = 0.2


class BaseFusion:
    """Call `predict` each control period, and `correct` with every sample of the trunk."""

    def __init__(self, rate_rad_s: float = RATE_RAD_S) -> None:
        self.pos_w: Vector3 = ZERO
        self.yaw_offset = 0.0
        "rad, to be added to the IMU's heading"
        self.velocity_error_w: Vector3 = ZERO
        "m/s, to be added to the leg odometry's velocity"
        self._rate = rate_rad_s
        self._past: deque[tuple[float, Vector3, float]] = deque()
        self._corrected_s: float | None = None

    def reset(self) -> None:
        """The next sample is taken as it is."""
        self.velocity_error_w = ZERO
        self._past.clear()
        self._corrected_s = None

    def predict(self, time_s: float, velocity_w: Vector3, imu_yaw: float) -> None:
        """The base moved by leg odometry's velocity until this time; imu_yaw: rad, of the IMU alone."""
        period_s = min(max(time_s - self._past[-1][0], 0.0), 0.1) if self._past else 0.0
        self.pos_w = _moved(self.pos_w, _moved(velocity_w, self.velocity_error_w, 1.0), period_s)
        self._past.append((time_s, self.pos_w, imu_yaw))
        while time_s - self._past[0][0] > KEPT_S:
            self._past.popleft()

    def correct(self, sample: Sample) -> None:
        """The trunk was seen. Samples from before the first prediction are left out."""
        then = self._at(sample.time_s)
        if then is None:
            return
        pos, imu_yaw = then
        miss = (sample.pos_w[0] - pos[0], sample.pos_w[1] - pos[1], sample.pos_w[2] - pos[2])
        turn = _wrapped(yaw_of(sample.quat_w) - imu_yaw - self.yaw_offset)
        if self._corrected_s is None or math.hypot(*miss) > FAR_M:
            self._shift(miss, 1.0)
            self.yaw_offset = _wrapped(self.yaw_offset + turn)
            self.velocity_error_w = ZERO
        else:
            gap_s = min(max(sample.time_s - self._corrected_s, 0.0), 0.1)
            self._shift(miss, 1.0 - math.exp(-2.0 * self._rate * gap_s))
            self.yaw_offset = _wrapped(self.yaw_offset + (1.0 - math.exp(-gap_s / YAW_S)) * turn)
            error = _moved(self.velocity_error_w, miss, self._rate**2 * gap_s)
            self.velocity_error_w = tuple(  # type: ignore[assignment]  # three numbers
                min(max(part, -MAX_VELOCITY_ERROR_M_S), MAX_VELOCITY_ERROR_M_S) for part in error
            )
        self._corrected_s = sample.time_s

    def _shift(self, miss: Vector3, share: float) -> None:
        self.pos_w = _moved(self.pos_w, miss, share)
        self._past = deque((time_s, _moved(pos, miss, share), yaw) for time_s, pos, yaw in self._past)

    def _at(self, time_s: float) -> tuple[Vector3, float] | None:
        """The prediction at a time, between two of them."""
        after = None
        for entry in reversed(self._past):
            if entry[0] <= time_s:
                if after is None:
                    return entry[1], entry[2]
                share = (time_s - entry[0]) / (after[0] - entry[0])
                way = (after[1][0] - entry[1][0], after[1][1] - entry[1][1], after[1][2] - entry[1][2])
                return _moved(entry[1], way, share), entry[2] + share * _wrapped(after[2] - entry[2])
            after = entry
        return None


def _moved(pos: Vector3, vel: Vector3, factor: float) -> Vector3:
    return pos[0] + factor * vel[0], pos[1] + factor * vel[1], pos[2] + factor * vel[2]


def _wrapped(angle: float) -> float:
    return math.remainder(angle, math.tau)
