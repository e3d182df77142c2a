"""Normalising and back."""

import pytest
import torch

from core.policy.normalizer import Normalizer


def data(rows=200):
    values = torch.rand(rows, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor([2.0, 0.1, 50.0]) - 1.0
    return torch.cat((values, torch.full((rows, 1), 0.077)), dim=1)


def test_that_the_data_fill_the_range_and_come_back():
    normalizer = Normalizer.fit(data())
    normal = normalizer.normalize(data())
    assert torch.allclose(normal[:, :3].amin(0), torch.full((3,), -1.0), atol=1e-6)
    assert torch.allclose(normal[:, :3].amax(0), torch.full((3,), 1.0), atol=1e-6)
    assert torch.allclose(normalizer.unnormalize(normal), data(), atol=1e-5)


def test_that_a_constant_column_is_zero_reported_and_restored():
    normalizer = Normalizer.fit(data())
    far = torch.full((1, 4), 0.5)
    assert normalizer.normalize(data())[:, 3].abs().max() == 0.0
    assert normalizer.normalize(far)[0, 3] == 0.0  # what never varied in the data cannot be reacted to
    assert normalizer.unnormalize(far)[0, 3] == pytest.approx(0.077)
    assert normalizer.constant_columns(("a", "b", "c", "grip")) == ("grip",)


def test_that_jitter_below_the_smallest_range_is_not_blown_up():
    jitter = 0.3 + 1e-5 * torch.rand(50, 1, generator=torch.Generator().manual_seed(0))
    assert Normalizer.fit(jitter).normalize(jitter).abs().max() == 0.0


def test_that_columns_below_their_floor_keep_their_proportion():
    small = data() * torch.tensor([1.0, 0.1, 1.0, 1.0])  # the second column spans 0.01
    normal = Normalizer.fit(small, floor=torch.tensor([0.1, 0.1, 0.1, 0.1])).normalize(small)
    assert float(normal[:, 0].abs().max()) == pytest.approx(1.0, abs=1e-5)
    assert float(normal[:, 1].abs().max()) == pytest.approx(0.1, rel=0.02)
    assert normal[:, 3].abs().max() == 0.0  # constant columns stay constant


def test_that_values_are_clipped_only_on_request():
    far = data()[:1] + 1000.0
    assert Normalizer.fit(data()).normalize(far)[0, 0] > 500.0
    assert Normalizer.fit(data(), clip=5.0).normalize(far)[0, 0] == 5.0


def test_that_bad_data_are_refused_by_column():
    broken = data()
    broken[3, 1] = torch.nan
    with pytest.raises(ValueError, match=r"not finite in columns \[1\]"):
        Normalizer.fit(broken)
    with pytest.raises(ValueError, match="no data"):
        Normalizer.fit(data(0))
    with pytest.raises(ValueError, match="clip must be at least 1"):
        Normalizer.fit(data(), clip=0.5)
