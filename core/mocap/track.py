"""One body over time: smoothed pose and velocity (alpha-beta filter), what is refused, and how good the samples are."""

import math
from collections import deque
from dataclasses import dataclass
from typing import Literal

from core.mocap.frame import RigidBody
from core.mocap.turns import rotation_vector, turned
from core.teleop.poses import IDENTITY
from core.teleop.samples import ZERO, Quaternion, Vector3

SMOOTHING_S = 0.05
"""Memory of the filter: at 90 Hz it halves the noise, and follows a constant velocity without lag."""
JUMP_M, JUMP_RAD = 0.06, 0.35
"""A sample further from where it should be is refused: bodies do not jump."""
UNSEEN_M_S, UNSEEN_RAD_S = 2.0, 4.0
"""While a body is not seen it may move this fast."""
SEEN_M_S, SEEN_RAD_S = 0.1, 0.1
"""While something is seen at another place, the place where the body is believed grows by no more than this."""
WINDOW = 180
"""Samples that noise and rate are computed from: 2 s at 90 Hz."""
MAX_AHEAD_S = 0.1
"""No further than this is a pose extrapolated."""

Refusal = Literal["", "not seen", "not a number", "jumped"]


@dataclass(frozen=True)
class Estimate:
    """A body now."""

    pos_w: Vector3
    quat_w: Quaternion
    lin_vel_w: Vector3
    ang_vel_w: Vector3


@dataclass(frozen=True)
class Sample:
    """One accepted measurement."""

    time_s: float
    pos_w: Vector3
    quat_w: Quaternion


@dataclass(frozen=True)
class Quality:
    """How good the samples of the last two seconds are. NaN: too few."""

    rate_hz: float
    noise_m: float
    "rms of one axis"
    noise_rad: float
    "rms of one axis"
    seen_share: float
    "of the frames"
    residual_m: float


