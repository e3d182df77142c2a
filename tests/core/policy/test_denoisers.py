"""Noise predictors: shapes, the split into parts, sizes, and that both can fit."""

import pytest
import torch

from core.policy.build import build_denoiser
from core.policy.config import DitConfig, MlpConfig, PlannerConfig
from core.policy.dit import Dit
from core.policy.layout import PlannerLayout
from core.types import Command

SMALL = PlannerConfig(
    dit=DitConfig(width=32, layers=2, heads=2, encoder_width=32, actions_per_token=1), mlp=MlpConfig(width=64)
)


def small(kind):
    return PlannerConfig(kind=kind, dit=SMALL.dit, mlp=SMALL.mlp)


def inputs(layout, batch=5):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(batch, layout.action_chunk, layout.action_size, generator=generator)
    obs = torch.randn(batch, layout.observation_horizon, layout.observation_size, generator=generator)
    return x, obs, torch.arange(batch) * 3


def randomise(network):
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return network


@pytest.mark.parametrize("kind", ["dit", "mlp-diffusion"])
def test_that_encoding_once_and_denoising_often_equals_predicting(layout, kind):
    net = randomise(build_denoiser(layout, small(kind)))
    x, obs, level = inputs(layout)
    whole = net.predict(x, level, obs, 20)
    condition = net.encode(obs)
    for row in range(5):
        part = net(x[row : row + 1], condition[row : row + 1] + net.embed_levels(level[row : row + 1]))
        assert torch.allclose(part[0], whole[row], atol=1e-5)


@pytest.mark.parametrize("kind", ["dit", "mlp-diffusion"])
def test_that_every_input_matters(layout, kind):
    net = randomise(build_denoiser(layout, small(kind)))
    x, obs, level = inputs(layout)
    base = net.predict(x, level, obs, 20)
    old = obs.clone()
    old[:, 0] += 1.0  # the oldest observation
    late = x.clone()
    late[:, -1] += 1.0  # the last action moves the noise of the first
    assert (net.predict(x, level, old, 20) - base).abs().max() > 1e-4
    assert (net.predict(late, level, obs, 20) - base)[:, 0].abs().max() > 1e-4
    assert (net.predict(x, level + 1, obs, 20) - base).abs().max() > 1e-4


def test_that_the_transformer_starts_by_predicting_no_noise(layout):
    x, obs, level = inputs(layout)
    assert build_denoiser(layout, SMALL).predict(x, level, obs, 20).abs().max() == 0.0


def test_that_the_default_transformer_has_the_measured_size():
    layout = PlannerLayout("box_pickup", (("all", 50),), Command.component_names())
    size = sum(p.numel() for p in Dit(layout, DitConfig()).parameters())
    assert 3.5e6 < size < 5.0e6


def test_that_sizes_that_do_not_fit_are_refused(layout):
    with pytest.raises(ValueError, match="heads must divide width, got 3 and 32"):
        DitConfig(width=32, heads=3)
    with pytest.raises(ValueError, match="must divide the chunk of 6, got 4"):
        Dit(layout, DitConfig(actions_per_token=4))
    with pytest.raises(ValueError, match="noise of a token of 69 values does not pass through a width of 64"):
        Dit(layout, DitConfig(width=64, heads=2))
    with pytest.raises(ValueError, match="'mlp' has no denoiser"):
        build_denoiser(layout, PlannerConfig(kind="mlp"))
