"""A hand that follows: no jump on engaging whatever the poses are, limits after that, nothing for the safety filter."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from robot_example import standing_state

from core.control.safety import KINDS, PRESETS, SafetyFilter, SafetyLimits, measured_hold, workspace
from core.rigid import quat_from_rotvec, quat_mul, quat_rotate, rotation_error
from core.teleop.mapper import MapperConfig, TeleopMapper
from core.teleop.samples import Follow, HandSample, OperatorSample
from core.types import Command, WorldState

coordinate = st.floats(-2.0, 2.0, width=32)
places = st.tuples(coordinate, coordinate, coordinate)
turns = places.map(lambda v: tuple(quat_from_rotvec(torch.tensor(v)).tolist()))


def follows(left: Follow | None, right: Follow | None = None) -> OperatorSample:
    return OperatorSample(0.0, left=HandSample(follow=left), right=HandSample(follow=right))


def make_mapper(state: WorldState) -> TeleopMapper:
    mapper = TeleopMapper(MapperConfig(), SafetyLimits())
    mapper.reset(state)
    return mapper


def robot_follows(state: WorldState, sent: Command) -> None:
    """The hands get to where they are commanded."""
    state.hand_pos_w = state.base_pos_w[:, None] + quat_rotate(state.base_quat_w[:, None], sent.hand_pos_b)
    state.hand_quat_w = quat_mul(state.base_quat_w[:, None].expand(-1, 2, -1), sent.hand_quat_b)


@settings(max_examples=40, deadline=None)
@given(places, turns, places, turns, places)
def test_that_taking_over_never_moves_the_robot(left_pos, left_turn, right_pos, right_turn, tilt):
    state = standing_state(tilt=tuple(0.1 * v for v in tilt))
    mapper = make_mapper(state)
    before = mapper.map(OperatorSample(0.0), state, 0.0)
    sample = follows(Follow(1, left_pos, left_turn, 0.3), Follow(7, right_pos, right_turn, 0.9))
    for _ in range(3):
        sent = mapper.map(sample, state, 0.0)
        torch.testing.assert_close(sent.to_vector(), before.to_vector(), atol=2e-6, rtol=0)


def test_that_the_hand_moves_as_the_operator_does_along_the_heading():
    state = standing_state(tilt=(0.0, 0.2, 0.0))
    mapper = make_mapper(state)
    here = measured_hold(state).hand_pos_b
    mapper.map(follows(Follow(1, (5.0, 1.0, 1.2), (1.0, 0.0, 0.0, 0.0))), state, 0.0)
    for _ in range(10):
        sent = mapper.map(follows(Follow(1, (5.1, 1.05, 1.22), (1.0, 0.0, 0.0, 0.0))), state, 0.0)
        robot_follows(state, sent)
    moved_w = quat_rotate(state.base_quat_w, (sent.hand_pos_b - here)[:, 0])
    torch.testing.assert_close(moved_w, torch.tensor([[0.1, 0.05, 0.02]]), atol=1e-5, rtol=0)
    torch.testing.assert_close(sent.hand_pos_b[0, 1], here[0, 1])


def test_that_the_hand_turns_as_the_operator_does():
    state = standing_state()
    mapper = make_mapper(state)
    tilted = quat_from_rotvec(torch.tensor([0.4, -0.3, 0.2]))
    mapper.map(follows(Follow(1, (0.0, 0.0, 0.0), tuple(tilted.tolist()))), state, 0.0)
    turn = quat_from_rotvec(torch.tensor([0.0, 0.0, 0.2]))
    turned = quat_mul(turn, tilted)
    sent = mapper.map(follows(Follow(1, (0.0, 0.0, 0.0), tuple(turned.tolist()))), state, 0.0)
    torch.testing.assert_close(sent.hand_quat_b[0, 0], turn, atol=1e-6, rtol=0)


def test_that_a_trunk_that_sways_does_not_shake_a_still_hand():
    state = standing_state()
    mapper = make_mapper(state)
    mapper.map(follows(Follow(1, (0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0))), state, 0.0)
    still = follows(Follow(1, (0.1, 0.0, 0.1), (1.0, 0.0, 0.0, 0.0)))
    for _ in range(5):
        before = mapper.map(still, state, 0.0)
        robot_follows(state, before)
    state.base_quat_w = quat_from_rotvec(torch.tensor([[0.1, 0.1, 0.0]]))
    robot_follows(state, before)
    after = mapper.map(still, state, 0.0)
    torch.testing.assert_close(after.hand_pos_b, before.hand_pos_b, atol=1e-6, rtol=0)


def test_that_taking_over_again_does_not_let_go_of_what_is_squeezed():
    """The command is 8 cm inside the box, the hand at its surface: the command stays there."""
    state = standing_state()
    mapper = make_mapper(state)
    mapper.map(follows(Follow(1, (0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0))), state, 0.0)
    for _ in range(5):
        pressed = mapper.map(follows(Follow(1, (0.0, -0.08, 0.0), (1.0, 0.0, 0.0, 0.0))), state, 0.0)
    held = mapper.map(follows(None), state, 0.0)
    again = mapper.map(follows(Follow(2, (3.0, 3.0, 3.0), (1.0, 0.0, 0.0, 0.0))), state, 0.0)
    torch.testing.assert_close(held.to_vector(), pressed.to_vector())
    torch.testing.assert_close(again.to_vector(), pressed.to_vector(), atol=1e-6, rtol=0)


def test_that_a_hand_that_was_pushed_away_is_taken_over_near_where_it_is():
    state = standing_state()
    mapper = make_mapper(state)
    state.hand_pos_w = state.hand_pos_w + torch.tensor([0.0, 0.0, 0.4])
    state.hand_quat_w = quat_from_rotvec(torch.tensor([[[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]]]))
    same = Follow(1, (0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0))
    for _ in range(20):
        sent = mapper.map(follows(same, same), state, 0.0)
    measured = measured_hold(state)
    assert float((sent.hand_pos_b - measured.hand_pos_b).norm(dim=-1).max()) <= 0.15 + 1e-5
    assert float(rotation_error(sent.hand_quat_b, measured.hand_quat_b).norm(dim=-1).max()) < 1e-4


def test_that_a_blocked_hand_is_not_pushed_ever_harder_and_the_operator_is_told():
    state = standing_state()
    mapper = make_mapper(state)
    mapper.map(follows(Follow(1, (0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0))), state, 0.0)
    assert mapper.limited == (False, False)
    for _ in range(20):
        sent = mapper.map(follows(Follow(1, (0.5, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0))), state, 0.0)
    lead = float((sent.hand_pos_b - measured_hold(state).hand_pos_b)[0, 0].norm())
    assert lead == pytest.approx(0.15, abs=1e-5)
    assert mapper.limited == (True, False)


def test_that_the_gripper_stays_until_the_trigger_moves_then_follows_it():
    state = standing_state()
    mapper = make_mapper(state)
    here = float(state.gripper_opening[0, 0])

    def opening(engagement: int, trigger: float) -> float:
        follow = Follow(engagement, (0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0), trigger)
        return float(mapper.map(follows(follow), state, 0.0).gripper_opening[0, 0])

    assert opening(1, 0.0) == opening(1, 0.07) == pytest.approx(here)
    for _ in range(10):
        closed = opening(1, 1.0)
    assert closed == pytest.approx(0.0, abs=1e-6)
    mapper.map(follows(None), state, 0.0)
    assert opening(2, 0.0) == opening(2, 0.0) == closed, "taking over with an open trigger dropped what was held"


def test_that_hands_go_home_unless_the_operator_takes_over():
    state = standing_state()
    mapper = make_mapper(state)
    home = measured_hold(state)
    mapper.map(follows(Follow(1, (0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0))), state, 0.0)
    for _ in range(8):
        away = mapper.map(follows(Follow(1, (0.0, 0.1, 0.1), (0.98, 0.0, 0.2, 0.0))), state, 0.0)
        robot_follows(state, away)
    mapper.go_home()
    first = mapper.map(follows(None), state, 0.0)
    assert float((first.hand_pos_b - away.hand_pos_b).norm()) == pytest.approx(0.025, abs=1e-4)
    for _ in range(10):
        sent = mapper.map(follows(None), state, 0.0)
    torch.testing.assert_close(sent.hand_pos_b, home.hand_pos_b, atol=1e-5, rtol=0)


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_that_the_safety_filter_never_has_to_correct_a_following_hand(preset):
    limits = PRESETS[preset]()
    state = standing_state()
    mapper, safety = TeleopMapper(MapperConfig.within(limits), limits), SafetyFilter(limits)
    mapper.reset(state)
    safety.reset(torch.tensor([0]), state)
    low, high = workspace(limits)
    generator = torch.Generator().manual_seed(5)
    for step in range(300):
        numbers = torch.rand(2, 8, generator=generator)
        hands = [
            Follow(
                1 + step // 40, tuple((3 * n[:3] - 1.5).tolist()), tuple((n[3:7] / n[3:7].norm()).tolist()), float(n[7])
            )
            for n in numbers
        ]
        sample = replace(follows(*hands), base=tuple((2 * numbers[0, :3] - 1).tolist()))
        sent, _ = safety.filter(mapper.map(sample, state, 0.0), torch.zeros(1), state)
        assert bool(((sent.hand_pos_b >= low - 1e-5) & (sent.hand_pos_b <= high + 1e-5)).all())
        robot_follows(state, sent)
    assert {kind: int(safety.counts[kind].sum()) for kind in KINDS} == dict.fromkeys(KINDS, 0)


def test_that_a_halt_stops_the_base_without_the_ramp():
    state = standing_state()
    mapper = make_mapper(state)
    for _ in range(5):
        moving = mapper.map(OperatorSample(0.0, base=(1.0, 0.0, 0.0)), state, 0.0)
    stopped = mapper.map(OperatorSample(0.0, halt=True), state, 0.0)
    assert float(moving.base_velocity[0, 0]) == pytest.approx(0.25)
    assert float(stopped.base_velocity.abs().max()) == 0.0
