"""Fault injection: each claim of the safety filter, by feeding it the fault."""

import pytest
import torch

from core.control.safety import KINDS, PRESETS, SafetyFilter, SafetyLimits, measured_hold, workspace
from core.rigid import quat_from_rotvec, quat_inv, quat_mul, quat_to_rotvec
from core.types import Command, WorldState

N = 3
PERIOD_S = 0.1
FRESH = torch.zeros(N)


def standing_state(n: int = N) -> WorldState:
    quat = torch.tensor([1.0, 0.0, 0.0, 0.0])
    hands_w = torch.tensor([[0.3, 0.25, 0.7], [0.3, -0.25, 0.7]]).repeat(n, 1, 1)
    zero = torch.zeros(n, 3)
    return WorldState(
        time_s=torch.zeros(n), base_pos_w=torch.tensor([[0.0, 0.0, 0.68]]).repeat(n, 1), base_quat_w=quat.repeat(n, 1),
        base_lin_vel_b=zero, base_ang_vel_b=zero, joint_pos=torch.zeros(n, 29), joint_vel=torch.zeros(n, 29),
        joint_torque=torch.zeros(n, 29), gripper_opening=torch.full((n, 2), 0.05), hand_pos_w=hands_w,
        hand_quat_w=quat.repeat(n, 2, 1), foot_pos_w=torch.zeros(n, 2, 3), foot_quat_w=quat.repeat(n, 2, 1),
        foot_force_w=torch.zeros(n, 2, 3), hand_force_w=torch.zeros(n, 2, 3),
    )  # fmt: skip


@pytest.fixture
def state() -> WorldState:
    return standing_state()


@pytest.fixture
def safety(state) -> SafetyFilter:
    made = SafetyFilter(SafetyLimits(), PERIOD_S)
    made.reset(torch.arange(N), state)
    return made


def ask(state: WorldState, **changes) -> Command:
    command = measured_hold(state)
    for name, value in changes.items():
        setattr(command, name, torch.as_tensor(value, dtype=torch.float32))
    return command


def kinds(found) -> set[str]:
    return {kind for kind, where in found.items() if bool(where.any())}


def test_that_a_good_command_passes_unchanged_and_uncounted(safety, state):
    wanted = ask(state, base_velocity=[[0.05, 0.02, -0.1]] * N)
    sent, found = safety.filter(wanted, FRESH, state)
    torch.testing.assert_close(sent.to_vector(), wanted.to_vector())
    assert kinds(found) == set()
    assert all(int(count.sum()) == 0 for count in safety.counts.values())


def test_that_nan_repeats_the_last_good_command_then_holds(safety, state):
    good, _ = safety.filter(ask(state, base_velocity=[[0.1, 0.0, 0.0]] * N), FRESH, state)
    bad = ask(state, base_velocity=[[0.1, 0.0, 0.0]] * N)
    bad.hand_pos_b[1, 0, 2] = torch.nan
    outcomes = [safety.filter(bad, FRESH, state) for _ in range(4)]
    for sent, found in outcomes:
        assert bool(sent.to_vector().isfinite().all())
        assert found["not_finite"].tolist() == [False, True, False]
        torch.testing.assert_close(sent.hand_pos_b[1], good.hand_pos_b[1])
    speeds = [float(sent.base_velocity[1, 0]) for sent, _ in outcomes]
    assert speeds == pytest.approx([0.1, 0.1, 0.0, 0.0])  # 250 ms cover two periods
    assert float(outcomes[-1][0].base_velocity[0, 0]) == pytest.approx(0.1)  # the neighbours walk on
    assert safety.counts["not_finite"].tolist() == [0, 4, 0]


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("field", ["base_velocity", "hand_pos_b", "hand_quat_b", "gripper_opening"])
def test_that_no_field_lets_a_number_through_that_is_none(safety, state, field, value):
    bad = ask(state)
    getattr(bad, field)[0] = value
    for _ in range(5):
        sent, found = safety.filter(bad, FRESH, state)
        assert bool(sent.to_vector().isfinite().all())
        assert bool(found["not_finite"][0])


def test_that_after_nan_a_good_command_is_obeyed_again(safety, state):
    bad = ask(state, base_velocity=[[torch.nan, 0.0, 0.0]] * N)
    for _ in range(5):
        safety.filter(bad, FRESH, state)
    sent, found = safety.filter(ask(state, base_velocity=[[0.1, 0.0, 0.0]] * N), FRESH, state)
    assert kinds(found) == set()
    assert sent.base_velocity[:, 0].tolist() == pytest.approx([0.1] * N)


def test_that_a_stale_command_stops_the_base_at_once_and_holds_the_hands(safety, state):
    for _ in range(4):
        safety.filter(ask(state, base_velocity=[[0.3, 0.0, 0.0]] * N), FRESH, state)
    before = safety.sent
    moved = ask(state, base_velocity=[[0.3, 0.0, 0.0]] * N, hand_pos_b=before.hand_pos_b + 0.02)
    sent, found = safety.filter(moved, torch.tensor([0.25, 0.26, 5.0]), state)
    assert found["stale"].tolist() == [False, True, True]
    assert sent.base_velocity[1:].abs().max() == 0.0
    torch.testing.assert_close(sent.hand_pos_b[1:], before.hand_pos_b[1:])
    assert float(sent.base_velocity[0, 0]) == pytest.approx(0.3)
    assert safety.counts["stale"].tolist() == [0, 1, 1]


