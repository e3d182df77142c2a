import math
from dataclasses import dataclass

import pytest
import torch

from core.draws import uniform
from core.ranges import Range, check_range, check_ranges


@dataclass(frozen=True)
class Ranges:
    shift_m: Range = (-0.1, 0.1)
    mass_kg: Range = (0.3, 1.2)
    sizes: tuple[float, float, float] = (3.0, 2.0, 1.0)
    share: float = 0.5

    def __post_init__(self) -> None:
        check_ranges(self, positive=("mass_kg",))


def test_that_every_range_of_a_config_is_checked_and_nothing_else():
    Ranges()
    Ranges(shift_m=(0.0, 0.0))
    for wrong in ((0.1, -0.1), (0.0, math.nan), (-math.inf, 0.0)):
        with pytest.raises(ValueError, match=r"shift_m must be \(low, high\) with low <= high, both finite, got"):
            Ranges(shift_m=wrong)
    with pytest.raises(ValueError, match=r"mass_kg must be \(low, high\) with 0 < low <= high"):
        Ranges(mass_kg=(0.0, 1.0))


def test_that_a_border_may_be_included():
    check_range("a", (0.5, 0.5), at_least=0.5)
    with pytest.raises(ValueError, match=r"with 0.5 <= low <= high, both finite, got \(0.4, 1.0\)"):
        check_range("a", (0.4, 1.0), at_least=0.5)


def test_that_draws_fill_their_range():
    values = uniform((2.0, 3.0), (1000, 2), torch.Generator().manual_seed(0))
    assert values.shape == (1000, 2)
    assert 2.0 <= float(values.min()) < 2.01
    assert 2.99 < float(values.max()) <= 3.0
