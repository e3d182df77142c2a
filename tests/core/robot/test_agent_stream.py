"""The command stream: nothing leaves it that is too fast, too far or not a number."""

import numpy as np
import pytest

from core.robot.agent.stream import ARMS_ONLY, LEG_MARGIN_RAD, WHOLE_BODY, Stream
from core.t1.model import ARMS, KD, KP, LEGS, LOWER_LIMIT, NUM_JOINTS, UPPER_LIMIT, VELOCITY_LIMIT

ZERO = np.zeros(NUM_JOINTS)


def stream(joints: np.ndarray = WHOLE_BODY) -> Stream:
    made = Stream()
    made.begin(ZERO, KP, KD, joints, 0.0)
    return made


def frames(made: Stream, seconds: float, begin_s: float = 0.0) -> np.ndarray:
    times = begin_s + 0.002 * np.arange(1, round(seconds / 0.002) + 1)
    return np.stack([made.frame(t).q for t in times])


def test_that_a_stream_begins_where_the_joints_are() -> None:
    made = Stream()
    assert made.frame(0.0) is None

    q = np.full(NUM_JOINTS, 0.1)
    made.begin(q, KP, KD, WHOLE_BODY, 1.0)

    np.testing.assert_array_equal(made.frame(1.002).q, q)


def test_that_targets_are_interpolated_over_the_blend() -> None:
    made = stream()
    made.go_to(np.full(NUM_JOINTS, 0.02), 0.02, 0.0)

    q = frames(made, 0.03)[:, 0]

    np.testing.assert_allclose(q[:10], 0.002 * np.arange(1, 11), atol=1e-12)
    np.testing.assert_allclose(q[10:], 0.02, atol=1e-12)


def test_that_no_joint_moves_faster_than_its_rated_speed() -> None:
    made = stream()
    made.go_to(UPPER_LIMIT, 0.0, 0.0)

    q = np.vstack([ZERO, frames(made, 0.2)])

    assert (np.abs(np.diff(q, axis=0)) <= VELOCITY_LIMIT * 0.002 + 1e-9).all()
    assert made.limited_speed > 0


def test_that_a_late_frame_is_no_licence_for_a_jump() -> None:
    made = stream()
    made.go_to(UPPER_LIMIT, 0.0, 0.0)

    q = made.frame(1.0).q

    assert (np.abs(q) <= VELOCITY_LIMIT * 0.0028 + 1e-9).all()


def test_that_targets_stay_within_the_limits() -> None:
    made = stream()
    made.go_to(np.full(NUM_JOINTS, 10.0), 0.0, 0.0)

    q = frames(made, 5.0)[-1]

    np.testing.assert_allclose(q[ARMS], UPPER_LIMIT[ARMS])
    np.testing.assert_allclose(q[LEGS], UPPER_LIMIT[LEGS] + LEG_MARGIN_RAD)
    assert (q >= LOWER_LIMIT).all()
    assert made.limited_position == 1


def test_that_a_target_that_is_not_a_number_changes_nothing() -> None:
    made = stream()
    bad = ZERO.copy()
    bad[7] = np.nan

    with pytest.raises(ValueError, match=r"\[7\]"):
        made.go_to(bad, 0.0, 0.0)

    np.testing.assert_array_equal(frames(made, 0.1)[-1], ZERO)


def test_that_arms_only_means_no_gains_anywhere_else() -> None:
    frame = stream(ARMS_ONLY).frame(0.002)

    others = np.setdiff1d(np.arange(NUM_JOINTS), ARMS)
    assert (frame.kp[ARMS] > 0).all()
    assert not frame.kp[others].any()
    assert not frame.kd[others].any()


def test_that_damping_has_no_stiffness() -> None:
    made = stream()
    made.damp(WHOLE_BODY)

    frame = made.frame(0.002)

    assert not frame.kp.any()
    assert (frame.kd > 0).all()


def test_that_gains_change_gradually() -> None:
    made = stream()
    made.change_gains(2 * KP, KD, 0.1, 0.0)

    np.testing.assert_allclose(made.frame(0.05).kp, 1.5 * KP)
    np.testing.assert_allclose(made.frame(0.2).kp, 2 * KP)


def test_that_arms_begin_slowly_and_legs_do_not() -> None:
    made = stream()
    made.start_slowly(1.0, 0.0)
    made.go_to(np.where(np.isin(np.arange(NUM_JOINTS), ARMS), 0.5, 0.1), 0.0, 0.0)

    q = frames(made, 0.01)[-1]

    np.testing.assert_allclose(q[LEGS], 0.1, atol=0.05)
    assert (q[ARMS] < 0.15 * 0.01 * VELOCITY_LIMIT[ARMS]).all()


def test_that_arms_keep_to_the_agents_own_speed() -> None:
    made = Stream(arm_speed_rad_s=2.0)
    made.begin(ZERO, KP, KD, WHOLE_BODY, 0.0)
    made.go_to(np.full(NUM_JOINTS, 0.5), 0.0, 0.0)

    q = np.vstack([ZERO, frames(made, 0.1)])

    np.testing.assert_allclose(np.abs(np.diff(q, axis=0))[:, ARMS].max(), 0.004)
