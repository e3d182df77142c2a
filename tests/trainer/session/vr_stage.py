"""A VR session on a world without physics, an operator made of numbers, and one clock for both."""

import threading
from collections.abc import Callable
from dataclasses import replace

from rehearsal import PERIOD_S, Rehearsal

from core.teleop.xr_link import Pulse, XrStatus
from core.teleop.xr_sample import NO_BUTTON, Button, XrSample
from core.teleop.xr_settings import VrSettings
from core.types import CONTROL_PERIOD_S
from trainer.session.live import LiveSession
from trainer.session.messages import (
    Configure,
    Control,
    RecordingChanged,
    Telemetry,
    VrView,
    WorkerEvent,
)
from trainer.session.parts import load_controller


class FakeInput:
    """Where the input process would be: what it is asked to vibrate, and whether it was closed."""

    def __init__(self, take: Callable[[XrSample], None], settings: VrSettings) -> None:
        self.take, self.settings = take, settings
        self.pulses: list[Pulse] = []
        self.closed = False

    def start(self) -> None: ...

    def close(self) -> None:
        self.closed = True

    def status(self) -> XrStatus:
        return XrStatus("running", runtime="Rehearsal 1.0")

    def pulse(self, pulse: Pulse) -> None:
        self.pulses.append(pulse)


class Stage:
    """A session, an operator whose samples come twice a control period, and one clock for both."""

    load = staticmethod(load_controller)

    def __init__(self, **settings) -> None:
        self.time_s = 100.0
        self.events: list[WorkerEvent] = []
        self.inputs: list[FakeInput] = []
        self.session = LiveSession(
            self.events.append, self.load, now=lambda: self.time_s, sleep=self._sleep, make_input=self._make_input
        )
        self.person = Rehearsal(self.session.vr.operator, self.time_s)
        self.silent = False
        self.session.receive(Configure(**{"backend": "fake", "source": "vr", **settings}))
        self.session.tick()
        self.session.receive(Control("start"))
        self.session.tick()
        while self.session.state == "engaging":  # a robot stands up beside the loop
            self.session.tick()
        assert self.session.state == "running", self.events
        self.ticks(2)

    def _make_input(self, take, settings) -> FakeInput:
        self.inputs.append(FakeInput(take, settings))
        return self.inputs[-1]

    def _sleep(self, seconds: float) -> None:
        self.time_s += seconds

    def ticks(self, count: int = 1) -> Telemetry:
        for _ in range(count):
            if not self.silent:
                self.person.time_s = self.time_s - 2 * PERIOD_S
                for _ in range(round(CONTROL_PERIOD_S / PERIOD_S)):
                    self._feed()
            before_s = self.time_s
            self.session.tick()
            if self.time_s == before_s:  # nothing runs, but the operator lives on
                self.time_s += CONTROL_PERIOD_S
        told = self.session.telemetry()
        assert told is not None
        return told

    def _feed(self) -> None:
        """Without draining what happened: that is the session's to hear."""
        taken, self.person.operator.take = self.person.operator.take, list
        try:
            self.person.step()
        finally:
            self.person.operator.take = taken

    def press(self, side: str, button: Button, seconds: float = 0.1) -> Telemetry:
        setattr(self.person, side, replace(getattr(self.person, side), buttons=button))
        self.ticks(max(1, round(seconds / CONTROL_PERIOD_S)))
        setattr(self.person, side, replace(getattr(self.person, side), buttons=NO_BUTTON))
        return self.ticks(2)

    def squeeze(self, value: float) -> Telemetry:
        self.person.both(squeeze=value)
        return self.ticks(6)

    def recordings(self) -> list[str]:
        done = threading.Event()
        assert self.session.world is not None
        self.session.world.recorder.thread.hand(done.set)
        assert done.wait(10)
        return [event.action for event in self.events if isinstance(event, RecordingChanged)]

    @property
    def vr(self) -> VrView:
        told = self.session.telemetry()
        assert told is not None
        assert told.vr is not None
        return told.vr