def test_that_an_age_that_is_no_number_is_not_trusted(safety, state):
    _, found = safety.filter(ask(state), torch.tensor([torch.nan, 0.0, torch.inf]), state)
    assert found["not_finite"].tolist() == [True, False, True]


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_that_each_velocity_stays_within_its_limit_whatever_is_asked(state, preset):
    limits = PRESETS[preset]()
    safety = SafetyFilter(limits, PERIOD_S)
    safety.reset(torch.arange(N), state)
    generator = torch.Generator().manual_seed(0)
    for _ in range(200):
        wanted = ask(state, base_velocity=3.0 * torch.randn(N, 3, generator=generator))
        before = safety.sent.base_velocity.clone()
        sent, found = safety.filter(wanted, FRESH, state)
        v = sent.base_velocity
        assert v[:, 0].abs().max() <= limits.speed_x_m_s + 1e-6
        assert v[:, 1].abs().max() <= limits.speed_y_m_s + 1e-6
        assert v[:, :2].norm(dim=-1).max() <= limits.speed_m_s + 1e-6
        assert v[:, 2].abs().max() <= limits.turn_rad_s + 1e-6
        assert (v - before)[:, :2].abs().max() <= limits.acceleration_m_s2 * PERIOD_S + 1e-6
        assert (v - before)[:, 2].abs().max() <= limits.turn_acceleration_rad_s2 * PERIOD_S + 1e-6
        assert bool(found["speed"].any() | found["acceleration"].any())


def test_that_too_much_speed_is_clamped_and_counted_by_world(safety, state):
    wanted = ask(state, base_velocity=[[0.05, 0.0, 0.0], [0.0, 0.0, 9.0], [0.0, 0.0, 0.0]])
    sent, found = safety.filter(wanted, FRESH, state)
    assert found["speed"].tolist() == [False, True, False]
    assert float(sent.base_velocity[1, 2]) == pytest.approx(0.2)  # 2 rad/s^2 for 0.1 s
    for _ in range(5):
        sent, _ = safety.filter(wanted, FRESH, state)
    assert float(sent.base_velocity[1, 2]) == pytest.approx(0.5)


def test_that_a_velocity_jump_becomes_a_ramp_and_is_counted(safety, state):
    wanted = ask(state, base_velocity=[[0.4, 0.0, 0.0]] * N)
    ramp = []
    for _ in range(5):
        sent, found = safety.filter(wanted, FRESH, state)
        ramp.append((round(float(sent.base_velocity[0, 0]), 4), bool(found["acceleration"][0])))
    assert ramp == [(0.1, True), (0.2, True), (0.3, True), (0.4, False), (0.4, False)]


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_that_hands_never_move_or_turn_faster_than_allowed_nor_leave_the_workspace(state, preset):
    limits = PRESETS[preset]()
    safety = SafetyFilter(limits, PERIOD_S)
    safety.reset(torch.arange(N), state)
    low, high = workspace(limits)
    generator = torch.Generator().manual_seed(1)
    for _ in range(200):
        wanted = ask(
            state,
            hand_pos_b=2.0 * torch.randn(N, 2, 3, generator=generator),
            hand_quat_b=torch.nn.functional.normalize(torch.randn(N, 2, 4, generator=generator), dim=-1),
        )
        before = safety.sent
        sent, _ = safety.filter(wanted, FRESH, state)
        assert (sent.hand_pos_b - before.hand_pos_b).norm(dim=-1).max() <= limits.hand_speed_m_s * PERIOD_S + 1e-5
        turn = quat_to_rotvec(quat_mul(sent.hand_quat_b, quat_inv(before.hand_quat_b))).norm(dim=-1)
        assert turn.max() <= limits.hand_turn_rad_s * PERIOD_S + 1e-4
        assert bool(((sent.hand_pos_b >= low - 1e-6) & (sent.hand_pos_b <= high + 1e-6)).all())
        assert (sent.hand_quat_b.norm(dim=-1) - 1.0).abs().max() < 1e-5
    assert all(int(safety.counts[kind].min()) > 0 for kind in ("workspace", "hand_speed", "hand_rotation"))


def test_that_a_far_hand_target_is_approached_along_the_straight_line(safety, state):
    start = safety.sent.hand_pos_b.clone()
    goal = start + torch.tensor([0.1, 0.1, 0.05])
    sent, found = safety.filter(ask(state, hand_pos_b=goal), FRESH, state)
    step = sent.hand_pos_b - start
    assert found["hand_speed"].tolist() == [True] * N
    torch.testing.assert_close(step.norm(dim=-1), torch.full((N, 2), 0.05))
    torch.testing.assert_close(step / 0.05, (goal - start) / 0.15, atol=1e-5, rtol=0)
    for _ in range(3):
        sent, found = safety.filter(ask(state, hand_pos_b=goal), FRESH, state)
    torch.testing.assert_close(sent.hand_pos_b, goal)
    assert kinds(found) == set()


