"""Every way of losing the operator, and that taking over never moves the robot by itself."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rehearsal import Rehearsal, hand, moved, rehearsal

from core.teleop.clutch import ClutchConfig
from core.teleop.poses import Pose, about_z, rotate
from core.teleop.samples import ZERO
from core.teleop.xr_sample import NOTHING, Flag, XrHand


def lose_tracking(person: Rehearsal) -> None:
    person.both(flags=Flag.ACTIVE | Flag.VALID)
    person.step()


def switch_off(person: Rehearsal) -> None:
    person.both(flags=NOTHING)
    person.step()


def go_silent(person: Rehearsal) -> None:
    person.wait(0.16)


def pause(person: Rehearsal) -> None:
    person.wait(0.16)
    person.step()


def freeze(person: Rehearsal) -> None:
    person.wiggle = False
    person.step(53)


def jump(person: Rehearsal) -> None:
    person.left, person.right = moved(person.left, (0.06, 0.0, 0.0)), moved(person.right, (0.0, 0.0, -0.06))
    person.step()


def spin(person: Rehearsal) -> None:
    person.left = replace(person.left, grip=Pose(person.left.grip.pos, about_z(0.5)))
    person.right = replace(person.right, grip=Pose(person.right.grip.pos, about_z(-0.5)))
    person.step()


def lose_focus(person: Rehearsal) -> None:
    person.focused = False
    person.step()


def recentre(person: Rehearsal) -> None:
    person.recentres += 1
    person.step()


def be_held(person: Rehearsal) -> None:
    person.operator.interrupt("held")


def begin_anew(person: Rehearsal) -> None:
    person.operator.release_all()


LOSSES = {
    lose_tracking: "tracking lost",
    switch_off: "controller off",
    go_silent: "stale",
    pause: "stale",
    freeze: "frozen",
    jump: "jump",
    spin: "jump",
    lose_focus: "not focused",
    recentre: "recentred",
    be_held: "held",
    begin_anew: "reset",
}


@pytest.mark.parametrize("lose", LOSSES, ids=lambda lose: lose.__name__)
def test_that_every_loss_opens_both_clutches_and_stops_the_base(lose):
    person = rehearsal()
    person.engage()
    person.left = replace(person.left, stick=(0.0, 1.0))
    person.step()
    assert person.asked().base == (1.0, 0.0, 0.0)
    lose(person)
    asked = person.asked()
    assert (asked.left.follow, asked.right.follow) == (None, None)
    assert (asked.base, asked.halt) == (ZERO, True)
    assert person.operator.view().why == (LOSSES[lose],) * 2


@pytest.mark.parametrize("lose", LOSSES, ids=lambda lose: lose.__name__)
def test_that_after_a_loss_it_needs_a_release_and_sticks_at_rest(lose):
    person = rehearsal()
    person.engage()
    person.left = replace(person.left, stick=(0.0, 1.0))
    lose(person)
    person.both(flags=hand(ZERO).flags)
    person.focused = person.wiggle = True
    person.step(30)  # back, with the grip squeezed and the stick pushed all the time
    assert person.follows == (False, False)
    assert person.asked().base == ZERO
    person.left = replace(person.left, stick=(0.0, 0.0))
    person.engage()
    person.left = replace(person.left, stick=(0.0, 1.0))
    person.step()
    assert person.asked().base == (1.0, 0.0, 0.0)


def test_that_a_grip_that_is_squeezed_when_the_session_begins_does_not_engage():
    person = rehearsal()
    person.operator.release_all()
    person.squeeze(1.0)
    person.step(20)
    assert person.follows == (False, False)
    assert person.operator.view().hands == ("release", "release")


def test_that_one_lost_controller_leaves_the_other_hand_following_but_the_base_stops():
    person = rehearsal()
    person.engage()
    person.left = replace(person.left, flags=Flag.ACTIVE, stick=(0.0, 1.0))
    person.step()
    assert person.follows == (False, True)
    assert person.asked().halt


def test_that_the_clutch_has_hysteresis():
    person = rehearsal()
    for value, follows in ((0.0, False), (0.69, False), (0.7, True), (0.41, True), (0.39, False), (0.6, False)):
        person.squeeze(value)
        assert person.follows == (follows, follows), value


def test_that_without_a_tracked_head_nothing_engages():
    person = rehearsal()
    person.squeeze(0.0)
    sample = person.operator.newest
    squeezed = replace(sample.left, squeeze=1.0)
    person.operator.feed(
        replace(sample, time_s=sample.time_s + 0.01, head_flags=NOTHING, left=squeezed, right=squeezed)
    )
    assert person.follows == (False, False)


@settings(max_examples=40, deadline=None)
@given(st.floats(-3.1, 3.1), st.floats(-0.3, 0.3), st.floats(-0.3, 0.3), st.floats(-0.3, 0.3))
def test_that_motion_is_seen_from_the_heading_that_the_operator_had(yaw, x, y, z):
    """The same motion relative to the operator is the same whichever way the operator faces."""
    person = rehearsal()
    person.head = Pose((0.0, 0.0, 1.6), about_z(yaw))
    person.step()
    person.engage()
    before = person.asked().left.follow
    turn = about_z(yaw)
    step = rotate(turn, (x / 20, y / 20, z / 20))
    for _ in range(20):
        person.left = moved(person.left, step)
        person.step()
    after = person.asked().left.follow
    assert before is not None
    assert after is not None
    assert [b - a for a, b in zip(before.pos, after.pos)] == pytest.approx([x, y, z], abs=3e-5)


def test_that_turning_the_head_while_engaged_moves_nothing():
    person = rehearsal()
    person.engage()
    before = person.asked().left.follow
    person.head = Pose((0.0, 0.0, 1.6), about_z(1.0))
    person.step(2)
    after = person.asked().left.follow
    assert before == after


def test_that_a_slow_tracker_that_repeats_its_poses_is_not_taken_for_a_jump():
    person = rehearsal()
    person.engage()
    person.wiggle = False
    person.step(3)
    for _ in range(20):
        person.left = moved(person.left, (0.06, 0.0, 0.0))  # 30 Hz at 1.8 m/s, sampled at 100 Hz
        person.step(3)
    assert person.follows[0]


def test_that_controllers_that_rest_on_a_table_do_not_stop_the_sticks():
    person = rehearsal()
    person.wiggle = False
    person.step(100)
    person.right = replace(person.right, stick=(1.0, 0.0))
    person.step()
    assert person.asked().base == (0.0, 0.0, -1.0)


def test_that_the_sticks_have_a_dead_zone_and_grow_from_zero():
    person = rehearsal()
    for value, speed in ((0.09, 0.0), (0.1, 0.0), (0.55, 0.5), (1.0, 1.0)):
        person.left = replace(person.left, stick=(-value, value))
        person.step()
        assert person.asked().base[:2] == pytest.approx((speed, speed)), value


def test_that_samples_out_of_order_are_ignored():
    person = rehearsal()
    person.engage()
    newest = person.operator.newest
    person.operator.feed(replace(newest, time_s=newest.time_s - 0.005, left=XrHand()))
    assert person.follows == (True, True)


def test_that_happenings_are_told_once_in_order():
    person = rehearsal()
    person.squeeze(0.0)
    assert [(h.kind, h.side) for h in person.squeeze(1.0)] == [("engaged", "left"), ("engaged", "right")]
    person.left = replace(person.left, squeeze=0.0)
    assert [(h.kind, h.side) for h in person.step()] == [("released", "left")]
    person.focused = False
    assert [(h.kind, h.side, h.why) for h in person.step()] == [("dropped", "right", "not focused")]
    assert person.step(5) == []


def test_that_a_config_that_cannot_be_is_refused():
    with pytest.raises(ValueError, match=r"release_at < engage_at <= 1, got 0\.8 and 0\.7"):
        ClutchConfig(release_at=0.8)
    with pytest.raises(ValueError, match="stale_after_s must be positive, got 0"):
        ClutchConfig(stale_after_s=0.0)
