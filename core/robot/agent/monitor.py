"""Looks at the robot's states over the last second: their rate, and joints whose numbers do not fit each other."""

from collections import deque
from dataclasses import dataclass

import numpy as np

from core.robot.view import LowStateView
from core.t1.model import JOINT_NAMES

PERIOD_S, WINDOW_S = 0.02, 1.0
MOVING_RAD_S = 0.05
"""A joint that is said to move at this speed, on average, does not have the very same position all the time."""


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
        """What does not live: 'every value' where the same state is repeated, else joints that are said to move but
        whose position stays the same to the last bit.
        """
        samples = list(self._samples)
        if len(samples) < 2 or samples[-1].low.count == samples[0].low.count:
            return ()  # no new states at all is another fault
        values = np.array([np.concatenate((s.low.q, s.low.dq, s.low.tau, s.low.gyro, s.low.acc)) for s in samples])
        if self.full and (values == values[0]).all():
            return ("every value",)
        q, dq = np.array([s.low.q for s in samples]), np.array([s.low.dq for s in samples])
        # no integral of the speed: a limp arm that beats against its limit is faster than these samples
        stuck = self.full & (q == q[0]).all(axis=0) & (np.abs(dq).mean(axis=0) > MOVING_RAD_S)
        return tuple(JOINT_NAMES[i] for i in np.flatnonzero(stuck))
