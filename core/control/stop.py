"""The two stops, latched: set from any thread without waiting, obeyed by the loop at its next control period."""

import threading
import time
from collections.abc import Callable
from enum import IntEnum


class StopLevel(IntEnum):
    """How far the robot is stopped; a higher level is never lowered but by `clear`."""

    NONE = 0
    SOFT = 1
    "zero velocity, hands held, balance kept"
    HARD = 2
    "damping of every joint: the robot sinks"


class StopLatch:
    """The level asked for, and since when."""

    def __init__(
        self,
        now: Callable[[], float] = time.monotonic,
        raised: Callable[[StopLevel, float], None] = lambda _level, _pressed_s: None,
    ) -> None:
        """raised: told of every higher level at once, on the thread that asked, with the time of the press."""
        self._now = now
        self._raised = raised
        self._lock = threading.Lock()
        self._level = StopLevel.NONE
        self._since_s = 0.0

    @property
    def level(self) -> StopLevel:
        """What the next control period obeys."""
        return self._level

    @property
    def since_s(self) -> float:
        """Time (of `now`) of the request that set or cleared the level."""
        return self._since_s

    def request(self, level: StopLevel, pressed_s: float = 0.0) -> None:
        """Stop at least this far. A request that changes nothing keeps the time of the first.

        pressed_s: when a person pressed, for the measurement; 0: now.
        """
        with self._lock:
            if level <= self._level:
                return
            self._level, self._since_s = level, self._now()
        self._raised(level, pressed_s or self._since_s)

    def clear(self) -> None:
        """Release both stops."""
        with self._lock:
            if self._level != StopLevel.NONE:
                self._level, self._since_s = StopLevel.NONE, self._now()
