"""A live session with a robot that needs no process: for tests of what the session does with one."""

import pytest
from desk_parts import Clock
from fake_t1 import FakeT1

from trainer.session import parts
from trainer.session.live import LiveSession
from trainer.session.messages import Configure, Control, Heartbeat, Hello, SessionError, WorkerEvent
from trainer.session.parts import PoseHolder


class Desk:
    """A session with a fake robot."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, log: str = "", kind=FakeT1) -> None:
        clock = Clock()
        self.clock = clock
        self.robots: list[FakeT1] = []

        def make(name, task, robot):
            self.robots.append(kind(task.scene(), clock))
            self.robots[-1].log = log
            return self.robots[-1]

        monkeypatch.setattr(parts, "make_backend", make)
        self.events: list[WorkerEvent] = []
        self.session = LiveSession(self.events.append, load=lambda *_: PoseHolder(), now=clock.now, sleep=clock.sleep)
        self.session.receive(Hello("client"))
        self.session.receive(Configure(backend="t1", robot="lo:123"))
        self.session.tick()

    @property
    def robot(self) -> FakeT1:
        return self.robots[-1]

    def run(self, action: str = "start") -> None:
        self.session.receive(Control(action))
        self.ticks(1)
        while self.session.state == "engaging":
            self.ticks(1)
        self.ticks(2)

    def ticks(self, count: int) -> None:
        for _ in range(count):
            self.session.receive(Heartbeat())
            self.session.tick()

    def errors(self) -> list[str]:
        return [event.what for event in self.events if isinstance(event, SessionError)]
