"""When a fine-tuning has gone wrong, and what was best until then."""

import math

import pytest

from core.rl.guard import CollapseError, CollapseGuard


def test_that_a_rising_success_is_the_best():
    guard = CollapseGuard()
    assert [guard.saw_success(s, 64) for s in (30, 35, 40, 45, 50)] == [True] * 5
    assert (guard.best.successes, guard.best.trials) == (135, 192)


def test_that_chance_is_no_collapse():
    guard = CollapseGuard()
    for successes in [50, 44, 55, 47, 50] * 6:
        guard.saw_success(successes, 64)
    assert guard.bad == 0


def test_that_a_lasting_fall_stops_the_training():
    guard = CollapseGuard(patience=3, window=3)
    for _ in range(4):
        guard.saw_success(60, 64)
    guard.saw_success(30, 64)
    guard.saw_success(30, 64)
    with pytest.raises(CollapseError, match=r"success has fallen to .* from 93.8 % .* for 3 iterations"):
        guard.saw_success(30, 64)
    assert guard.best.rate > 0.9


def test_that_a_recovery_is_forgiven():
    guard = CollapseGuard(patience=2, window=1)
    for successes in (60, 20, 60, 20, 60):
        guard.saw_success(successes, 64)
    assert guard.bad == 0


def test_that_an_exploding_policy_is_stopped_at_once():
    guard = CollapseGuard(kl_limit=10.0)
    guard.saw_kl(9.0)
    for kl in (11.0, math.nan, math.inf):
        with pytest.raises(CollapseError, match="nats per chunk in one iteration, 10 are allowed"):
            guard.saw_kl(kl)


def test_that_it_goes_on_where_it_was():
    guard, again = CollapseGuard(), CollapseGuard()
    for successes in (60, 60, 60, 40):
        guard.saw_success(successes, 64)
    again.load(guard.state())
    assert again.state() == guard.state()
    assert again.best == guard.best


def test_that_a_drop_that_wider_starts_explain_is_no_collapse():
    guard = CollapseGuard(patience=1, window=1)
    guard.saw_success(60, 64)
    guard.ranges_grew(0.5)
    guard.saw_success(31, 64)
    assert guard.bad == 0


def test_that_a_drop_below_what_the_old_starts_still_give_is_a_collapse():
    guard = CollapseGuard(patience=2, window=1)
    guard.saw_success(60, 64)
    guard.ranges_grew(0.5)
    assert not guard.saw_success(2, 64)
    with pytest.raises(
        CollapseError, match=r"to 3.1 % .* from at least 46.9 % .*, expected in the wider start ranges and"
    ):
        guard.saw_success(2, 64)


def test_that_the_best_is_the_best_in_the_widest_starts():
    guard = CollapseGuard()
    for _ in range(3):
        guard.saw_success(62, 64)
    guard.ranges_grew(0.5)
    assert guard.saw_success(50, 64)
    assert guard.saw_success(55, 64)
    assert (guard.best.successes, guard.best.trials) == (105, 128)
    assert not guard.saw_success(20, 64)


def test_that_it_remembers_that_the_starts_are_wider():
    guard, again = CollapseGuard(patience=1), CollapseGuard(patience=1)
    guard.saw_success(60, 64)
    guard.ranges_grew(0.5)
    again.load(guard.state())
    for one in (guard, again):
        with pytest.raises(CollapseError, match="expected in the wider"):
            one.saw_success(0, 64)