def test_that_a_hand_that_starts_outside_may_come_in_but_not_go_further_out(state):
    state.hand_pos_w[:, 0, 1] = 0.80  # left hand 15 cm outside
    safety = SafetyFilter(SafetyLimits(hand_speed_m_s=5.0), PERIOD_S)
    safety.reset(torch.arange(N), state)
    held, found = safety.filter(measured_hold(state), FRESH, state)
    assert kinds(found) == set()
    outwards = ask(state, hand_pos_b=held.hand_pos_b + torch.tensor([0.0, 0.1, 0.0]))
    sent, found = safety.filter(outwards, FRESH, state)
    assert float(sent.hand_pos_b[0, 0, 1]) == pytest.approx(0.80)
    assert bool(found["workspace"].all())
    inwards = ask(state)
    inwards.hand_pos_b[:, 0, 1] = 0.5
    sent, found = safety.filter(inwards, FRESH, state)
    assert float(sent.hand_pos_b[0, 0, 1]) == pytest.approx(0.5)


def test_that_the_right_workspace_is_the_mirror_image_of_the_left(state):
    low, high = workspace(SafetyLimits())
    mirror = torch.tensor([1.0, -1.0, 1.0])
    torch.testing.assert_close(torch.minimum(low[0] * mirror, high[0] * mirror), low[1])
    torch.testing.assert_close(torch.maximum(low[0] * mirror, high[0] * mirror), high[1])


def test_that_grippers_stay_in_range_and_it_is_counted(safety, state):
    sent, found = safety.filter(ask(state, gripper_opening=[[-0.1, 0.03], [0.03, 0.2], [0.0, 0.077]]), FRESH, state)
    torch.testing.assert_close(sent.gripper_opening, torch.tensor([[0.0, 0.03], [0.03, 0.077], [0.0, 0.077]]))
    assert found["gripper"].tolist() == [True, True, False]


def test_that_a_quaternion_of_wrong_norm_is_normalised_and_a_hopeless_one_refused(safety, state):
    turned = quat_from_rotvec(torch.tensor([0.0, 0.0, 0.1]))
    wanted = ask(state)
    wanted.hand_quat_b[0, 0] = 1.2 * turned
    wanted.hand_quat_b[1, 0] = 0.0
    sent, found = safety.filter(wanted, FRESH, state)
    assert found["quaternion"].tolist() == [True, True, False]
    torch.testing.assert_close(sent.hand_quat_b[0, 0], turned)
    torch.testing.assert_close(sent.hand_quat_b[1, 0], measured_hold(state).hand_quat_b[1, 0])


def test_that_the_two_signs_of_a_quaternion_are_the_same_rotation(safety, state):
    wanted = ask(state)
    wanted.hand_quat_b = -wanted.hand_quat_b
    sent, found = safety.filter(wanted, FRESH, state)
    assert kinds(found) == set()
    torch.testing.assert_close(sent.hand_quat_b, measured_hold(state).hand_quat_b)


def test_that_hold_stops_chosen_worlds_and_keeps_their_hands(safety, state):
    walking, _ = safety.filter(ask(state, base_velocity=[[0.1, 0.0, 0.0]] * N), FRESH, state)
    sent = safety.hold(torch.tensor([True, False, False]))
    assert sent.base_velocity[:, 0].tolist() == pytest.approx([0.0, 0.1, 0.1])
    torch.testing.assert_close(sent.hand_pos_b, walking.hand_pos_b)


def test_that_reset_forgets_one_world_only(safety, state):
    fast = ask(state, base_velocity=[[0.4, 0.0, 0.0]] * N)
    for _ in range(4):
        safety.filter(fast, FRESH, state)
    safety.reset(torch.tensor([2]), state)
    assert safety.counts["acceleration"].tolist() == [3, 3, 0]
    assert safety.sent.base_velocity[:, 0].tolist() == pytest.approx([0.4, 0.4, 0.0])


def test_that_a_broken_state_is_not_started_on(state):
    state.hand_pos_w[1, 0, 0] = torch.nan
    with pytest.raises(ValueError, match="measured hands are not finite"):
        SafetyFilter(SafetyLimits(), PERIOD_S).reset(torch.arange(N), state)


def test_that_every_kind_of_intervention_is_reported(safety, state):
    _, found = safety.filter(ask(state), FRESH, state)
    assert set(found) == set(KINDS) == set(safety.counts)


def test_that_the_hardware_preset_has_the_limits_of_the_paper():
    limits = SafetyLimits.hardware()
    assert (limits.speed_m_s, limits.hand_speed_m_s) == (0.2, 0.05)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"speed_m_s": 0.0}, "speed_m_s must be positive, got 0.0"),
        ({"hand_speed_m_s": float("nan")}, "hand_speed_m_s must be positive, got nan"),
        ({"workspace_low_m": (1.0, 0.0, 0.0)}, "the workspace is empty"),
    ],
)
def test_that_limits_that_make_no_sense_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        SafetyLimits(**change)
