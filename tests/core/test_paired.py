import numpy as np
import pytest

from core.paired import compare_paired, difference_interval, holm, mcnemar_exact


def test_that_pairs_are_counted_and_compared():
    first = [True] * 6 + [True] * 3 + [False] * 1 + [False] * 2
    second = [True] * 6 + [False] * 3 + [True] * 1 + [False] * 2
    result = compare_paired(first, second)
    assert (result.both, result.only_first, result.only_second, result.neither) == (6, 3, 1, 2)
    assert result.difference == pytest.approx(2 / 12)
    assert result.p_value == pytest.approx(0.625)  # 2 (1 + 4) / 16
    assert result.ci95[0] < result.difference < result.ci95[1]
    assert str(result).startswith("+16.7 points [")
    with pytest.raises(ValueError, match="pairs of outcomes are needed, got 2 and 1"):
        compare_paired([True, False], [True])


@pytest.mark.parametrize(
    ("b", "c", "p"), [(0, 0, 1.0), (5, 5, 1.0), (5, 0, 2 / 32), (10, 2, 158 / 4096), (0, 10, 2 / 1024)]
)
def test_that_the_exact_test_is_that_of_a_fair_coin(b, c, p):
    assert mcnemar_exact(b, c) == pytest.approx(p)
    assert mcnemar_exact(c, b) == pytest.approx(p)


def test_that_the_interval_turns_with_the_order_and_knows_its_limits():
    low, high = difference_interval(30, 12, 4, 14)
    assert difference_interval(30, 4, 12, 14) == (pytest.approx(-high), pytest.approx(-low))
    assert difference_interval(0, 20, 0, 0)[1] == 1.0
    equal = difference_interval(20, 0, 0, 20)
    assert equal[0] == pytest.approx(-equal[1])
    independent = difference_interval(10, 10, 10, 10)
    assert equal[1] < 0.5 * independent[1]  # pairs that agree tell more


@pytest.mark.parametrize("cells", [(0.55, 0.2, 0.1, 0.15), (0.85, 0.08, 0.05, 0.02), (0.4, 0.1, 0.1, 0.4)])
def test_that_the_interval_covers_the_difference(cells):
    random = np.random.default_rng(7)
    true = cells[1] - cells[2]
    inside = [
        low <= true <= high
        for low, high in (difference_interval(*map(int, counts)) for counts in random.multinomial(100, cells, 1500))
    ]
    assert 0.935 <= np.mean(inside) <= 0.985


def test_that_several_tests_are_adjusted_together():
    assert holm([0.01, 0.04, 0.03, 0.5]) == pytest.approx([0.04, 0.09, 0.09, 0.5])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []
