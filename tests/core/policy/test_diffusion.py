"""The diffusion planner by limits where the answer is known."""

import math

import pytest
import torch
from torch import nn

from core.policy.build import build_denoiser, build_planner
from core.policy.config import DitConfig, PlannerConfig, SamplerConfig
from core.policy.denoiser import Denoiser
from core.policy.diffusion import DiffusionPlanner, stratified_levels
from core.policy.normalizer import Normalizer
from core.policy.schedule import cosine_schedule

DDPM = SamplerConfig(kind="ddpm", clip=math.inf)


class GaussianDenoiser(Denoiser):
    """Best predictor for data N(mean, std^2): eps = sqrt(1 - ab) (x - sqrt(ab) mean) / (ab std^2 + 1 - ab)."""

    def __init__(self, mean: float, std: float, steps: int) -> None:
        super().__init__()
        self.mean, self.std, self.alpha_bar = mean, std, cosine_schedule(steps).alpha_bar.float()
        self.unused = nn.Parameter(torch.zeros(()))

    def encode(self, obs):
        return torch.zeros(obs.shape[0], 1)

    def embed_levels(self, level):
        return self.alpha_bar[level][:, None]

    def forward(self, x, condition):
        ab = condition[:, :, None]
        return (1 - ab).sqrt() * (x - ab.sqrt() * self.mean) / (ab * self.std**2 + 1 - ab)


def gaussian_planner(layout, sampler, steps=100, mean=0.3, std=0.2):
    return DiffusionPlanner(
        layout,
        Normalizer.identity(layout.observation_size),
        Normalizer.identity(layout.action_size),
        GaussianDenoiser(mean, std, steps),
        steps,
        sampler,
    )


def draw(planner, batch, seed=0):
    noise = torch.randn(planner.noise_shape(batch), generator=torch.Generator().manual_seed(seed))
    obs = torch.zeros(batch, planner.layout.observation_horizon, planner.layout.observation_size)
    return planner.plan_normalized(obs, noise)


@pytest.mark.parametrize(
    ("sampler", "tolerance"),
    [
        (DDPM, 0.03),
        (SamplerConfig(kind="ddim", steps=1000, eta=0.0, clip=math.inf), 0.02),
        (SamplerConfig(kind="ddim", steps=500, eta=0.5, clip=math.inf), 0.02),
    ],
)
def test_that_a_known_gaussian_is_recovered(layout, sampler, tolerance):
    # many small steps: with few the spread comes out too small, which the next test shows
    chunk = draw(gaussian_planner(layout, sampler, steps=1000), 200)
    assert float(chunk.mean()) == pytest.approx(0.3, abs=0.01)
    assert float(chunk.std()) == pytest.approx(0.2, rel=tolerance)


def test_that_the_spread_of_few_steps_follows_from_their_coefficients(layout):
    planner = gaussian_planner(layout, DDPM, steps=20)
    variance, steps = 1.0, planner.steps
    for i in range(steps.count):  # x -> c x + const + std z, because this predictor is linear in x
        bar = float(planner.schedule.alpha_bar[steps.level[i]])
        eps_per_x = math.sqrt(1 - bar) / (bar * 0.2**2 + 1 - bar)
        x0_per_x = float(steps.x_to_x0[i]) - float(steps.eps_to_x0[i]) * eps_per_x
        variance *= (float(steps.x0_to_mean[i]) * x0_per_x + float(steps.x_to_mean[i])) ** 2
        variance += float(steps.std[i]) ** 2
    assert float(draw(planner, 500).std()) == pytest.approx(math.sqrt(variance), rel=0.01)
    assert math.sqrt(variance) < 0.18


def test_that_ddim_with_every_level_and_full_noise_is_ddpm(layout):
    one = draw(gaussian_planner(layout, DDPM, 20), 8)
    other = draw(gaussian_planner(layout, SamplerConfig(kind="ddim", steps=20, eta=1.0, clip=math.inf), 20), 8)
    assert torch.equal(one, other)


def test_that_the_clean_chunk_of_each_step_is_clipped(layout):
    chunk = draw(gaussian_planner(layout, SamplerConfig(steps=10), mean=3.0), 8)
    assert chunk.abs().max() <= 1.0


