"""What the desks of the session tests share: a clock, and looking at what a session said."""

from trainer.session.live import LiveSession
from trainer.session.messages import Telemetry, WorkerEvent


class Clock:
    """Time passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.time_s = 100.0

    def now(self) -> float:
        return self.time_s

    def sleep(self, seconds: float) -> None:
        self.time_s += seconds


class Heard:
    """A session and what it said."""

    session: LiveSession
    events: list[WorkerEvent]

    def told(self, kind: type) -> list:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def telemetry(self) -> Telemetry:
        telemetry = self.session.telemetry()
        assert telemetry is not None
        return telemetry
