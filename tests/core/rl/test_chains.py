"""Exploring chains and their probabilities, against formulas written out here."""

import math

import pytest
import torch
from torch import nn

from core.policy.checkpoint import load_planner, save_planner
from core.policy.config import SamplerConfig
from core.rl.chains import DiffusionChain, value_log_prob
from core.rl.checkpoint import CheckpointError
from core.rl.finetune_config import DppoConfig
from tests.core.rl.plane import LAYOUT, plane_planner

B = 5
OBS = torch.linspace(-1, 1, B * 4).view(B, 2, 2)


def noise_for(chain, seed=0):
    shape = (chain.noise_count, B, LAYOUT.action_chunk, LAYOUT.action_size)
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def move(network, size=0.3):
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(size * torch.ones_like(parameter))


def cosine_alpha_bar(k):
    t = torch.arange(k + 1, dtype=torch.float64) / k
    f = torch.cos((t + 0.008) / 1.008 * math.pi / 2) ** 2
    return (f[1:] / f[:-1]).clamp(min=0.001).cumprod(0)


def ddpm_step(x, eps, t, k):
    """Mean and deviation of a step at level t, from the formulas of DDPM with a clipped clean chunk."""
    ab = cosine_alpha_bar(k)
    before = ab[t - 1] if t else torch.tensor(1.0, dtype=torch.float64)
    alpha = ab[t] / before
    clean = ((x - (1 - ab[t]).sqrt() * eps) / ab[t].sqrt()).clamp(-1, 1)
    mean = (1 - alpha) * before.sqrt() / (1 - ab[t]) * clean + (1 - before) * alpha.sqrt() / (1 - ab[t]) * x
    return mean, float(((1 - before) / (1 - ab[t]) * (1 - alpha)).sqrt())


def test_that_a_ddpm_chain_follows_the_formulas():
    planner, _ = plane_planner(denoising_steps=10)
    config = DppoConfig(tuned_steps=4, sampler="ddpm", min_sampling_std=0.1, min_logprob_std=0.2)
    chain = DiffusionChain(planner, config)
    move(chain.tuned)
    noise = 2.5 * noise_for(chain)
    x, kept = noise[0], []
    for step, t in enumerate(range(9, -1, -1)):
        if step >= 6:
            kept.append(x)
        net = chain.tuned if step >= 6 else planner.base
        eps = net.predict(x, torch.full((B,), t), OBS, 10)
        mean, std = ddpm_step(x, eps, t, 10)
        following = (mean + max(std, 0.1) * noise[step + 1].clamp(-3, 3)).float()
        if step >= 6:
            j = torch.full((B,), step - 6)
            density = torch.distributions.Normal(mean, max(std, 0.2)).log_prob(following).clamp(-5, 2)
            assert torch.allclose(chain.log_prob(OBS, x, following, j), density.float(), atol=1e-4)
        x = following
    kept.append(x)
    assert torch.allclose(chain.sample(OBS, noise), torch.stack(kept, dim=1), atol=1e-4)


def test_that_the_last_step_explores_too():
    planner, _ = plane_planner()
    chain = DiffusionChain(planner, DppoConfig(min_sampling_std=0.04))
    assert chain.steps.std[-1] == 0
    noise = noise_for(chain)
    quiet = noise.clone()
    quiet[-1] = 0
    difference = chain.sample(OBS, noise)[:, -1] - chain.sample(OBS, quiet)[:, -1]
    assert torch.allclose(difference, 0.04 * noise[-1].clamp(-3, 3), atol=1e-6)


def test_that_only_the_last_steps_are_fine_tuned():
    planner, _ = plane_planner()
    chain = DiffusionChain(planner, DppoConfig(tuned_steps=2))
    noise = noise_for(chain)
    before = chain.sample(OBS, noise)
    move(chain.tuned)
    after = chain.sample(OBS, noise)
    assert before.shape == (B, 3, LAYOUT.action_chunk, LAYOUT.action_size)
    assert torch.equal(before[:, 0], after[:, 0])
    assert not torch.equal(before[:, 1], after[:, 1])
    assert torch.equal(chain.sample_base(OBS, noise), before)


