"""Ladder and pre-flight check in a session: what is told, confirmed, tested and declared; what is filed."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from fake_t1 import FakeT1
from robot_desk import Desk

from core.checks import Line
from core.control.choices import CONTROLLER_NAMES
from core.control.hardware_speeds import HardwareSpeeds
from core.robot.client import AgentError
from core.robot.guard import Preflight
from core.robot.ladder import RungState
from core.robot.ladder_evidence import SIMULATOR, Rung, Subject
from core.robot.ladder_store import LadderStore
from trainer.session import parts
from trainer.session.changes import needs_another_world
from trainer.session.evidence import GuardedRobot
from trainer.session.live import LiveSession
from trainer.session.messages import (
    Configure,
    Control,
    PreflightAsked,
    PreflightChanged,
    WorkerEvent,
    decode,
    encode,
)
from trainer.session.parts import RobotSettings, limits_of
from trainer.session.subject import controller_digest, digest

RED = Line("bad", "battery", "12 %", "charge it")
GREEN = Line("good", "battery", "80 %")


class FakeGuard:
    """Answers like the agent, from memory."""

    def __init__(self) -> None:
        self.mode, self.follows = "upper_body", True
        self.declared: list[Subject] = []
        self.confirmed: list[tuple[str, str]] = []
        self.lines: tuple[Line, ...] = (GREEN,)
        self.fixed = False
        self.failure = ""
        self.may_end = threading.Event()
        self.may_end.set()

    def declare(self, subject: Subject) -> None:
        if self.fixed and subject != self.declared[-1]:
            raise AgentError(f"{self.declared[-1].title} drives the robot; pause first")
        self.declared.append(subject)

    def look(self) -> Preflight:
        return Preflight(self.lines, (RungState(Rung.ARMS, False, "0 of 10 min", "run it"),), True, "T1-1", "x")

    def confirm(self, what: str, by: str) -> None:
        if not by:
            raise AgentError(f"who confirms the {what}? give a name")
        self.confirmed.append((what, by))

    def stop_test(self, tell=lambda _: None) -> str:
        tell("the robot stands up")
        assert self.may_end.wait(30)
        if self.failure:
            raise AgentError(self.failure)
        self.lines = (GREEN, Line("good", "stop test", "2.0 ms"))
        return "done"

    def check(self) -> None:
        if any(line.level == "bad" for line in self.lines):
            raise AgentError("the pre-flight check is red: battery: 12 % (charge it)")


class GuardedT1(FakeT1):
    """A robot with a guard."""

    def __init__(self, scene, clock) -> None:
        super().__init__(scene, clock)
        self.guard = FakeGuard()
        self.mocap_check = None
        self.notes: list[tuple[float | None, int, str]] = []

    def take_over(self, tell=lambda _: None) -> None:
        self.guard.check()
        super().take_over(tell)

    def disengage(self) -> None:
        super().disengage()
        self.guard.fixed = False

    def engage(self) -> None:
        super().engage()
        self.guard.fixed = True

    def note(self, hand_error_m, interventions=0, breach="") -> None:
        self.notes.append((hand_error_m, interventions, breach))


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(monkeypatch, kind=GuardedT1)


def told(desk: Desk) -> list[PreflightChanged]:
    return [event for event in desk.events if isinstance(event, PreflightChanged)]


def look(desk: Desk) -> PreflightChanged:
    desk.clock.time_s += 2.0
    desk.ticks(1)
    return told(desk)[-1]


def test_that_the_fake_is_a_guarded_robot(desk: Desk) -> None:
    assert isinstance(desk.robot, GuardedRobot)


def test_that_lines_and_rungs_are_told_by_themselves_and_only_when_they_change(desk: Desk) -> None:
    first = look(desk)
    assert first.lines[0] == GREEN
    assert first.lines[-1].what == "motion capture"
    assert "not configured" in first.lines[-1].says
    assert (first.rungs[0].title, first.rungs[0].open, first.robot) == ("gantry, arms only", False, "T1-1")
    count = len(told(desk))
    look(desk)
    assert len(told(desk)) == count
    desk.robot.guard.lines = (RED,)
    assert look(desk).lines[0] == RED
    assert decode(encode(first)) == first


def test_that_what_drives_is_declared_by_content_before_the_robot_is_taken_over(desk: Desk) -> None:
    desk.run()
    declared = desk.robot.guard.declared[-1]
    assert (declared.source, declared.checkpoint) == ("heuristic", "")
    assert declared.controller == controller_digest("robot_arms"), "the arms of a robot"
    assert len({controller_digest(name) for name in CONTROLLER_NAMES}) == len(CONTROLLER_NAMES)


def test_that_inverse_kinematics_stays_selectable_on_a_robot_and_climbs_by_itself(desk: Desk) -> None:
    desk.session.receive(replace(desk.session.config, controller="ik_arms"))
    desk.ticks(1)
    desk.run()
    assert desk.robot.guard.declared[-1].controller == controller_digest("ik_arms")


def test_that_red_lines_keep_the_robot_from_being_started_and_say_why(desk: Desk) -> None:
    desk.robot.guard.lines = (RED,)
    desk.run()
    assert desk.session.state == "ready"
    assert not desk.robot.engaged
    assert "battery: 12 % (charge it)" in desk.errors()[-1]


def test_that_another_source_while_the_robot_follows_climbs_anew(desk: Desk) -> None:
    desk.run()
    desk.session.world.task.time_limit_s = 0.0
    desk.ticks(12)
    assert desk.robot.engaged, "it stands and follows"
    desk.session.receive(replace(desk.session.config, source="keyboard"))
    desk.ticks(1)
    desk.run()
    assert desk.robot.asked.count("disengage") == 1
    assert desk.robot.guard.declared[-1].source == "keyboard"
    assert desk.robot.asked.count("engage") == 2


def test_that_persons_confirm_by_name(desk: Desk) -> None:
    desk.session.receive(PreflightAsked("gantry", "Ada"))
    desk.session.receive(PreflightAsked("remote", ""))
    desk.ticks(2)
    assert desk.robot.guard.confirmed == [("gantry", "Ada")]
    assert "give a name" in desk.errors()[-1]


def test_that_the_stop_test_runs_beside_the_loop(desk: Desk) -> None:
    guard = desk.robot.guard
    guard.may_end.clear()
    desk.session.receive(PreflightAsked("stop_test"))
    desk.ticks(5)
    assert desk.session.testing_stop
    guard.may_end.set()
    while desk.session.testing_stop:
        desk.ticks(1)
    assert [line.what for line in look(desk).lines][1] == "stop test"


def test_that_a_stop_test_that_fails_is_told_with_the_reason(desk: Desk) -> None:
    desk.robot.guard.failure = "the robot would fall"
    desk.session.receive(PreflightAsked("stop_test"))
    desk.ticks(1)
    while desk.session.testing_stop:
        desk.ticks(1)
    assert "the stop was not tested: the robot would fall" in desk.errors()[-1]


def test_that_bad_motion_capture_keeps_the_robot_from_being_started(desk: Desk) -> None:
    class Found:
        ok, reason, remedy = False, "no frame from 10.0.0.1", "switch streaming on"

    desk.robot.mocap_check = Found
    desk.run()
    assert not desk.robot.engaged
    assert "motion capture: no frame from 10.0.0.1 (switch streaming on)" in desk.errors()[-1]


def test_that_the_tracking_of_the_hands_reaches_the_evidence(desk: Desk) -> None:
    desk.run()
    desk.ticks(60)
    measured = [error for error, _, _ in desk.robot.notes if error is not None]
    assert len(measured) >= 10
    assert all(0 <= error < 0.1 for error in measured)


def test_that_a_shadow_measures_no_tracking(monkeypatch: pytest.MonkeyPatch) -> None:
    class Shadow(GuardedT1):
        def __init__(self, scene, clock) -> None:
            super().__init__(scene, clock)
            self.guard.follows = False

    desk = Desk(monkeypatch, kind=Shadow)
    desk.run()
    desk.ticks(60)
    assert desk.robot.notes
    assert {error for error, _, _ in desk.robot.notes} == {None}


def test_that_a_robot_that_is_not_there_is_a_red_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(*_: object) -> None:
        raise ConnectionError("the robot is not there: interface 'eth9' does not exist")

    monkeypatch.setattr(parts, "make_backend", nobody)
    events: list[WorkerEvent] = []
    session = LiveSession(events.append, load=lambda *_: parts.PoseHolder())
    session.receive(Configure(backend="t1", robot="eth9"))
    session.tick()
    (found,) = [event for event in events if isinstance(event, PreflightChanged)]
    assert (found.lines[0].level, found.lines[0].what) == ("bad", "network")
    assert "eth9" in found.lines[0].says
    session.close()


# ---------------------------------------------------------------------- speeds


def test_that_a_robot_has_the_speeds_of_the_paper_unless_somebody_loosens_them_by_name() -> None:
    usual = limits_of(Configure(backend="t1"))
    assert (usual.speed_m_s, usual.speed_x_m_s, usual.speed_y_m_s, usual.hand_speed_m_s) == (0.2, 0.2, 0.2, 0.05)
    with pytest.raises(ValueError, match="name of the person who allows it"):
        limits_of(Configure(backend="t1", walk_limit_m_s=0.3))
    looser = Configure(backend="t1", walk_limit_m_s=0.3, hand_limit_m_s=0.1, operator="Ada")
    limits = limits_of(looser)
    assert (limits.speed_m_s, limits.speed_y_m_s, limits.hand_speed_m_s) == (0.3, 0.2, 0.1)
    assert RobotSettings.of(looser).speeds == HardwareSpeeds(0.3, 0.1, "Ada")
    assert RobotSettings.of(Configure(operator="Ada")).speeds.loosened_by == ""
    with pytest.raises(ValueError, match=r"0 to 0\.4 m/s, got 0\.5"):
        limits_of(replace(looser, walk_limit_m_s=0.5))
    assert limits_of(Configure(backend="mujoco", walk_limit_m_s=0.3)).speed_m_s == 0.4


def test_that_other_speeds_another_hang_and_another_name_for_them_need_another_agent() -> None:
    before = Configure(backend="t1", operator="Ada")
    assert not needs_another_world(before, replace(before, operator="Grace"))
    assert needs_another_world(before, replace(before, walk_limit_m_s=0.3))
    loosened = replace(before, hand_limit_m_s=0.1)
    assert needs_another_world(loosened, replace(loosened, operator="Grace"))
    assert needs_another_world(before, replace(before, hang="shadow"))
    assert needs_another_world(before, replace(before, practise=True))


# ---------------------------------------------------------------------- simulation


def test_that_episodes_in_the_simulator_are_filed_as_the_lowest_rung(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REFINE_DP_DATA", str(tmp_path))
    events: list[WorkerEvent] = []
    session = LiveSession(events.append)
    session.receive(Configure(realtime=False, seed=3))
    session.tick()
    session.receive(Control("start"))
    for _ in range(160):
        session.tick()
    session.world.task.time_limit_s = 0.0
    for _ in range(10):
        session.tick()
    session.close()
    (record,) = LadderStore().read()
    assert (record.rung, record.robot) == (Rung.SIMULATION, SIMULATOR.key)
    assert record.subject == Subject("heuristic", controller_digest("learned")).key
    assert 2.5 < record.driven_s < 4.0
    assert record.targets == round(50 * record.driven_s)
    assert record.breach == ""
    assert record.hand_samples > 25
    assert 0.0 < record.hand_error_p95_m < 0.1


def test_that_digests_follow_the_content(tmp_path: Path) -> None:
    file = tmp_path / "planner.safetensors"
    file.write_bytes(b"one")
    first = digest(file)
    assert digest(file) == first
    file.write_bytes(b"other")
    assert digest(file) != first
    copy = tmp_path / "copy"
    copy.write_bytes(b"one")
    assert digest(copy) == first
