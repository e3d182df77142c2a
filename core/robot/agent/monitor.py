"""Looks at the robot's states over the last second: their rate, and joints whose numbers do not fit each other."""

from collections import deque
from dataclasses import dataclass

import numpy as np

from core.robot.view import LowStateView
from core.t1.model import JOINT_NAMES

PERIOD_S, WINDOW_S = 0.02, 1.0
MOVED_RAD = 0.03
"""A joint that its speed says has moved this far must have moved."""
SHARE = 0.2
"""Of it, at least; encoders and filters do not agree exactly."""


@dataclass(frozen=True)
class Sample:
    """One look."""

    now_s: float
    low: LowStateView


class StateMonitor:
    """`look` belongs to one thread; everything else may be read from any."""

    def __init__(self) -> None:
        self._samples: deque[Sample] = deque(maxlen=round(WINDOW_S / PERIOD_S) + 1)
        self._due_s = float("-inf")

    def look(self, low: LowStateView, now_s: float) -> None:
        """Keep the state of this moment when it is time to."""
        if now_s >= self._due_s and low.count:
            self._due_s = now_s + 0.99 * PERIOD_S
            self._samples.append(Sample(now_s, low))

    @property
    def full(self) -> bool:
        """Whether it has seen enough to judge."""
        return len(self._samples) == self._samples.maxlen

    @property
    def rate_hz(self) -> float:
        """States a second, 0 before enough was seen."""
        samples = list(self._samples)
        if len(samples) < 2:
            return 0.0
        span_s = samples[-1].now_s - samples[0].now_s
        return (samples[-1].low.count - samples[0].low.count) / span_s if span_s > 0 else 0.0

    def frozen(self) -> tuple[str, ...]:
        """What does not live: 'every value' where the same state is repeated, else joints whose position does not
        follow their own speed.
        """
        samples = list(self._samples)
        if len(samples) < 2 or samples[-1].low.count == samples[0].low.count:
            return ()  # no new states at all is another fault
        values = np.array([np.concatenate((s.low.q, s.low.dq, s.low.tau, s.low.gyro, s.low.acc)) for s in samples])
        if self.full and (values == values[0]).all():
            return ("every value",)
        times = np.array([s.low.received_s for s in samples])
        dq = np.array([s.low.dq for s in samples])
        by_speed = np.abs(np.sum(0.5 * (dq[1:] + dq[:-1]) * np.diff(times)[:, None], axis=0))
        moved = np.abs(samples[-1].low.q - samples[0].low.q)
        stuck = (by_speed > MOVED_RAD) & (moved < SHARE * by_speed)
        return tuple(JOINT_NAMES[i] for i in np.flatnonzero(stuck))
