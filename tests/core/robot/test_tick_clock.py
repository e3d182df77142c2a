"""Laws of the clock that is recovered from arrivals: the robot's even ticks come out of uneven ones."""

import numpy as np

from core.robot.tick_clock import BLOCK, TickClock

PERIOD_S = 0.002


def arrivals(count: int, seed: int = 0, delay_s: float = 0.0001, jitter_s: float = 0.003) -> np.ndarray:
    """(count,) times of arrival: even ticks, a fixed delay and a jitter that never lets one overtake another."""
    random = np.random.default_rng(seed)
    ticks = 50.0 + PERIOD_S * np.arange(count)
    late = np.where(random.random(count) < 0.3, random.exponential(jitter_s, count), 0.0)
    return np.maximum.accumulate(ticks + delay_s + late)


def test_that_jitter_of_arrivals_is_taken_out() -> None:
    received = arrivals(2000)
    clock = TickClock(PERIOD_S)

    stamps = np.array([clock.stamp(time_s) for time_s in received])[2 * BLOCK :]

    assert np.abs(np.diff(received)).max() > 0.005
    np.testing.assert_allclose(np.diff(stamps), PERIOD_S, atol=1e-9)


def test_that_a_state_is_never_stamped_after_it_arrived_and_hardly_before_the_robot_took_it() -> None:
    received = arrivals(3000, seed=1)
    clock = TickClock(PERIOD_S)

    stamps = np.array([clock.stamp(time_s) for time_s in received])

    assert (stamps <= received).all()
    taken = 50.0 + PERIOD_S * np.arange(3000)
    np.testing.assert_allclose(stamps[2 * BLOCK :], taken[2 * BLOCK :] + 0.0001, atol=1e-6)


def test_that_lost_states_are_found_and_mended_within_two_blocks() -> None:
    received = np.delete(arrivals(2000, seed=2), np.arange(500, 507))
    clock = TickClock(PERIOD_S)

    stamps = np.array([clock.stamp(time_s) for time_s in received])

    taken = np.delete(50.0 + PERIOD_S * np.arange(2000), np.arange(500, 507))
    np.testing.assert_allclose(stamps[700:], taken[700:] + 0.0001, atol=1e-6)
    assert clock.mended == 7


def test_that_a_robot_with_a_slow_clock_is_followed() -> None:
    """100 millionths: the error stays below what a block drifts."""
    slow = PERIOD_S * (1.0 + 1e-4)
    taken = slow * np.arange(20_000)
    clock = TickClock(PERIOD_S)

    stamps = np.array([clock.stamp(time_s) for time_s in taken])

    assert np.abs(stamps - taken).max() < 2 * BLOCK * 1e-4 * PERIOD_S


def test_that_a_silence_begins_the_count_anew() -> None:
    clock = TickClock(PERIOD_S)
    for tick in range(10):
        clock.stamp(1.0 + PERIOD_S * tick)

    assert clock.stamp(9.0) == 9.0
