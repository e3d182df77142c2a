"""The robot's own time, recovered from when its states arrive.

The SDK hands on no time stamp (its low-level state has none, and DDS's own is not passed to Python), but states come
from a loop with a fixed period. Counting them gives the moments at which the robot took them, without the jitter of the
network and of this computer's threads.
"""

from core.robot.wire import FRAME_PERIOD_S

BLOCK = 100
"""States (0.2 s) after which the count is compared with the arrivals: lost states and a drift are mended then."""
GAP_S = 0.5
"""A longer silence begins the count anew."""


class TickClock:
    """Stamps states with the monotonic time at which the robot took them, plus the least delay of the way here."""

    def __init__(self, period_s: float = FRAME_PERIOD_S) -> None:
        self._period_s = period_s
        self._stamp_s = float("-inf")
        self._received_s = float("-inf")
        self._least_lag_s = float("inf")
        self._count = 0
        self.mended = 0
        "states that were found to be missing, since the beginning"

    def stamp(self, received_s: float) -> float:
        """The time of the next state; call for every state, in the order of arrival."""
        if received_s - self._received_s > GAP_S:
            self._stamp_s, self._least_lag_s, self._count = received_s, float("inf"), 0
        else:
            # a state cannot be taken after it arrived: an early one shows that the count is ahead
            self._stamp_s = min(self._stamp_s + self._period_s, received_s)
        self._received_s = received_s
        self._least_lag_s = min(self._least_lag_s, received_s - self._stamp_s)
        self._count += 1
        if self._count == BLOCK:
            self._mend()
        return self._stamp_s

    def _mend(self) -> None:
        """All states of the block came later than the count says: some before them were lost, or the robot is slow."""
        self.mended += round(self._least_lag_s / self._period_s)
        self._stamp_s += self._least_lag_s
        self._least_lag_s, self._count = float("inf"), 0