class Track:
    """Feed it every frame's body with the time of its exposure."""

    def __init__(self) -> None:
        self.refusal: Refusal = "not seen"
        "why the last sample was not taken, '' when it was"
        self.jumps = 0
        self.not_finite = 0
        self.last_s = float("-inf")
        "exposure of the last accepted sample"
        self._jumped_s: float | None = None
        self._pos, self._quat = ZERO, IDENTITY
        self._vel: Vector3 = ZERO
        self._turn: Vector3 = ZERO
        self._samples: deque[Sample] = deque(maxlen=WINDOW)
        self._seen: deque[bool] = deque(maxlen=WINDOW)
        self._frame_s: deque[float] = deque(maxlen=WINDOW)
        self._residual = math.nan

    @property
    def ever(self) -> bool:
        """Whether it was seen at all."""
        return math.isfinite(self.last_s)

    def forget(self) -> None:
        """The next sample is believed wherever it is."""
        self.last_s, self._jumped_s = float("-inf"), None

    def add(self, time_s: float, body: RigidBody) -> bool:
        """Whether the sample was taken."""
        self._frame_s.append(time_s)
        self.refusal = self._judge(time_s, body)
        self._seen.append(not self.refusal)
        if self.refusal:
            if self.refusal == "jumped":
                self.jumps += 1
                self._jumped_s = time_s if self._jumped_s is None else self._jumped_s
            self.not_finite += self.refusal == "not a number"
            return False
        if time_s <= self.last_s:
            return False  # overtaken by a later frame
        length = math.hypot(*body.quat_w)
        w, x, y, z = (part / length for part in body.quat_w)
        self._follow(Sample(time_s, body.pos_w, (w, x, y, z)))
        self._residual = body.residual_m
        return True

    def miss(self, time_s: float) -> None:
        """A frame without this body."""
        self._frame_s.append(time_s)
        self._seen.append(False)
        self.refusal = "not seen"

    def at(self, time_s: float) -> Estimate:
        """Extrapolated to a time, a little."""
        ahead_s = min(max(time_s - self.last_s, 0.0), MAX_AHEAD_S)
        quat = turned(self._quat, _scaled(self._turn, ahead_s))
        return Estimate(_moved(self._pos, self._vel, ahead_s), quat, self._vel, self._turn)

    def quality(self) -> Quality:
        """Of the last two seconds."""
        samples = list(self._samples)
        span_s = self._frame_s[-1] - self._frame_s[0] if len(self._frame_s) > 1 else math.nan
        rate_hz = (len(self._frame_s) - 1) / span_s if span_s > 0 else math.nan
        seen = sum(self._seen) / len(self._seen) if self._seen else 0.0
        return Quality(rate_hz, *_noise(samples), seen, self._residual)

    # ------------------------------------------------------------------ details

    def _judge(self, time_s: float, body: RigidBody) -> Refusal:
        if not body.tracked:
            return "not seen"
        if not body.finite():
            return "not a number"
        if not self.ever:
            return ""
        jumped_s = time_s if self._jumped_s is None else self._jumped_s
        unseen_s, seen_s = max(jumped_s - self.last_s, 0.0), max(time_s - jumped_s, 0.0)
        expected = self.at(time_s)
        far = math.dist(expected.pos_w, body.pos_w) > JUMP_M + UNSEEN_M_S * unseen_s + SEEN_M_S * seen_s
        turn = math.hypot(*rotation_vector(expected.quat_w, body.quat_w))
        turned_over = turn > JUMP_RAD + UNSEEN_RAD_S * unseen_s + SEEN_RAD_S * seen_s
        return "jumped" if far or turned_over else ""

    def _follow(self, sample: Sample) -> None:
        gap_s = sample.time_s - self.last_s
        self._samples.append(sample)
        if not math.isfinite(gap_s) or gap_s > 10 * SMOOTHING_S:
            self._pos, self._quat, self._vel, self._turn = sample.pos_w, sample.quat_w, ZERO, ZERO
        else:
            keep = math.exp(-gap_s / SMOOTHING_S)
            alpha, beta = 1.0 - keep * keep, (1.0 - keep) ** 2  # critically damped
            pos = _moved(self._pos, self._vel, gap_s)
            quat = turned(self._quat, _scaled(self._turn, gap_s))
            miss = _minus(sample.pos_w, pos)
            miss_turn = rotation_vector(quat, sample.quat_w)
            self._pos = _moved(pos, miss, alpha)
            self._quat = turned(quat, _scaled(miss_turn, alpha))
            self._vel = _moved(self._vel, miss, beta / gap_s)
            self._turn = _moved(self._turn, miss_turn, beta / gap_s)
        self.last_s, self._jumped_s = sample.time_s, None


def _noise(samples: list[Sample]) -> tuple[float, float]:
    """From second differences of neighbours: motion leaves them, noise of one sample counts six times in the square."""
    squares_m, squares_rad, count = 0.0, 0.0, 0
    for before, middle, after in zip(samples, samples[1:], samples[2:]):
        if after.time_s - before.time_s > 0.1 or middle.time_s <= before.time_s:
            continue  # a gap in between
        share = (middle.time_s - before.time_s) / (after.time_s - before.time_s)
        line = _moved(before.pos_w, _minus(after.pos_w, before.pos_w), share)
        weight = 1.0 + share * share + (1.0 - share) ** 2
        squares_m += sum(part * part for part in _minus(middle.pos_w, line)) / weight
        turn = _scaled(rotation_vector(before.quat_w, after.quat_w), share)
        rest = rotation_vector(turned(before.quat_w, turn), middle.quat_w)
        squares_rad += sum(part * part for part in rest) / weight
        count += 3
    if count < 30:
        return math.nan, math.nan
    return math.sqrt(squares_m / count), math.sqrt(squares_rad / count)


def _minus(a: Vector3, b: Vector3) -> Vector3:
    return a[0] - b[0], a[1] - b[1], a[2] - b[2]


def _scaled(v: Vector3, factor: float) -> Vector3:
    return factor * v[0], factor * v[1], factor * v[2]


def _moved(pos: Vector3, vel: Vector3, factor: float) -> Vector3:
    return pos[0] + factor * vel[0], pos[1] + factor * vel[1], pos[2] + factor * vel[2]
