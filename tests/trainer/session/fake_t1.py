"""A world without physics that is a live backend, and a clock that only sleeping moves."""

import threading

from core.backends.base import Trouble
from core.backends.fake import FakeBackend
from core.clock import Rate
from core.control.stop import StopLevel
from core.robot.status import RobotStatus
from core.types import CONTROL_PERIOD_S


class FakeT1(FakeBackend):
    """A world without physics with what a real robot adds; notes what was asked of it."""

    def __init__(self, scene, clock) -> None:
        super().__init__(scene, 1)
        self.rate = Rate(CONTROL_PERIOD_S, clock.now, clock.sleep)
        self.engaged = False
        self.refusal = ""
        self.let_stand = threading.Event()
        self.let_stand.set()
        self.log = ""
        self.stays = ""
        self.asked: list[object] = []
        self.found: Trouble | None = None
        self.steps = 0

    def take_over(self, tell=lambda _: None) -> None:
        tell("the robot stands")
        assert self.let_stand.wait(30)
        if self.refusal:
            raise RuntimeError(self.refusal)

    def engage(self) -> None:
        self.engaged = True
        self.asked.append("engage")

    def disengage(self) -> None:
        self.engaged = False
        self.asked.append("disengage")

    def request_stop(self, level: StopLevel, pressed_s: float | None = None) -> None:
        self.asked.append(level)
        self.pressed_s = pressed_s

    def status(self) -> RobotStatus:
        return RobotStatus(state="upper_body" if self.engaged else "connected", log=self.log)

    def clear_stop(self) -> str:
        if not self.stays:
            self.found = None
        return self.stays

    def beat(self, owner_age_s: float) -> None:
        self.asked.append(round(owner_age_s, 3))

    def trouble(self) -> Trouble | None:
        return self.found

    def refresh(self) -> None:
        pass

    def step(self, target):
        self.steps += 1
        self.rate.wait()
        return super().step(target)