def test_that_the_base_network_is_frozen_and_the_other_one_is_not():
    planner, _ = plane_planner()
    chain = DiffusionChain(planner, DppoConfig(tuned_steps=2))
    values = chain.sample(OBS, noise_for(chain))
    assert not values.requires_grad
    chain.log_prob(OBS, values[:, 1], values[:, 2], torch.ones(B, dtype=torch.long)).mean().backward()
    assert all(p.grad is None for p in planner.base.parameters())
    assert any(p.grad is not None and p.grad.abs().max() > 0 for p in chain.parameters())


def test_that_dropout_is_off():
    planner, _ = plane_planner()
    planner.base.body.blocks.append(nn.Dropout(0.5))
    planner.train()
    chain = DiffusionChain(planner, DppoConfig())
    values = chain.sample(OBS, noise_for(chain))
    j = torch.zeros(B, dtype=torch.long)
    first, second = (chain.log_prob(OBS, values[:, 0], values[:, 1], j) for _ in range(2))
    assert torch.equal(first, second)


def test_that_densities_keep_their_gradient_at_the_smallest_deviation():
    mean = torch.zeros(1, 1, 1, requires_grad=True)
    value_log_prob(torch.full((1, 1, 1), 0.01), mean, torch.full((1, 1, 1), 0.055)).sum().backward()
    assert mean.grad.abs() > 0
    with pytest.raises(ValueError, match=r"min_logprob_std must be at least 0.055, got 0.04"):
        DppoConfig(min_logprob_std=0.04)


def test_that_an_evaluated_planner_does_not_explore():
    planner, _ = plane_planner()
    chain = DiffusionChain(planner, DppoConfig())
    move(chain.tuned, 0.1)
    assert planner.noise_count == 1
    assert planner.steps.count == 5
    noise = torch.randn(1, B, LAYOUT.action_chunk, LAYOUT.action_size)
    assert not torch.equal(planner.denoise(OBS, noise)[0], planner.plan_normalized(OBS, noise))


def test_that_a_fine_tuning_goes_on_with_as_many_steps_or_not_at_all():
    planner, _ = plane_planner()
    tuned = DiffusionChain(planner, DppoConfig(tuned_steps=3)).tuned
    assert DiffusionChain(planner, DppoConfig(tuned_steps=3)).tuned is tuned
    with pytest.raises(ValueError, match="has 3 fine-tuned steps, its fine-tuning cannot go on with 5"):
        DiffusionChain(planner, DppoConfig(tuned_steps=5))


def test_that_a_stored_fine_tuned_planner_acts_like_itself_or_is_refused(tmp_path):
    planner, config = plane_planner()
    chain = DiffusionChain(planner, DppoConfig(tuned_steps=3))
    move(chain.tuned)
    save_planner(tmp_path / "p.safetensors", planner, config, {})
    noise = torch.randn(1, B, LAYOUT.action_chunk, LAYOUT.action_size)
    loaded = load_planner(tmp_path / "p.safetensors", tuned_steps=3)
    assert torch.equal(loaded.planner.plan_normalized(OBS, noise), planner.plan_normalized(OBS, noise))
    with pytest.raises(CheckpointError, match="has 3 fine-tuned steps, 5 were asked for"):
        load_planner(tmp_path / "p.safetensors", tuned_steps=5)
    with pytest.raises(ValueError, match="would not use them"):
        loaded.planner.use_sampler(SamplerConfig(steps=4))


def test_that_more_steps_than_there_are_cannot_be_fine_tuned():
    with pytest.raises(ValueError, match="tuned_steps 6 must not exceed sampling_steps 5"):
        DppoConfig(tuned_steps=6)
    planner, _ = plane_planner(denoising_steps=10)
    with pytest.raises(ValueError, match="between 1 and 10 sampling steps, got 11"):
        DiffusionChain(planner, DppoConfig(tuned_steps=11, sampler="ddpm"))
