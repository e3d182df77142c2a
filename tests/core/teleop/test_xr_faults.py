"""What a broken runtime, a full disk or a silence may send, and that none of it moves the robot."""

import math
import os
from dataclasses import replace
from pathlib import Path

import pytest
from rehearsal import Rehearsal, hand, moved, rehearsal

from core.teleop.poses import Pose
from core.teleop.presses import LONG_PRESS_S
from core.teleop.samples import ZERO
from core.teleop.xr_replay import XrReplay
from core.teleop.xr_sample import NO_BUTTON, TRACKED, Button, XrHand, XrSample, without_nonsense
from core.teleop.xr_tape import Interrupted, TapeError, TapeHeader, TapeWriter, read_tape

NAN = float("nan")
HEADER = TapeHeader("box_pickup", 7, "mujoco", "simulation", "learned", 1.0)
NONSENSE: dict[str, dict[str, object]] = {
    "position NaN": {"grip": Pose((NAN, 0.0, 0.0))},
    "position infinite": {"grip": Pose((0.0, math.inf, 0.0))},
    "rotation zero": {"grip": Pose(ZERO, (0.0, 0.0, 0.0, 0.0))},
    "rotation NaN": {"grip": Pose(ZERO, (NAN, 0.0, 0.0, 0.0))},
    "rotation of length 2": {"grip": Pose(ZERO, (2.0, 0.0, 0.0, 0.0))},
    "aim NaN": {"aim": Pose((0.0, NAN, 0.0))},
    "grip NaN": {"squeeze": NAN},
    "trigger NaN": {"trigger": NAN},
    "stick NaN": {"stick": (0.0, NAN)},
    "stick infinite": {"stick": (math.inf, 0.0)},
}


@pytest.mark.parametrize("wrong", NONSENSE.values(), ids=NONSENSE)
def test_that_numbers_that_are_none_drop_the_hands_and_stop_the_base(wrong: dict[str, object]):
    person = rehearsal()
    person.engage()
    person.left = replace(person.left, stick=(0.0, 1.0))
    person.step()
    person.both(**wrong)
    person.step()
    asked = person.asked()
    assert (asked.left.follow, asked.right.follow, asked.base, asked.halt) == (None, None, ZERO, True)
    assert person.operator.view().why == ("tracking lost", "tracking lost")
    person.left, person.right = hand((0.3, 0.2, 1.2)), hand((0.3, -0.2, 1.2))
    person.both(squeeze=1.0)
    person.step(20)
    assert person.follows == (False, False), "squeezed all the time: it was not seen released"
    person.engage()


@pytest.mark.parametrize("wrong", NONSENSE.values(), ids=NONSENSE)
def test_that_numbers_that_are_none_engage_nothing(wrong: dict[str, object]):
    person = rehearsal()
    person.squeeze(0.0)
    person.both(**{"squeeze": 1.0, **wrong})
    person.step(5)
    assert person.follows == (False, False)
    assert person.asked().base == ZERO


def test_that_a_head_that_is_nowhere_engages_nothing():
    person = rehearsal()
    person.squeeze(0.0)
    person.head = Pose(ZERO, (NAN, 0.0, 0.0, 0.0))
    person.squeeze(1.0)
    assert person.follows == (False, False)


@pytest.mark.parametrize("time_s", [NAN, math.inf, -math.inf])
def test_that_a_sample_without_a_time_is_ignored(time_s: float):
    person = rehearsal()
    person.engage()
    newest = person.operator.newest
    person.operator.feed(replace(newest, time_s=time_s, left=XrHand()))
    assert person.operator.newest is newest
    person.step()
    assert person.follows == (True, True)


def test_that_stops_are_heard_from_a_hand_whose_pose_is_nonsense():
    person = rehearsal()
    person.both(grip=Pose((NAN, NAN, NAN)), buttons=Button.STICK)
    person.step()
    assert person.stops == ["soft_stop"]


def test_that_a_good_sample_is_left_alone():
    good = XrSample(1, 1.0, True, 0, TRACKED, left=hand((0.5, 0.25, 1.0)), right=hand((0.5, -0.25, 1.0)))
    assert without_nonsense(good) is good


def test_that_a_press_that_spans_a_silence_is_no_long_press():
    person = rehearsal()
    person.right = replace(person.right, buttons=Button.SECONDARY)
    person.step(3)
    person.wait(LONG_PRESS_S)
    happened = person.step(3)
    person.right = replace(person.right, buttons=NO_BUTTON)
    happened += person.step(3)
    assert [what.action for what in happened if what.kind == "action"] == []


def test_that_sticks_held_through_a_silence_still_become_a_hard_stop():
    person = rehearsal()
    person.both(buttons=Button.STICK)
    person.step(3)
    person.wait(1.0)
    person.step()
    assert person.stops == ["soft_stop", "hard_stop"]


def test_that_a_full_disk_costs_the_recording_and_not_the_hands(tmp_path: Path):
    person = rehearsal()
    tape = person.operator.tape = TapeWriter(tmp_path / "a.operator", HEADER)
    assert tape._file is not None
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, tape._file.fileno())
    os.close(full)
    person.engage()
    for _ in range(2000):
        person.asked()
    person.step(200)
    assert person.follows == (True, True)
    assert "No space left" in tape.trouble
    tape.close()


def _take_part(person: Rehearsal, drop: bool) -> None:
    """Engage, move 10 cm, be held by the session in the middle or not, move on."""
    person.engage()
    for step in range(20):
        person.left = moved(person.left, (0.005, 0.0, 0.0))
        person.step(10)
        if drop and step == 10:
            person.operator.interrupt("held")
        person.asked()


@pytest.mark.parametrize("drop", [False, True])
def test_that_what_the_session_dropped_is_dropped_in_the_replay_too(tmp_path: Path, drop: bool):
    path = tmp_path / "a.operator"
    person = rehearsal()
    person.operator.tape = TapeWriter(path, HEADER)
    _take_part(person, drop)
    person.operator.tape.close()
    follows = person.follows
    assert follows == ((False, False) if drop else (True, True))
    replay = XrReplay(path, now=lambda: 0.0)
    while not replay.finished:
        asked = replay.sample()
    assert (asked.left.follow is not None, asked.right.follow is not None) == follows
    assert replay.view().why == person.operator.view().why
    dropped = [record for record in read_tape(path)[1] if isinstance(record, Interrupted)]
    assert dropped == [Interrupted("held")] * drop


def test_that_a_replay_is_as_old_as_it_was_however_slowly_the_loop_runs(tmp_path: Path):
    path = tmp_path / "a.operator"
    person = rehearsal()
    person.operator.tape = TapeWriter(path, HEADER)
    _take_part(person, drop=False)
    person.operator.tape.close()
    clock = [50.0]
    replay = XrReplay(path, now=lambda: clock[0])
    for _ in range(5):
        replay.sample()
        clock[0] += 3.0
        assert clock[0] - replay.heard_s() < 0.01
    while not replay.finished:
        replay.sample()
    clock[0] += 3.0
    assert clock[0] - replay.heard_s() > 2.9


def test_that_a_drop_for_a_reason_that_is_none_is_refused(tmp_path: Path):
    path = tmp_path / "a.operator"
    tape = TapeWriter(path, HEADER)
    tape.close()
    path.write_bytes(path.read_bytes() + b"I\xff")
    with pytest.raises(TapeError, match="a drop for reason 255"):
        read_tape(path)
