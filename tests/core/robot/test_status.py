"""What people are told of the robot, made of the agent's report."""

import math

import pytest
from fake_link import Rig

from core.control.stop import StopLevel
from core.robot.status import RobotStatus, status_of


@pytest.fixture
def rig():
    made = Rig()
    yield made
    made.close()


def status(rig: Rig) -> RobotStatus:
    return status_of(rig.agent.report(sensors=True))


def test_that_a_driven_robot_says_where_it_is(rig: Rig) -> None:
    rig.into("upper_body")

    told = status(rig)

    assert (told.state, told.mode, told.stop, told.confirmation) == ("upper_body", "walking", "none", "")
    assert told.hottest_c == 30.0
    assert told.hottest_joint
    assert told.agent_pid > 0


def test_that_a_stop_waits_is_confirmed_with_its_time_and_is_shown_so(rig: Rig) -> None:
    rig.into("custom")
    pressed_s = rig.robot.now_s - 0.004
    rig.robot.faults.cut = True
    rig.agent.stop.request(StopLevel.HARD, "test", pressed_s)
    waiting = status(rig)
    rig.agent.stop._note(confirmed_s=pressed_s + 0.0105)
    confirmed = status(rig)

    assert (waiting.stop, waiting.confirmation) == ("hard", "waiting")
    assert math.isnan(waiting.stop_ms)
    assert confirmed.confirmation == "confirmed"
    assert confirmed.stop_ms == pytest.approx(10.5)
    assert "confirmed after 10.5 ms" in confirmed.stop_words


def test_that_an_overdue_stop_names_the_remote(rig: Rig) -> None:
    rig.into("custom")
    rig.robot.faults.cut = True
    rig.agent.stop.request(StopLevel.HARD, "test")
    rig.agent.stop._note(overdue=True)

    told = status(rig)

    assert told.confirmation == "NOT CONFIRMED"
    assert "use the remote" in told.stop_words


def test_that_a_soft_stop_needs_no_confirmation(rig: Rig) -> None:
    rig.agent.stop.request(StopLevel.SOFT, "test")
    assert (status(rig).stop, status(rig).confirmation) == ("soft", "")
