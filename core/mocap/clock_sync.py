"""Another computer's clock on this computer's: offsets from echoes or from arrivals, the least delayed ones win.

A message is never early: of many, the one with the least delay tells the offset best (minimum filter). Old ones are
forgotten, because clocks drift: 20 ppm are 0.6 ms in half a minute.
"""

from collections import deque

ECHO_WINDOW_S = 30.0
ARRIVAL_WINDOW_S = 10.0
_SLOT_S = 0.5
"""Of all arrivals within this time only the least delayed one is kept."""


class EchoClock:
    """Offset by echoes: an answer is stamped half-way between question and arrival, within half the round trip."""

    def __init__(self, window_s: float = ECHO_WINDOW_S) -> None:
        self._window_s = window_s
        self._echoes: deque[tuple[float, float, float]] = deque()  # local time, round trip, offset

    def add(self, asked_s: float, remote_s: float, answered_s: float) -> None:
        """An echo: local times of question and answer, and the remote clock between them."""
        trip_s = answered_s - asked_s
        if trip_s < 0:
            return
        self._echoes.append((answered_s, trip_s, 0.5 * (asked_s + answered_s) - remote_s))
        while answered_s - self._echoes[0][0] > self._window_s:
            self._echoes.popleft()

    @property
    def ready(self) -> bool:
        """Whether there is an offset at all."""
        return bool(self._echoes)

    @property
    def offset_s(self) -> float:
        """Local minus remote. Raises ValueError before the first echo."""
        return min(self._echoes, key=lambda echo: echo[1])[2]

    @property
    def error_s(self) -> float:
        """How wrong the offset can be at most: half the shortest round trip."""
        return 0.5 * min(echo[1] for echo in self._echoes)


class ArrivalClock:
    """Offset by arrivals alone: late by the shortest delay, which cannot be known without an echo."""

    def __init__(self, window_s: float = ARRIVAL_WINDOW_S) -> None:
        self._window_s = window_s
        self._least: deque[tuple[float, float]] = deque()  # local time at which a slot began, least offset in it

    def add(self, remote_s: float, received_s: float) -> None:
        """A message stamped by the remote clock arrived."""
        offset_s = received_s - remote_s
        if self._least and received_s - self._least[-1][0] < _SLOT_S:
            since_s, least_s = self._least[-1]
            self._least[-1] = (since_s, min(least_s, offset_s))
        else:
            self._least.append((received_s, offset_s))
        while received_s - self._least[0][0] > self._window_s:
            self._least.popleft()

    @property
    def ready(self) -> bool:
        """Whether anything arrived."""
        return bool(self._least)

    @property
    def offset_s(self) -> float:
        """Local minus remote, plus the shortest delay. Raises ValueError before the first arrival."""
        return min(offset for _, offset in self._least)
