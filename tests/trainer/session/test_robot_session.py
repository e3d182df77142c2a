"""A live session that drives a robot: when it is taken over and given back, and what its guards say."""

import json
from pathlib import Path

import pytest
from robot_desk import Desk

from core.backends.base import LiveBackend, Trouble
from core.backends.fake import FakeBackend
from core.control.stop import StopLevel
from core.types import CONTROL_PERIOD_S
from trainer.session.messages import (
    Control,
    Heartbeat,
    LogLine,
    Stop,
)
from trainer.session.parts import allowed_preset, make_backend, robot_address


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(monkeypatch)


def test_that_the_fake_robot_is_a_live_backend_and_a_simulator_is_not(desk: Desk) -> None:
    assert isinstance(desk.robot, LiveBackend)
    assert not isinstance(FakeBackend(desk.session.world.scene, 1), LiveBackend)


def test_that_setting_up_moves_nothing_and_start_takes_the_robot_over(desk: Desk) -> None:
    assert desk.session.state == "ready"
    assert not desk.robot.engaged
    assert desk.robot.steps == 0

    desk.run()

    assert desk.robot.engaged
    assert desk.robot.steps > 0
    assert desk.session.state == "running"


def test_that_the_robot_keeps_the_rhythm(desk: Desk) -> None:
    desk.run()
    began, steps = desk.clock.time_s, desk.robot.steps

    desk.ticks(10)

    assert desk.clock.time_s - began == pytest.approx(CONTROL_PERIOD_S * (desk.robot.steps - steps))


@pytest.mark.parametrize("action", ["pause", "reset"])
def test_that_a_robot_is_given_back_instead_of_frozen(desk: Desk, action: str) -> None:
    desk.run()

    desk.session.receive(Control(action))
    desk.ticks(2)
    steps = desk.robot.steps
    desk.ticks(3)

    assert desk.robot.asked.count("disengage") == 1
    assert desk.robot.steps == steps
    desk.run("resume" if action == "pause" else "start")
    assert desk.robot.asked.count("engage") == 2


def test_that_a_refused_take_over_says_why_and_nothing_runs(desk: Desk) -> None:
    desk.robot.refusal = "the robot must not be moved: the trunk is tilted"

    desk.run()

    assert desk.session.state == "ready"
    assert "trunk is tilted" in desk.errors()[0]
    assert desk.robot.steps == 0


def test_that_stops_and_telemetry_go_on_while_the_robot_stands_up(desk: Desk) -> None:
    desk.robot.let_stand.clear()
    desk.session.receive(Control("start"))
    desk.ticks(3)
    telemetry = desk.session.telemetry()
    desk.session.receive(Stop("hard_stop"))
    stopped = list(desk.robot.asked)
    desk.robot.refusal = "stopped: hard stop"
    desk.robot.let_stand.set()
    while desk.session.state == "engaging":
        desk.ticks(1)

    assert telemetry is not None
    assert telemetry.state == "engaging"
    assert telemetry.robot is not None
    assert StopLevel.HARD in stopped
    assert not desk.robot.engaged
    assert "stopped" in desk.errors()[-1]
    assert "robot: the robot stands" in [event.text for event in desk.events if isinstance(event, LogLine)]


@pytest.mark.parametrize("action", ["pause", "reset"])
def test_that_a_robot_that_is_not_wanted_any_more_is_given_back_when_it_stands(desk: Desk, action: str) -> None:
    desk.robot.let_stand.clear()
    desk.session.receive(Control("start"))
    desk.ticks(2)
    desk.session.receive(Control(action))
    desk.ticks(2)
    desk.robot.let_stand.set()
    while "disengage" not in desk.robot.asked:
        desk.ticks(1)
    desk.ticks(3)

    assert not desk.robot.engaged
    assert desk.robot.steps == 0
    assert desk.session.state == ("paused" if action == "pause" else "ready")


def test_that_a_second_start_while_it_stands_up_takes_over_once(desk: Desk) -> None:
    desk.robot.let_stand.clear()
    desk.session.receive(Control("start"))
    desk.ticks(1)
    desk.session.receive(Control("reset"))
    desk.session.receive(Control("start"))
    desk.ticks(2)
    assert desk.session.state == "engaging"
    desk.robot.let_stand.set()
    while desk.session.state == "engaging":
        desk.ticks(1)

    assert desk.robot.asked.count("engage") == 1
    assert desk.session.state == "running"


def test_that_a_stop_of_any_device_reaches_the_robot_at_once_with_the_time_of_the_press(desk: Desk) -> None:
    """Buttons of the headset's controllers latch the stop on their own thread."""
    desk.run()
    desk.session.stop.request(StopLevel.SOFT, 99.5)

    assert desk.robot.asked[-1] == StopLevel.SOFT
    assert desk.robot.pressed_s == 99.5


