"""The hard stop's own thread, against a robot that answers at once or not at all."""

import threading
import time
from typing import Any

from core.control.stop import StopLevel
from core.robot.agent.log import SafetyLog
from core.robot.agent.stop import NOT_CONFIRMED, AgentStop
from core.robot.view import Frame, RobotView
from core.robot.wire import Api, Code, Mode

WAIT_S = 10.0


class Robot:
    """A link that damps when told, unless it is deaf."""

    def __init__(self) -> None:
        self.view = RobotView(mode=Mode.CUSTOM, mode_s=time.monotonic())
        self.deaf = False
        self.asked = threading.Semaphore(0)

    def write(self, frame: Frame) -> None:
        pass

    def call(self, api: int, body: dict[str, Any], channel: str = "main") -> Code:
        return Code.OK

    def fire(self, api: int, body: dict[str, Any], channel: str = "main") -> None:
        assert (api, body, channel) == (Api.CHANGE_MODE, {"mode": 0}, "stop")
        if not self.deaf:
            self.view.mode, self.view.mode_s = Mode.DAMPING, time.monotonic()
        self.asked.release()

    def info(self) -> dict[str, str]:
        return {}

    def close(self) -> None:
        pass


class Bench:
    def __init__(self, confirm_s: float = 0.5) -> None:
        self.robot, self.log = Robot(), SafetyLog()
        self.woken = threading.Event()
        self.stop = AgentStop(self.robot, self.log, confirm_s, self.woken.set)

    def until(self, condition) -> None:
        deadline = time.monotonic() + WAIT_S
        while not condition():
            assert time.monotonic() < deadline
            threading.Event().wait(0.001)

    def close(self) -> None:
        self.stop.close()
        self.log.close()


def test_that_a_hard_stop_asks_at_once_wakes_the_stream_and_notes_the_confirmation() -> None:
    bench = Bench()

    bench.stop.request(StopLevel.HARD, "test")
    bench.until(lambda: bench.stop.record.confirmed_s)

    record = bench.stop.record
    assert bench.woken.is_set()
    assert record.latched_s <= record.asked_s
    assert "the robot confirmed after" in record.words
    bench.close()


def test_that_it_repeats_says_not_confirmed_and_goes_on() -> None:
    bench = Bench(confirm_s=0.02)
    bench.robot.deaf = True

    bench.stop.request(StopLevel.HARD, "test")
    bench.until(lambda: bench.stop.record.overdue)
    for _ in range(3):
        assert bench.robot.asked.acquire(timeout=WAIT_S)
    unconfirmed, why = bench.stop.record.words, bench.stop.clear()
    bench.robot.deaf = False
    bench.until(lambda: bench.stop.record.confirmed_s)

    assert unconfirmed.endswith(NOT_CONFIRMED)
    assert "has not confirmed" in why
    assert bench.stop.clear() == ""
    bench.close()


def test_that_a_word_older_than_the_stop_confirms_nothing() -> None:
    bench = Bench(confirm_s=0.02)
    bench.robot.deaf = True
    bench.robot.view.mode = Mode.DAMPING

    bench.stop.request(StopLevel.HARD, "test")
    bench.until(lambda: bench.stop.record.overdue)

    assert not bench.stop.record.confirmed_s
    bench.close()


def test_that_a_stop_right_after_clearing_one_is_carried_out_too() -> None:
    bench = Bench()
    for _ in range(20):
        bench.robot.view.mode = Mode.CUSTOM
        bench.stop.request(StopLevel.HARD, "test")
        bench.until(lambda: bench.stop.record.confirmed_s)
        assert bench.stop.clear() == ""
    bench.close()


def test_that_a_soft_stop_becomes_hard_and_never_the_other_way() -> None:
    bench = Bench()
    bench.stop.request(StopLevel.SOFT, "soft")
    soft = bench.stop.level
    bench.stop.request(StopLevel.HARD, "hard")
    bench.stop.request(StopLevel.SOFT, "soft again")

    assert (soft, bench.stop.level) == (StopLevel.SOFT, StopLevel.HARD)
    assert bench.stop.record.reason == "hard"
    bench.close()
