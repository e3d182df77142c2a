"""Two planners on the same seeds: difference of their success rates with an interval, and an exact test."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.stats import binomtest

from core.statistics import wilson_interval


@dataclass(frozen=True)
class PairedComparison:
    """Outcomes of pairs of episodes, first against second."""

    both: int
    "pairs in which both succeeded"
    only_first: int
    only_second: int
    neither: int
    difference: float
    "success rate of the first minus that of the second"
    ci95: tuple[float, float]
    "of the difference"
    p_value: float
    "exact McNemar test, two-sided: how likely a split of the unequal pairs as uneven as this is when both are equal"

    @property
    def pairs(self) -> int:
        """All pairs."""
        return self.both + self.only_first + self.only_second + self.neither

    def __str__(self) -> str:
        low, high = self.ci95
        return (
            f"{100 * self.difference:+.1f} points [{100 * low:+.1f}, {100 * high:+.1f}], p = {format_p(self.p_value)} "
            f"({self.only_first} : {self.only_second} of {self.pairs} pairs)"
        )


def format_p(p_value: float) -> str:
    """Two significant digits; below 1e-4 only that."""
    return "< 0.0001" if p_value < 1e-4 else f"{p_value:.2g}"


def compare_paired(first: Sequence[bool], second: Sequence[bool]) -> PairedComparison:
    """Compare outcomes seed by seed. Raises ValueError unless there are as many of both, and at least one."""
    if len(first) != len(second) or not first:
        raise ValueError(f"pairs of outcomes are needed, got {len(first)} and {len(second)}")
    a = sum(x and y for x, y in zip(first, second))
    b = sum(x and not y for x, y in zip(first, second))
    c = sum(y and not x for x, y in zip(first, second))
    d = len(first) - a - b - c
    return PairedComparison(a, b, c, d, (b - c) / len(first), difference_interval(a, b, c, d), mcnemar_exact(b, c))


def mcnemar_exact(only_first: int, only_second: int) -> float:
    """P value of the exact McNemar test: under equality the unequal pairs fall either way like a fair coin (1947)."""
    unequal = only_first + only_second
    return float(binomtest(only_first, unequal).pvalue) if unequal else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """P values of several tests, adjusted so that a single false alarm among all of them is as rare (Holm, 1979)."""
    adjusted, floor = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        floor = max(floor, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = floor
    return adjusted


def difference_interval(
    both: int, only_first: int, only_second: int, neither: int, confidence: float = 0.95
) -> tuple[float, float]:
    """Interval of a difference of paired proportions: two Wilson intervals, put together with their correlation.

    R. G. Newcombe, Improved confidence intervals for the difference between binomial proportions based on paired data
    (1998), method 10.
    """
    n = both + only_first + only_second + neither
    first = wilson_interval(both + only_first, n, confidence)
    second = wilson_interval(both + only_second, n, confidence)
    phi = _correlation(both, only_first, only_second, neither)
    difference = first.rate - second.rate
    down = _combined(first.rate - first.low, second.high - second.rate, phi)
    up = _combined(first.high - first.rate, second.rate - second.low, phi)
    return max(-1.0, difference - down), min(1.0, difference + up)


def _combined(a: float, b: float, phi: float) -> float:
    return math.sqrt(max(0.0, a * a - 2.0 * phi * a * b + b * b))


def _correlation(a: int, b: int, c: int, d: int) -> float:
    """Of the two outcomes; a positive one is shrunk (continuity), and it is 0 where an outcome never varies."""
    margins = (a + b) * (c + d) * (a + c) * (b + d)
    if margins == 0:
        return 0.0
    covariance = a * d - b * c
    if covariance > 0:
        covariance = max(covariance - (a + b + c + d) / 2, 0.0)
    return covariance / math.sqrt(margins)