def test_that_limits_interventions_and_stops_are_in_the_safety_log(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "safety.jsonl"
    desk = Desk(monkeypatch, str(path))
    desk.run()
    source = desk.session.world.rollout.source
    act = source.act
    source.act = lambda state: act(state)._map(lambda tensor: tensor * 10.0)
    desk.ticks(12)
    desk.session.receive(Stop("soft_stop", 99.0))
    desk.ticks(8)
    desk.session.close()

    entries = [json.loads(line) for line in path.read_text().splitlines()]
    found = {entry["event"]: entry for entry in entries}
    assert found["settings"]["backend"] == "t1"
    assert (found["limits"]["preset"], found["limits"]["speed_m_s"]) == ("hardware", 0.2)
    assert "quaternion" in found["intervention"]["kinds"]
    asked, sent = next(iter(found["intervention"]["changed"].values()))
    assert asked != sent
    assert (found["stop_asked"]["level"], found["stop_asked"]["pressed_s"]) == ("soft", 99.0)
    assert found["hold"]["reason"] == "soft stop"
    assert {"taken_over", "episode_began"} <= set(found)
    assert {entry["who"] for entry in entries} == {"session"}


def test_that_a_stop_goes_to_the_robot_past_the_loop(desk: Desk) -> None:
    desk.run()

    desk.session.receive(Stop("hard_stop"))

    assert desk.robot.asked[-1] == StopLevel.HARD
    assert desk.session.stop.level == StopLevel.HARD


def test_that_a_stop_that_the_robot_did_not_confirm_stays(desk: Desk) -> None:
    desk.run()
    desk.session.receive(Stop("hard_stop"))
    desk.robot.stays = "hard stop: NOT CONFIRMED: use the remote"

    desk.session.receive(Stop("clear_stop"))

    assert desk.session.stop.level == StopLevel.HARD
    assert "NOT CONFIRMED" in desk.errors()[-1]


def test_that_the_time_until_the_robot_confirmed_is_shown(desk: Desk) -> None:
    desk.run()
    desk.session.receive(Stop("hard_stop"))
    desk.robot.found = Trouble(StopLevel.HARD, "hard stop: the robot confirmed after 2.3 ms", lost=True)
    desk.ticks(3)

    lines = [event.text for event in desk.events if isinstance(event, LogLine)]
    assert lines.count("robot: hard stop: the robot confirmed after 2.3 ms") == 1


def test_that_an_unconfirmed_stop_is_an_error_dialog(desk: Desk) -> None:
    desk.run()
    desk.robot.found = Trouble(StopLevel.HARD, "hard stop: NOT CONFIRMED: use the remote", lost=True)
    desk.ticks(2)

    assert desk.session.stop.level == StopLevel.HARD
    assert "NOT CONFIRMED" in desk.errors()[-1]


def test_that_a_take_over_by_the_remote_ends_the_episode_and_needs_a_new_start(desk: Desk) -> None:
    desk.run()
    desk.robot.found = Trouble(StopLevel.SOFT, "the robot went to mode prepare: somebody else changed it", lost=True)
    desk.robot.engaged = False
    desk.ticks(2)

    assert desk.session.state == "ready"
    assert desk.session.stop.level == StopLevel.SOFT
    steps = desk.robot.steps
    desk.session.receive(Stop("clear_stop"))
    desk.run()
    assert desk.robot.steps > steps
    assert desk.robot.engaged


def test_that_a_robot_does_not_begin_the_next_episode_by_itself(desk: Desk) -> None:
    desk.run()
    rollout = desk.session.world.rollout
    rollout.task.time_limit_s = 0.0
    desk.ticks(12)

    assert rollout.episodes_begun == 1
    assert desk.session.state == "ready"


def test_that_processes_that_died_at_rest_are_reported_once(desk: Desk) -> None:
    def gone() -> None:
        raise RuntimeError("the hardware agent is gone")

    desk.robot.refresh = gone
    desk.ticks(3)

    assert desk.session.state == "unconfigured"
    assert [text for text in desk.errors() if "the robot is lost" in text] == [
        "the robot is lost: the hardware agent is gone"
    ]


def test_that_the_age_of_the_window_reaches_the_dead_man(desk: Desk) -> None:
    desk.session.receive(Heartbeat(1, 0.12))
    assert desk.robot.asked[-1] == 0.12


def test_that_the_robot_has_the_limits_of_hardware_whatever_is_chosen(desk: Desk) -> None:
    assert allowed_preset("t1", "simulation") == "hardware"
    assert allowed_preset("mujoco", "simulation") == "simulation"
    assert desk.session.world.rollout.safety.limits.speed_m_s == 0.2


def test_that_addresses_of_robots_are_understood() -> None:
    assert robot_address("eth0") == ("eth0", 0)
    assert robot_address("127.0.0.1:123") == ("127.0.0.1", 123)
    with pytest.raises(ValueError, match="such as eth0"):
        robot_address("lo:abc")


def test_that_an_unknown_backend_is_named_with_the_known() -> None:
    from core.tasks.catalogue import make_task

    with pytest.raises(ValueError, match="t1_whole_body"):
        make_backend("t2", make_task("box_pickup", 1))
