"""Whether the client of a session is alive."""

import time
from collections.abc import Callable

from trainer.session.messages import HEARTBEAT_TIMEOUT_S


class HeartbeatWatch:
    """Counts the time since the client's last heartbeat."""

    def __init__(self, timeout_s: float = HEARTBEAT_TIMEOUT_S, now: Callable[[], float] = time.monotonic) -> None:
        self._timeout_s = timeout_s
        self._now = now
        self._last_s: float | None = None

    def beat(self, owner_age_s: float = 0.0) -> None:
        """A heartbeat arrived of a window that was last busy this long ago."""
        self._last_s = self._now() - owner_age_s

    def expect(self) -> None:
        """A client is there: from now on heartbeats must come; one that comes back beats before anything moves."""
        if self._last_s is None:
            self._last_s = self._now()

    def age_s(self) -> float:
        """Seconds since the last one; 0 where none is expected because none ever came (headless)."""
        return 0.0 if self._last_s is None else self._now() - self._last_s

    def reason(self) -> str:
        """Why the robot must hold: '' while the client is alive."""
        return "no heartbeat" if self.age_s() > self._timeout_s else ""
