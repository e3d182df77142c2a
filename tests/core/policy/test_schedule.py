"""Noise schedules by their laws: closed form, Eq. 3, DDIM and DDPM as limits of each other."""

import math

import pytest
import torch

from core.policy.schedule import cosine_schedule, ddim_steps, ddpm_steps


@pytest.mark.parametrize("steps", [20, 100])
def test_that_the_cosine_schedule_ends_in_noise_and_follows_its_formula(steps):
    schedule = cosine_schedule(steps)

    def f(u):
        return math.cos((u + 0.008) / 1.008 * math.pi / 2) ** 2

    assert float(schedule.alpha_bar[steps // 2]) == pytest.approx(f((steps // 2 + 1) / steps) / f(0), rel=1e-9)
    assert float(schedule.alpha_bar[-1]) < 1e-4
    assert bool((schedule.alpha_bar.diff() < 0).all())
    assert float(schedule.alpha.min()) == pytest.approx(0.001)  # f is 0 at the end: clipped


def test_that_noising_step_by_step_has_the_variance_of_the_closed_form():
    schedule = cosine_schedule(20)
    mean, variance = 1.0, 0.0
    for t in range(12):  # Eq. 1 applied 12 times to a value of 1
        mean *= float(schedule.alpha[t].sqrt())
        variance = float(schedule.alpha[t]) * variance + 1 - float(schedule.alpha[t])
    clean, noise = torch.ones(200_000, 1), torch.randn(200_000, 1, generator=torch.Generator().manual_seed(0))
    noisy = schedule.add_noise(clean, noise, torch.full((200_000,), 11))
    assert float(noisy.mean()) == pytest.approx(mean, abs=5e-3)
    assert float(noisy.var()) == pytest.approx(variance, rel=1e-2)


def test_that_the_step_back_is_bayes_rule():
    """q(x_{t-1} | x_t, x_0) from the product of two Gaussians, against the coefficients of the steps."""
    schedule = cosine_schedule(20)
    steps = ddpm_steps(schedule)
    for i in range(19):
        t = 19 - i
        alpha, before = float(schedule.alpha[t]), float(schedule.alpha_bar[t - 1])
        precision = alpha / (1 - alpha) + 1 / (1 - before)
        assert float(steps.std[i]) ** 2 == pytest.approx(1 / precision, rel=1e-9)
        assert float(schedule.posterior_variance[t]) == pytest.approx(1 / precision, rel=1e-9)
        assert float(steps.x_to_mean[i]) == pytest.approx(math.sqrt(alpha) / (1 - alpha) / precision, rel=1e-9)
        assert float(steps.x0_to_mean[i]) == pytest.approx(math.sqrt(before) / (1 - before) / precision, rel=1e-9)
    assert float(steps.std[-1]) == 0.0


def test_that_the_mean_is_that_of_eq_3_when_nothing_is_clipped():
    schedule = cosine_schedule(100)
    steps = ddpm_steps(schedule)
    generator = torch.Generator().manual_seed(1)
    x, eps = torch.randn(2, 5, dtype=torch.float64, generator=generator).unbind()
    for i in (0, 40, 99):
        t = int(steps.level[i])
        alpha, bar = schedule.alpha[t], schedule.alpha_bar[t]
        paper = (x - (1 - alpha) / (1 - bar).sqrt() * eps) / alpha.sqrt()
        assert torch.allclose(steps.mean(i, x, eps, clip=math.inf), paper, rtol=1e-9, atol=1e-9)


def test_that_a_perfect_noise_predictor_leads_any_deterministic_sampler_to_the_data():
    schedule = cosine_schedule(100)
    x0 = torch.tensor([0.7, -0.3], dtype=torch.float64)
    for count in (1, 5, 20):
        steps = ddim_steps(schedule, count)
        x = torch.tensor([2.0, -1.0], dtype=torch.float64)
        for i in range(count):
            bar = schedule.alpha_bar[steps.level[i]]
            x = steps.mean(i, x, (x - bar.sqrt() * x0) / (1 - bar).sqrt(), clip=1.0)
        assert torch.allclose(x, x0, atol=1e-12)


def test_that_ddim_counts_levels_from_zero_in_equal_strides():
    assert ddim_steps(cosine_schedule(100), 5).level.tolist() == [80, 60, 40, 20, 0]
    assert ddpm_steps(cosine_schedule(4)).level.tolist() == [3, 2, 1, 0]


def test_that_wrong_numbers_of_steps_are_refused():
    with pytest.raises(ValueError, match="must divide the 20 denoising steps, got 3"):
        ddim_steps(cosine_schedule(20), 3)
    with pytest.raises(ValueError, match="eta must lie between 0 and 1, got 2"):
        ddim_steps(cosine_schedule(20), 5, eta=2.0)
    with pytest.raises(ValueError, match="at least 1 denoising step, got 0"):
        cosine_schedule(0)
