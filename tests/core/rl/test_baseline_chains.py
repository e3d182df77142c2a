"""The baselines' chains: the mean-reverting sampler and the residual on a frozen planner."""

import math
from dataclasses import replace

import pytest
import torch
from torch.distributions import Normal

from core.policy.checkpoint import load_planner, save_planner
from core.policy.residual import ResidualPlanner
from core.rl.chains import Chain
from core.rl.dppo import Dppo
from core.rl.finetune_config import DppoConfig, MlpFtConfig
from core.rl.mlp_ft import MeanRevertingChain, ramp
from core.rl.residual import ResidualChain
from tests.core.rl.plane import EXECUTED, LAYOUT, Plane, plane_planner

B = 5
OBS = torch.linspace(-1, 1, B * 4).view(B, 2, 2)
CONFIG = DppoConfig(
    learning_rate=3e-4, batch_size=512, critic_hidden=(32, 32), clip_total=0.6, target_kl=1.0, precision="fp32"
)


def noise_for(chain, seed=0):
    shape = (chain.noise_count, B, LAYOUT.action_chunk, LAYOUT.action_size)
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def residual(planner):
    return ResidualPlanner(planner, 0.3, (32,))


def test_that_steps_revert_to_the_mean_with_less_and_less_noise():
    planner, _ = plane_planner("mlp")
    chain = MeanRevertingChain(planner, MlpFtConfig(3, 0.2, 0.8, 0.3, 0.1), DppoConfig())
    assert isinstance(chain, Chain)
    noise = 2.0 * noise_for(chain)
    mean, values = planner.plan_normalized(OBS, noise[:0]), [noise[0]]
    for pull, std, z in zip((0.2, 0.5, 0.8), (0.3, 0.2, 0.1), noise[1:]):
        values.append((1 - pull) * values[-1] + pull * mean + std * z.clamp(-3, 3))
    chains = chain.sample(OBS, noise)
    assert torch.allclose(chains, torch.stack(values, dim=1), atol=1e-6)
    scored = chain.log_prob(OBS, values[1], values[2], torch.ones(B, dtype=torch.long))
    expected = Normal(0.5 * values[1] + 0.5 * mean, 0.2).log_prob(values[2]).clamp(-5, 2)
    assert torch.allclose(scored, expected, atol=1e-5)


def test_that_the_baselines_are_scored_as_widely_as_the_method_that_they_are_compared_with(residual):
    scoring = DppoConfig(min_logprob_std=0.25)
    planner, _ = plane_planner("mlp")
    reverting = MeanRevertingChain(planner, MlpFtConfig(3, 0.2, 0.8, 0.3, 0.1), scoring)
    for chain, expected in ((reverting, (0.3, 0.25, 0.25)), (ResidualChain(residual, 0.1, scoring), (0.25,))):
        values = chain.sample(OBS, torch.zeros_like(noise_for(chain)))
        for j, std in enumerate(expected):  # without noise a value is its own mean: the density says how wide it is
            score = chain.log_prob(OBS, values[:, j], values[:, j + 1], torch.full((B,), j))
            assert torch.allclose(score, torch.full_like(score, -math.log(std * math.sqrt(2 * math.pi))), atol=1e-4)


def test_that_a_single_reverting_step_is_well_defined():
    assert ramp(0.2, 0.9, 1).tolist() == pytest.approx([0.9])
    with pytest.raises(ValueError, match=r"noise_last <= noise_first is needed, got 0\.3 and 0\.1"):
        MlpFtConfig(noise_first=0.1, noise_last=0.3)
    with pytest.raises(ValueError, match="reversion_first <= reversion_last"):
        MlpFtConfig(reversion_first=0.9, reversion_last=0.2)


def test_that_a_fresh_correction_changes_nothing_and_a_learned_one_is_small(planner, residual):
    noise = torch.randn(residual.noise_count, B, LAYOUT.action_chunk, LAYOUT.action_size)
    assert torch.equal(residual.plan_normalized(OBS, noise), planner.plan_normalized(OBS, noise))
    with torch.no_grad():
        residual.network[-1].bias.fill_(100.0)
    correction = residual.plan_normalized(OBS, noise) - planner.plan_normalized(OBS, noise)
    assert torch.allclose(correction, torch.full_like(correction, 0.3), atol=1e-6)


def test_that_only_the_correction_learns_and_explores(residual):
    chain = ResidualChain(residual, 0.1, DppoConfig())
    assert isinstance(chain, Chain)
    noise = noise_for(chain)
    values = chain.sample(OBS, noise)
    frozen = residual.frozen.plan_normalized(OBS, noise[:-1])
    assert torch.equal(values[:, 0], frozen)
    assert torch.allclose(values[:, 1] - frozen, 0.1 * noise[-1].clamp(-3, 3), atol=1e-6)
    score = chain.log_prob(OBS, values[:, 0], values[:, 1], torch.zeros(B, dtype=torch.long))
    assert torch.allclose(score, Normal(frozen, 0.1).log_prob(values[:, 1]).clamp(-5, 2), atol=1e-4)
    score.mean().backward()
    assert all(p.grad is None for p in residual.frozen.parameters())
    assert residual.network[-1].weight.grad.abs().max() > 0


def test_that_a_residual_planner_is_stored_with_what_it_corrects(residual, tmp_path):
    _, config = plane_planner()
    with torch.no_grad():
        residual.network[-1].bias.normal_()
    save_planner(tmp_path / "p.safetensors", residual, config, {})
    loaded = load_planner(tmp_path / "p.safetensors").planner
    noise = torch.randn(residual.noise_count, B, LAYOUT.action_chunk, LAYOUT.action_size)
    assert isinstance(loaded, ResidualPlanner)
    assert torch.equal(loaded.plan_normalized(OBS, noise), residual.plan_normalized(OBS, noise))


def test_that_a_residual_planner_does_not_imitate(residual):
    with pytest.raises(ValueError, match="does not learn from demonstrations"):
        residual.loss(OBS, torch.zeros(B, 4, LAYOUT.action_size), torch.Generator())


def test_that_the_residual_learns_against_the_wind(residual):
    chain = ResidualChain(residual, 0.15, DppoConfig())
    learner = Dppo(chain, replace(CONFIG, learning_rate=3e-3, clip_total=2.0), EXECUTED, seed=1)
    plane, successes = Plane(), []
    for iteration in range(12):
        decisions, reached = plane.explore(chain, 100 + iteration)
        successes.append(reached / 128)
        learner.update(decisions)
    assert sum(successes[-3:]) / 3 > sum(successes[:2]) / 2 + 0.1
