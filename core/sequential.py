"""Looking at an evaluation while it runs, and stopping as soon as its question is decided, without fooling oneself.

Method: betting. Somebody who bets against "the mean of the values is at most m", a share of the capital on each value,
can multiply the capital by 1/a with a probability of at most a as long as that is true, whenever the bets end (Ville,
1939). Here the capital is spread over many shares at once, so that none has to be chosen (I. Waudby-Smith and
A. Ramdas, Estimating means of bounded random variables by betting, JRSS B 86, 2024). An ordinary interval that is
looked at again and again would be wrong far more often than its 5 %.
"""

import math
from collections import Counter
from collections.abc import Mapping
from typing import Literal

import numpy as np

SHARES = (np.arange(200) + 0.5) / 200
"""Shares of the capital that are bet; for outcomes 0 and 1, a uniform prior over all means beyond the hypothesis."""

Verdict = Literal["above", "below", "undecided"]


def log_capital(counts: Mapping[float, int], mean: float) -> float:
    """Logarithm of what a capital of 1 has become by betting that the true mean exceeds `mean`.

    `counts`: value in [0, 1] -> how often it came. `mean` lies in (0, 1).
    """
    growth = np.zeros_like(SHARES)
    for value, count in counts.items():
        growth += count * np.log1p(SHARES * (value / mean - 1.0))
    top = float(growth.max())
    return top + math.log(float(np.exp(growth - top).mean()))


def anytime_interval(counts: Mapping[float, int], alpha: float = 0.05) -> tuple[float, float]:
    """Interval of the mean that holds at all times at once with probability 1 - alpha: the means not yet bet away."""
    return _lower_bound(counts, alpha), 1.0 - _lower_bound(_mirrored(counts), alpha)


def _lower_bound(counts: Mapping[float, int], alpha: float) -> float:
    """Largest mean that the bettor has refuted at alpha / 2; the capital falls as the mean rises."""
    total = sum(counts.values())
    average = sum(value * count for value, count in counts.items()) / total if total else 0.0
    if average <= 0.0:
        return 0.0
    low, high = 0.0, average
    for _ in range(50):
        middle = 0.5 * (low + high)
        if log_capital(counts, middle) >= math.log(2.0 / alpha):
            low = middle
        else:
            high = middle
    return low


def _mirrored(counts: Mapping[float, int]) -> dict[float, int]:
    return {1.0 - value: count for value, count in counts.items()}


class SequentialTest:
    """Decides whether the mean of values in [0, 1] lies above or below a threshold; told them in a fixed order.

    However often and whenever one looks, the decision is wrong with a probability of at most alpha (alpha / 2 either
    way). It agrees with `anytime_interval`: decided as soon as that leaves the threshold out.
    """

    def __init__(self, threshold: float, alpha: float = 0.05) -> None:
        """Raises ValueError unless threshold and alpha lie between 0 and 1."""
        for name, value in (("threshold", threshold), ("alpha", alpha)):
            if not 0.0 < value < 1.0:
                raise ValueError(f"{name} must lie between 0 and 1, got {value}")
        self.threshold = threshold
        self.alpha = alpha
        self.verdict: Verdict = "undecided"
        self.counts: Counter[float] = Counter()
        "value -> how often it came until the decision"

    @property
    def count(self) -> int:
        """Values that were used."""
        return self.counts.total()

    @property
    def decided(self) -> bool:
        """Whether there is a verdict."""
        return self.verdict != "undecided"

    def add(self, value: float) -> None:
        """The next value; ignored once it is decided. Raises ValueError outside [0, 1]."""
        if not 0.0 <= value <= 1.0:
            raise ValueError(f"values must lie between 0 and 1, got {value}")
        if self.decided:
            return
        self.counts[float(value)] += 1
        needed = math.log(2.0 / self.alpha)
        if log_capital(self.counts, self.threshold) >= needed:
            self.verdict = "above"
        elif log_capital(_mirrored(self.counts), 1.0 - self.threshold) >= needed:
            self.verdict = "below"

    def interval(self) -> tuple[float, float]:
        """Of the mean, valid whenever it is asked for."""
        return anytime_interval(self.counts, self.alpha)


def paired_value(first: bool, second: bool) -> float:
    """A pair of outcomes as a value: 1 only the first succeeded, 0 only the second, 1/2 no difference."""
    return 0.5 * (1.0 + float(first) - float(second))


def difference_of(mean: float) -> float:
    """Difference of two success rates, given the mean of `paired_value`."""
    return 2.0 * mean - 1.0
