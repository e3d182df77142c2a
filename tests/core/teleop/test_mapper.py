from dataclasses import replace

import pytest
import torch
from robot_example import standing_state

from core.control.safety import KINDS, PRESETS, SafetyFilter, SafetyLimits, measured_hold, workspace
from core.rigid import quat_from_rotvec, quat_rotate
from core.teleop.keyboard import KeyboardDevice
from core.teleop.mapper import MapperConfig, OperatorSource, TeleopMapper
from core.teleop.samples import HandSample, OperatorSample
from core.types import WorldState

FORWARD = OperatorSample(0.0, base=(1.0, 0.0, 0.0))


def make_mapper(state: WorldState) -> TeleopMapper:
    mapper = TeleopMapper(MapperConfig(), SafetyLimits())
    mapper.reset(state)
    return mapper


def test_that_an_idle_operator_holds_what_is_measured():
    state = standing_state()
    sent = make_mapper(state).map(OperatorSample(0.0), state, 0.0)
    torch.testing.assert_close(sent.to_vector(), measured_hold(state).to_vector())


def test_that_the_base_velocity_is_a_ramp_up_and_down():
    state = standing_state()
    mapper = make_mapper(state)
    speeds = [float(mapper.map(FORWARD, state, 0.0).base_velocity[0, 0]) for _ in range(6)]
    assert speeds == pytest.approx([0.08, 0.16, 0.24, 0.25, 0.25, 0.25])
    assert float(mapper.map(OperatorSample(0.0), state, 0.0).base_velocity[0, 0]) == pytest.approx(0.17)


def test_that_a_stale_sample_stops_at_once_and_moves_no_hand():
    state = standing_state()
    mapper = make_mapper(state)
    pushing = replace(FORWARD, left=HandSample(linear=(1.0, 0.0, 0.0)))
    before = mapper.map(pushing, state, 0.25)
    for age in (0.26, float("nan"), float("inf")):
        after = mapper.map(pushing, state, age)
        assert float(after.base_velocity.abs().max()) == 0.0
        torch.testing.assert_close(after.hand_pos_b, before.hand_pos_b)


def test_that_hands_move_along_the_heading_even_when_the_trunk_leans():
    state = standing_state(tilt=(0.0, 0.2, 0.0))  # leaning forward: base x points down
    mapper = make_mapper(state)
    before = measured_hold(state).hand_pos_b
    after = mapper.map(replace(FORWARD, left=HandSample(linear=(1.0, 0.0, 0.0))), state, 0.0).hand_pos_b
    moved_w = quat_rotate(state.base_quat_w, (after - before)[:, 0])
    torch.testing.assert_close(moved_w, torch.tensor([[0.015, 0.0, 0.0]]), atol=1e-6, rtol=0)
    torch.testing.assert_close(after[:, 1], before[:, 1])


def test_that_a_turn_is_about_the_heading_axes():
    state = standing_state()
    sent = make_mapper(state).map(OperatorSample(0.0, left=HandSample(angular=(0.0, 0.0, 1.0))), state, 0.0)
    torch.testing.assert_close(sent.hand_quat_b[0, 0], quat_from_rotvec(torch.tensor([0.0, 0.0, 0.08])))


def test_that_a_blocked_hand_is_not_pushed_further_than_the_leash():
    state = standing_state()
    mapper = make_mapper(state)
    squeeze = OperatorSample(0.0, left=HandSample(linear=(0.0, -1.0, 0.0)), right=HandSample(linear=(0.0, 1.0, 0.0)))
    for _ in range(50):
        sent = mapper.map(squeeze, state, 0.0)
    lead = (sent.hand_pos_b - measured_hold(state).hand_pos_b).norm(dim=-1)
    assert bool((lead <= 0.10 + 1e-6).all())
    assert bool((lead >= 0.08).all())
    release = OperatorSample(0.0, left=HandSample(linear=(0.0, 1.0, 0.0)))
    backed = mapper.map(release, state, 0.0)
    assert float(backed.hand_pos_b[0, 0, 1]) > float(sent.hand_pos_b[0, 0, 1])


def test_that_hands_stay_in_the_workspace():
    state = standing_state()
    mapper = make_mapper(state)
    low, high = workspace(SafetyLimits())
    away = OperatorSample(0.0, left=HandSample(linear=(1.0, 1.0, 1.0)), right=HandSample(linear=(-1.0, -1.0, -1.0)))
    for _ in range(200):
        sent = mapper.map(away, state, 0.0)
        here = measured_hold(state)
        here.hand_pos_b = sent.hand_pos_b
        state.hand_pos_w = state.base_pos_w[:, None] + sent.hand_pos_b  # the robot follows
    assert bool(((sent.hand_pos_b >= low - 1e-6) & (sent.hand_pos_b <= high + 1e-6)).all())
    torch.testing.assert_close(sent.hand_pos_b[0, 0], high[0], atol=0.016, rtol=0)


def test_that_grippers_close_open_and_stay_in_range():
    state = standing_state()
    mapper = make_mapper(state)
    for _ in range(20):
        sent = mapper.map(OperatorSample(0.0, left=HandSample(grip=1.0), right=HandSample(grip=-1.0)), state, 0.0)
    torch.testing.assert_close(sent.gripper_opening, torch.tensor([[0.0, 0.077]]))


def test_that_precise_motion_is_slower():
    state = standing_state()
    push = OperatorSample(0.0, left=HandSample(linear=(1.0, 0.0, 0.0)))
    fast = make_mapper(state).map(push, state, 0.0).hand_pos_b[0, 0, 0]
    slow = make_mapper(state).map(replace(push, precise=True), state, 0.0).hand_pos_b[0, 0, 0]
    torch.testing.assert_close(slow - 0.3, 0.3 * (fast - 0.3))


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_that_the_safety_filter_never_has_to_correct_an_operator(preset):
    """Every key mashed at random: what the mapper yields passes unchanged."""
    limits = PRESETS[preset]()
    state = standing_state()
    mapper, safety = TeleopMapper(MapperConfig.within(limits), limits), SafetyFilter(limits)
    mapper.reset(state)
    safety.reset(torch.tensor([0]), state)
    generator = torch.Generator().manual_seed(3)
    for _ in range(300):
        draw = [tuple((torch.randint(-1, 2, (3,), generator=generator) * 1.0).tolist()) for _ in range(5)]
        hands = HandSample(draw[1], draw[2], 1.0), HandSample(draw[3], draw[4], -1.0)
        sent, _ = safety.filter(mapper.map(OperatorSample(0.0, draw[0], *hands), state, 0.0), torch.zeros(1), state)
        state.hand_pos_w = state.base_pos_w[:, None] + sent.hand_pos_b
    assert {kind: int(safety.counts[kind].sum()) for kind in KINDS} == dict.fromkeys(KINDS, 0)


def test_that_an_operator_commands_one_robot_only():
    source = OperatorSource("keyboard", KeyboardDevice(), make_mapper(standing_state()))
    two = standing_state().select(torch.tensor([0, 0]))
    with pytest.raises(ValueError, match="an operator commands one robot, got 2 worlds"):
        source.reset(torch.arange(2), two)


def test_that_the_age_of_the_source_is_that_of_the_keyboard():
    now = [5.0]
    device = KeyboardDevice(lambda: now[0])
    source = OperatorSource("keyboard", device, make_mapper(standing_state()), lambda: now[0])
    device.set_down({"w"})
    now[0] += 0.3
    assert source.age_s() == pytest.approx(0.3)
    device.release_all()
    now[0] += 9.0
    assert source.age_s() == 0.0
