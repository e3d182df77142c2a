"""An absolute-schedule rate keeper: late ticks are dropped and counted, the schedule never drifts."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class Rate:
    """Keeps ticks at start + k * period_s. `now` and `sleep` are injected so that tests need no waiting."""

    period_s: float
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    missed_ticks: int = 0
    slack_s: float = 0.0
    _next: float | None = None

    def wait(self) -> int:
        """Sleep until the next tick; return how many ticks were missed (0 when on time)."""
        now = self.now()
        if self._next is None:
            self._next = now
        self._next += self.period_s
        self.slack_s = self._next - now
        if self.slack_s >= 0:
            self.sleep(self.slack_s)
            return 0
        missed = math.ceil(-self.slack_s / self.period_s)
        self._next += missed * self.period_s
        self.missed_ticks += missed
        self.sleep(max(0.0, self._next - self.now()))
        return missed

    def restart(self) -> None:
        """Begin a new schedule with the next `wait`, after a pause; the count of missed ticks stays."""
        self._next = None
