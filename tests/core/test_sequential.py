import math

import numpy as np
import pytest
from scipy.special import betaincc, betaln

import core.sequential
from core.sequential import SequentialTest, anytime_interval, difference_of, log_capital, paired_value
from core.statistics import wilson_interval


@pytest.fixture
def remembered(monkeypatch):
    """The capital depends on the counts alone, which come again and again in a simulation."""
    known = {}

    def capital(counts, mean):
        key = (mean, *sorted((value, count) for value, count in counts.items() if value != mean))
        if key not in known:
            known[key] = log_capital(counts, mean)
        return known[key]

    monkeypatch.setattr(core.sequential, "log_capital", capital)


def run(values, threshold, alpha=0.05):
    test = SequentialTest(threshold, alpha)
    for value in values:
        test.add(value)
    return test


def test_that_betting_on_successes_is_a_uniform_prior_over_better_rates():
    """For outcomes 0 and 1 the capital has a closed form: a beta integral beyond the hypothesis."""
    for successes, failures, mean in ((18, 2, 0.6), (95, 5, 0.9), (40, 60, 0.5)):
        a, b = successes + 1, failures + 1
        exact = betaln(a, b) + math.log(betaincc(a, b, mean)) - math.log(1 - mean)
        exact -= successes * math.log(mean) + failures * math.log(1 - mean)
        assert log_capital({1.0: successes, 0.0: failures}, mean) == pytest.approx(exact, abs=0.02)


@pytest.mark.parametrize("rate", [0.5, 0.9])
def test_that_peeking_after_every_episode_keeps_the_error_small(rate, remembered):
    """At the threshold itself every decision is wrong. A Wilson interval that is peeked at is wrong far more often."""
    random = np.random.default_rng(3)
    sequences = random.random((300, 250)) < rate
    wrong = np.mean([run(sequence.astype(float), rate).decided for sequence in sequences])
    assert 0.002 < wrong <= 0.05
    counts = sequences.cumsum(axis=1)
    peeked = 0
    for row in counts:
        intervals = (wilson_interval(int(s), n) for n, s in enumerate(row[19:], start=20))
        peeked += any(not i.low <= rate <= i.high for i in intervals)
    assert peeked / len(counts) > 0.15


def test_that_equal_planners_are_seldom_told_apart(remembered):
    random = np.random.default_rng(5)
    cells = random.choice(4, size=(250, 250), p=[0.5, 0.15, 0.15, 0.2])
    values = {0: 0.5, 1: 1.0, 2: 0.0, 3: 0.5}
    decided = [run([values[c] for c in row], 0.5).decided for row in cells.tolist()]
    assert 0.002 < np.mean(decided) <= 0.05


def test_that_a_clear_question_is_decided_early_and_stays_decided():
    test = run([1.0] * 200, 0.9)
    assert test.verdict == "above"
    assert 40 < test.count < 80  # 0.9^n falls below 1/40, and a prior has to be paid for
    assert run([0.0] * 200, 0.9).count < 5
    better = run([1.0, 0.5, 0.5] * 40, 0.5)
    assert better.verdict == "above"
    assert run([0.5] * 1000, 0.5).verdict == "undecided"


def test_that_verdict_and_interval_agree():
    random = np.random.default_rng(1)
    test = SequentialTest(0.7)
    for value in (random.random(150) < 0.85).tolist():
        test.add(float(value))
        low, high = test.interval()
        assert (low > 0.7) is (test.verdict == "above")
        assert high > 0.7


def test_that_the_interval_holds_at_all_times():
    random = np.random.default_rng(11)
    missed = 0
    for _ in range(40):
        outcomes = random.random(200) < 0.8
        successes = outcomes.cumsum()
        intervals = [anytime_interval({1.0: int(successes[n - 1]), 0.0: n - int(successes[n - 1])})
                     for n in range(20, 201, 30)]  # fmt: skip
        missed += any(not low <= 0.8 <= high for low, high in intervals)
    assert missed <= 4
    low, high = anytime_interval({1.0: 450, 0.0: 50})
    fixed = wilson_interval(450, 500)
    assert low < fixed.low < 0.9 < fixed.high < high  # the price of looking
    assert high - low < 2 * (fixed.high - fixed.low)


def test_that_extreme_counts_have_limits():
    assert anytime_interval({}) == (0.0, 1.0)
    assert anytime_interval({1.0: 50})[1] == 1.0
    assert anytime_interval({0.0: 50})[0] == 0.0


def test_that_pairs_become_values_and_back():
    assert [paired_value(a, b) for a in (True, False) for b in (True, False)] == [0.5, 1.0, 0.0, 0.5]
    assert difference_of(0.5) == 0.0
    assert difference_of(1.0) == 1.0


def test_that_mistakes_are_named():
    with pytest.raises(ValueError, match=r"threshold must lie between 0 and 1, got 1\.5"):
        SequentialTest(1.5)
    with pytest.raises(ValueError, match=r"values must lie between 0 and 1, got 2\.0"):
        SequentialTest(0.5).add(2.0)
