import math

import pytest

from core.statistics import wilson_interval


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        # Newcombe (1998), table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_that_wilson_intervals_equal_published_values(successes, trials, low, high):
    interval = wilson_interval(successes, trials)

    assert interval.low == pytest.approx(low, abs=5e-5)
    assert interval.high == pytest.approx(high, abs=5e-5)
    assert interval.rate == pytest.approx(successes / trials)


def test_that_the_interval_of_failures_mirrors_the_one_of_successes():
    a, b = wilson_interval(7, 50), wilson_interval(43, 50)

    assert a.low == pytest.approx(1 - b.high)
    assert a.high == pytest.approx(1 - b.low)


def test_that_no_trials_mean_no_knowledge():
    interval = wilson_interval(0, 0)

    assert (interval.low, interval.high) == (0.0, 1.0)
    assert math.isnan(interval.rate)


@pytest.mark.parametrize(("successes", "trials"), [(-1, 3), (4, 3)])
def test_that_impossible_counts_are_refused(successes, trials):
    with pytest.raises(ValueError, match="successes must lie between"):
        wilson_interval(successes, trials)
