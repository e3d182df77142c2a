"""Faults around a headset: pauses, stalls, a full disk, stops that must reach a real robot."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_t1 import FakeT1
from rehearsal import moved
from vr_stage import Stage

from core.control.stop import StopLevel
from core.teleop.xr_sample import NO_BUTTON, Button
from core.teleop.xr_settings import VrSettings
from core.teleop.xr_tape import read_tape
from trainer.session import parts
from trainer.session.messages import Control, Stop
from trainer.session.parts import PoseHolder


def test_that_hands_that_move_on_during_a_pause_do_not_pull_at_the_robot_afterwards(make_stage):
    stage = make_stage()
    stage.squeeze(0.0)
    stage.squeeze(1.0)
    before = stage.ticks(5).command_hand_poses_w
    stage.press("left", Button.MENU)
    for _ in range(40):
        stage.person.left = moved(stage.person.left, (0.005, 0.0, 0.0))
        stage.ticks(1)
    stage.press("left", Button.MENU)
    assert stage.session.state == "running"
    after = stage.ticks(50)
    np.testing.assert_allclose(after.command_hand_poses_w, before, atol=1e-3)
    assert after.vr.hands == ("release", "release")


def test_that_a_hand_taken_over_during_a_pause_begins_where_the_robots_is(make_stage):
    stage = make_stage()
    before = stage.ticks(5).command_hand_poses_w
    stage.press("left", Button.MENU)
    stage.squeeze(0.0)
    stage.squeeze(1.0)
    for _ in range(40):
        stage.person.left = moved(stage.person.left, (0.005, 0.0, 0.0))
        stage.ticks(1)
    stage.press("left", Button.MENU)
    after = stage.ticks(50)
    assert after.vr.hands == ("engaged", "engaged")
    np.testing.assert_allclose(after.command_hand_poses_w, before, atol=1e-3)


@pytest.mark.parametrize("stall_s", [0.3, 1.5])
def test_that_a_loop_that_stalls_opens_the_clutches_however_long_it_takes(make_stage, stall_s: float):
    stage = make_stage()
    stage.squeeze(0.0)
    stage.squeeze(1.0)
    source = stage.session.world.rollout.source
    act = source.mapper.map

    def stalled(*arguments):
        stage.time_s += stall_s
        source.mapper.map = act
        return act(*arguments)

    source.mapper.map = stalled
    stage.silent = True  # the thread that reads waits as well
    stage.ticks(5)
    assert stage.vr.why == ("slow", "slow")


def test_that_a_hold_does_not_count_as_latency(make_stage):
    stage = make_stage()
    stage.squeeze(0.0)
    stage.squeeze(1.0)
    worst = stage.vr.latency.p99_ms
    stage.session.receive(Stop("soft_stop"))
    stage.ticks(40)
    assert stage.vr.latency.p99_ms <= worst
    assert stage.vr.why == ("held", "held")


def test_that_a_full_disk_ends_the_recording_of_the_input_and_nothing_else(make_stage, tmp_path: Path):
    stage = make_stage(vr=VrSettings(record_folder=str(tmp_path / "input")))
    tape = stage.session.vr.operator.tape
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, tape._file.fileno())
    os.close(full)
    stage.ticks(30)
    assert not stage.vr.recording_input
    assert "the raw input is not recorded any more" in stage.vr.line
    stage.squeeze(0.0)
    assert stage.squeeze(1.0).vr.hands == ("engaged", "engaged")
    stage.session.receive(Control("reset"))
    stage.ticks(2)
    assert stage.vr.recording_input, "the next episode tries again"


def test_that_what_a_stop_dropped_is_dropped_in_the_replay_too(make_stage, tmp_path: Path):
    stage = make_stage(vr=VrSettings(record_folder=str(tmp_path / "input")), seed=4)
    stage.squeeze(0.0)
    stage.squeeze(1.0)
    stage.session.receive(Stop("soft_stop"))
    stage.ticks(10)
    stage.session.receive(Stop("clear_stop"))
    for _ in range(20):
        stage.person.left = moved(stage.person.left, (0.005, 0.0, 0.0))
        stage.ticks(1)
    lived = stage.ticks(5).command_hand_poses_w
    stage.session.close()
    (tape,) = (tmp_path / "input").iterdir()
    looks = sum(isinstance(record, float) for record in read_tape(tape)[1])
    again = make_stage(vr=VrSettings(replay=str(tape)), seed=4)
    again.silent = True
    told = again.ticks(5 * looks)
    assert told.vr.hands == ("release", "release")
    np.testing.assert_allclose(told.command_hand_poses_w, lived, atol=1e-3)


@pytest.fixture
def robot_stage(monkeypatch: pytest.MonkeyPatch):
    """A VR session with a fake robot; its clock is the stage's."""
    robots: list[FakeT1] = []
    stages: list[Stage] = []

    class RobotStage(Stage):
        load = staticmethod(lambda *_: PoseHolder())

        def __init__(self, **settings) -> None:
            self.sleep = self._sleep
            monkeypatch.setattr(parts, "make_backend", self._make_robot)
            stages.append(self)
            super().__init__(backend="t1", **settings)

        def now(self) -> float:
            return self.time_s

        def _make_robot(self, name, task, address) -> FakeT1:
            robots.append(FakeT1(task.scene(), self))
            return robots[-1]

        @property
        def robot(self) -> FakeT1:
            return robots[-1]

    yield RobotStage
    for stage in stages:
        stage.session.close()


def test_that_a_stop_by_the_sticks_reaches_the_robot_itself_before_the_loop_looks(robot_stage):
    stage = robot_stage()
    stage.person.both(buttons=Button.STICK)
    stage._feed()
    assert stage.robot.asked[-1] == StopLevel.SOFT
    stage.person.time_s += 0.1
    for _ in range(100):
        stage._feed()
    assert stage.robot.asked[-1] == StopLevel.HARD
    assert stage.session.stop.level == StopLevel.HARD


def test_that_a_long_menu_press_clears_the_robots_own_latch_or_says_why_not(robot_stage):
    stage = robot_stage()
    stage.person.both(buttons=Button.STICK)
    stage.ticks(2)
    stage.person.both(buttons=NO_BUTTON)
    stage.ticks(2)
    stage.robot.stays = "fallen over"
    assert stage.press("left", Button.MENU, seconds=1.0).stop == "soft"
    assert "the stop stays: fallen over" in stage.vr.line
    stage.robot.stays = ""
    assert stage.press("left", Button.MENU, seconds=1.0).stop == "none"


def test_that_sticks_are_pressed_while_the_robot_walks(robot_stage):
    """Walking, one hand following: both clicks stop the base in the next period, the hand is dropped."""
    stage = robot_stage()
    stage.squeeze(0.0)
    stage.squeeze(1.0)
    stage.person.left = replace(stage.person.left, stick=(0.0, 1.0))
    assert stage.ticks(30).velocity_command[0] > 0.05
    stage.person.both(buttons=Button.STICK)
    told = stage.ticks(2)
    assert np.abs(told.velocity_command).max() == 0.0
    assert told.vr.hands == ("release", "release")
