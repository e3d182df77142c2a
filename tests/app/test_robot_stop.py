"""The window's own way to the robot, and its own clock: a hung worker hides neither a stop nor that it failed."""

import threading
from pathlib import Path
from typing import Any

import pytest

from app.robot_stop import RobotStopWatch
from core.control.stop import StopLevel
from core.robot.agent.server import Server
from core.robot.client import SessionFile
from core.robot.status import RobotStatus

KEY = "11" * 32
PID = 4242


class Agent:
    """Stands for the hardware agent's socket: takes stops, confirms when it is let."""

    def __init__(self, folder: Path) -> None:
        self.asked: list[dict[str, Any]] = []
        self.stopped, self.confirms = threading.Event(), threading.Event()
        self._pressed_s = 0.0
        self._server = Server(folder / "agent.sock", bytes.fromhex(KEY), self.answer)
        self.file = SessionFile(folder / "file.json", folder / "agent.sock", KEY, PID)

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        if request["do"] == "stop":
            self.asked.append(request)
            self._pressed_s = request["pressed_s"]
            self.stopped.set()
        confirmed_s = self._pressed_s + 0.0042 if self.confirms.is_set() else 0.0
        level = int(StopLevel.HARD) if self.asked else 0
        return {"stop": level, "stop_times": [self._pressed_s, 0.0, 0.0, 0.0, confirmed_s], "stop_overdue": False}

    def close(self) -> None:
        self._server.close()


@pytest.fixture
def agent(tmp_path: Path):
    made = Agent(tmp_path)
    yield made
    made.close()


class Clock:
    def __init__(self) -> None:
        self.time_s = 50.0

    def now(self) -> float:
        return self.time_s


def status(**changes: Any) -> RobotStatus:
    return RobotStatus(agent_pid=PID, **changes)


def test_that_a_hard_stop_reaches_the_agent_without_the_worker_and_its_time_is_shown(agent: Agent) -> None:
    clock = Clock()
    watch = RobotStopWatch(clock.now, lambda: [agent.file])
    watch.heard(status())

    watch.pressed("hard")
    first = watch.shown()
    assert agent.stopped.wait(10)
    agent.confirms.set()
    for thread in watch._threads:
        thread.join(10)

    assert first.words == "waiting for the robot"
    assert (agent.asked[0]["level"], agent.asked[0]["pressed_s"]) == ("hard", 50.0)
    assert watch.shown().words == "robot confirmed after 4.2 ms"


def test_that_a_press_is_sent_on_the_spot_and_the_connection_serves_again(agent: Agent) -> None:
    watch = RobotStopWatch(sessions=lambda: [agent.file])
    watch.heard(status())
    for thread in watch._threads:
        thread.join(10)
    ready = watch._client
    assert ready is not None
    sent: list[int] = []
    tell = ready.tell
    ready.tell = lambda do, **values: (sent.append(threading.get_ident()), tell(do, **values))[1]  # type: ignore[method-assign]

    for level in ("soft", "hard"):
        agent.confirms.set()
        watch.pressed(level)  # type: ignore[arg-type]
        for thread in watch._threads:
            thread.join(10)
    watch.close()

    assert [request["level"] for request in agent.asked] == ["soft", "hard"]
    assert sent[0] == threading.get_ident()
    assert watch._client is ready


def test_that_half_a_second_without_the_robots_word_is_said_in_so_many_words(agent: Agent) -> None:
    clock = Clock()
    watch = RobotStopWatch(clock.now, lambda: [agent.file])
    watch.heard(status())
    watch.pressed("hard")

    clock.time_s += 0.49
    before = watch.shown()
    clock.time_s += 0.02
    after = watch.shown()
    watch.heard(status(stop="none"))  # a worker that knows nothing of the stop takes nothing back
    still = watch.shown()
    watch.heard(status(stop="hard", confirmation="confirmed", stop_ms=700.0))
    watch.close()

    assert before.confirmation == "waiting"
    assert after.words == "NOT CONFIRMED: use the remote"
    assert still == after
    assert watch.shown().words == "robot confirmed after 700.0 ms"


def test_that_an_agent_that_is_gone_is_not_confirmed(tmp_path: Path) -> None:
    clock = Clock()
    gone = SessionFile(tmp_path / "file.json", tmp_path / "nobody.sock", KEY, PID)
    watch = RobotStopWatch(clock.now, lambda: [gone])
    watch.heard(status())
    watch.pressed("hard")
    for thread in watch._threads:
        thread.join(10)
    clock.time_s += 0.6

    assert watch.shown().confirmation == "NOT CONFIRMED"
    watch.heard(None)  # a simulator now: the alarm stays until a person releases the stop
    assert watch.shown().confirmation == "NOT CONFIRMED"
    watch.clear_asked()
    watch.heard(None)
    assert watch.shown().words == ""


def test_that_robots_of_other_sessions_are_left_alone(agent: Agent) -> None:
    watch = RobotStopWatch(sessions=lambda: [agent.file])
    watch.heard(RobotStatus(agent_pid=PID + 1))
    watch.pressed("hard")
    for thread in watch._threads:
        thread.join(10)

    assert agent.asked == []


def test_that_without_a_robot_nothing_is_said_or_sent(agent: Agent) -> None:
    watch = RobotStopWatch(sessions=lambda: [agent.file])
    watch.heard(None)
    watch.pressed("hard")

    assert watch.shown().words == ""
    assert watch._threads == []


def test_that_a_stop_by_somebody_else_is_shown_and_goes_when_it_is_cleared(agent: Agent) -> None:
    watch = RobotStopWatch(sessions=lambda: [])
    watch.heard(status(stop="hard", confirmation="confirmed", stop_ms=251.0))
    by_guard = watch.shown()
    watch.pressed("hard")
    watch.clear_asked()
    watch.heard(status(stop="hard", confirmation="confirmed", stop_ms=3.0))
    latched = watch.shown()
    watch.heard(status(stop="none"))

    assert by_guard.words == "robot confirmed after 251.0 ms"
    assert latched.words == "robot confirmed after 3.0 ms"
    assert watch.shown().words == ""