def test_that_noise_decides_the_sample_and_batches_do_not(layout):
    config = PlannerConfig(
        dit=DitConfig(width=32, layers=2, heads=2, encoder_width=32, actions_per_token=1), denoising_steps=20
    )
    torch.manual_seed(0)
    planner = build_planner(
        layout, config, Normalizer.identity(layout.observation_size), Normalizer.identity(layout.action_size)
    )
    with torch.no_grad():
        for parameter in planner.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    generator = torch.Generator().manual_seed(0)
    obs = torch.randn(6, layout.observation_horizon, layout.observation_size, generator=generator)
    noise = torch.randn(planner.noise_shape(6), generator=generator)
    together = planner.plan(obs, noise)
    alone = planner.plan(obs[2:3], noise[:, 2:3])
    assert together.shape == (6, 6, 19)
    assert torch.allclose(together[2], alone[0], atol=1e-5)
    assert (together[0] - planner.plan(obs, noise + 0.1)[0]).abs().max() > 1e-4


def test_that_levels_are_uniform_over_many_batches():
    generator = torch.Generator().manual_seed(0)
    levels = torch.cat([stratified_levels(7, 10, generator) for _ in range(3000)])
    counts = torch.bincount(levels, minlength=10)
    assert len(counts) == 10
    assert (counts / 2100 - 1).abs().max() < 0.05


def test_that_the_loss_of_a_predictor_of_nothing_is_one_and_training_lowers_it(layout):
    torch.manual_seed(0)
    dit = DitConfig(width=64, layers=2, heads=2, encoder_width=64, actions_per_token=2)
    planner = build_planner(
        layout,
        PlannerConfig(dit=dit, denoising_steps=20),
        Normalizer.identity(layout.observation_size),
        Normalizer.identity(layout.action_size),
    )
    generator = torch.Generator().manual_seed(0)
    obs = torch.randn(64, layout.observation_horizon, layout.observation_size, generator=generator)
    chunk = obs[:, -1:, :1].tanh().expand(-1, layout.action_chunk, layout.action_size).contiguous()
    first = float(planner.loss(obs, chunk, generator).detach())
    optimizer = torch.optim.AdamW(planner.parameters(), lr=5e-3)
    for _ in range(60):
        optimizer.zero_grad()
        loss = planner.loss(obs, chunk, generator)
        loss.backward()
        optimizer.step()
    assert first == pytest.approx(1.0, abs=0.05)
    assert float(loss.detach()) < 0.15


def test_that_fine_tuned_steps_are_the_last_ones(layout):
    planner = gaussian_planner(layout, SamplerConfig(steps=10, clip=math.inf), mean=0.0)
    before = draw(planner, 4)
    planner.use_tuned(GaussianDenoiser(0.5, 0.2, 100), 4)
    noise = torch.randn(planner.noise_shape(4), generator=torch.Generator().manual_seed(0))
    obs = torch.zeros(4, layout.observation_horizon, layout.observation_size)
    iterates = planner.denoise(obs, noise)
    base = gaussian_planner(layout, SamplerConfig(steps=10, clip=math.inf), mean=0.0).denoise(obs, noise)
    assert all(torch.equal(a, b) for a, b in zip(iterates[:7], base[:7], strict=True))
    assert float((iterates[-1] - before).mean()) > 0.2


def test_that_a_sampler_that_would_skip_fine_tuned_steps_is_refused(layout):
    planner = gaussian_planner(layout, SamplerConfig(steps=5))
    planner.use_tuned(
        build_denoiser(layout, PlannerConfig(dit=DitConfig(width=32, layers=1, heads=2, actions_per_token=1))), 5
    )
    planner.use_sampler(SamplerConfig(steps=5, eta=1.0))  # the same levels, more noise
    with pytest.raises(ValueError, match="last 5 sampling steps were fine-tuned at levels"):
        planner.use_sampler(SamplerConfig(steps=10))
    with pytest.raises(ValueError, match="tuned_steps must lie between 1 and 5"):
        planner.use_tuned(GaussianDenoiser(0.0, 1.0, 100), 6)


def test_that_the_wrong_amount_of_noise_is_refused(layout):
    planner = gaussian_planner(layout, SamplerConfig(steps=10))
    obs = torch.zeros(1, layout.observation_horizon, layout.observation_size)
    with pytest.raises(ValueError, match="consumes 1 chunks of noise, got 3"):
        planner.plan_normalized(obs, torch.zeros(3, *planner.noise_shape(1)[1:]))
