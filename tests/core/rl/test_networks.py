"""Normaliser statistics and Gaussian formulas."""

import pytest
import torch

from core.rl.networks import ActorCritic, RunningNormalizer, gaussian_entropy, gaussian_kl, gaussian_log_prob
from core.rl.ppo_config import ActorCriticConfig


def test_that_batches_give_the_statistics_of_the_whole():
    data = torch.randn(700, 3, generator=torch.Generator().manual_seed(0)) * 4 + 7
    normalizer = RunningNormalizer(3)
    for part in data.split([100, 1, 599]):
        normalizer.update(part)
    torch.testing.assert_close(normalizer.mean, data.mean(0))
    torch.testing.assert_close(normalizer.variance, data.var(0, unbiased=False))
    assert float(normalizer.count) == 700


def test_that_normalised_data_is_standard_and_outliers_are_clipped():
    data = torch.randn(4000, 2, generator=torch.Generator().manual_seed(1)) * 3 - 5
    normalizer = RunningNormalizer(2)
    normalizer.update(data)
    out = normalizer(data)
    torch.testing.assert_close(out.mean(0), torch.zeros(2), atol=1e-4, rtol=0)
    torch.testing.assert_close(out.std(0), torch.ones(2), atol=1e-3, rtol=0)
    assert float(normalizer(torch.full((1, 2), 1e6)).max()) == RunningNormalizer.CLIP


def test_that_gaussian_formulas_agree_with_torch():
    generator = torch.Generator().manual_seed(2)
    mean, other = torch.randn(2, 5, 3, generator=generator)
    std, std_other = torch.rand(2, 3, generator=generator) + 0.1
    x = torch.randn(5, 3, generator=generator)
    p, q = torch.distributions.Normal(mean, std), torch.distributions.Normal(other, std_other)
    torch.testing.assert_close(gaussian_log_prob(x, mean, std), p.log_prob(x).sum(-1))
    torch.testing.assert_close(gaussian_entropy(std), p.entropy()[0].sum())
    torch.testing.assert_close(
        gaussian_kl(mean, std, other, std_other), torch.distributions.kl_divergence(p, q).sum(-1)
    )


def test_that_the_standard_deviation_has_a_floor():
    model = ActorCritic(4, 4, 2, ActorCriticConfig(initial_std=0.3, min_std=0.1))
    torch.nn.init.constant_(model.actor.log_std, -9.0)
    torch.testing.assert_close(model.actor.std(), torch.full((2,), 0.1))


def test_that_an_impossible_config_is_refused_with_its_values():
    with pytest.raises(ValueError, match=r"0\.6 and 0\.5"):
        ActorCriticConfig(min_std=0.6)
