"""The noise of diffusion: cosine schedule, closed-form noising, and the steps back (paper, Eqs. 1-3; DDPM and DDIM)."""

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class NoiseSchedule:
    """Per level t = 0 .. K-1; t = K-1 is almost pure noise, a step at t = 0 gives the action. Double precision."""

    alpha: Float[Tensor, "K"]
    "alpha_t of Eq. 1"
    alpha_bar: Float[Tensor, "K"]
    "product of alpha_0 .. alpha_t"

    @property
    def steps(self) -> int:
        """K."""
        return self.alpha.shape[0]

    @property
    def alpha_bar_before(self) -> Float[Tensor, "K"]:
        """alpha_bar of level t - 1, 1 at t = 0."""
        return torch.cat((self.alpha_bar.new_ones(1), self.alpha_bar[:-1]))

    @property
    def posterior_variance(self) -> Float[Tensor, "K"]:
        """Variance of the step back, Eq. 3 (the paper writes sigma_k for it): 0 at t = 0."""
        return (1 - self.alpha_bar_before) / (1 - self.alpha_bar) * (1 - self.alpha)

    def add_noise(
        self, clean: Float[Tensor, "B *n"], noise: Float[Tensor, "B *n"], level: Int[Tensor, "B"]
    ) -> Float[Tensor, "B *n"]:
        """Noised values at a level each, in closed form: sqrt(ab) clean + sqrt(1 - ab) noise."""
        ab = self.alpha_bar.to(clean)[level].reshape(-1, *[1] * (clean.ndim - 1))
        return ab.sqrt() * clean + (1 - ab).sqrt() * noise


def cosine_schedule(steps: int, offset: float = 0.008) -> NoiseSchedule:
    """alpha_bar falls like a squared cosine (Nichol and Dhariwal, 2021); a step never removes more than 99.9 %.

    Raises ValueError for less than one step.
    """
    if steps < 1:
        raise ValueError(f"a schedule needs at least 1 denoising step, got {steps}")
    u = torch.arange(steps + 1, dtype=torch.float64) / steps
    f = torch.cos((u + offset) / (1 + offset) * math.pi / 2).square()
    alpha = (f[1:] / f[:-1]).clamp(0.001, 1.0)
    return NoiseSchedule(alpha, alpha.cumprod(0))


@dataclass(frozen=True)
class ReverseSteps:
    """The S steps from noise to action, noisiest first: x0 = clip(a x - b eps), next = c x0 + d x + std z."""

    level: Int[Tensor, "S"]
    "noise level that the network is told"
    x_to_x0: Float[Tensor, "S"]
    eps_to_x0: Float[Tensor, "S"]
    x0_to_mean: Float[Tensor, "S"]
    x_to_mean: Float[Tensor, "S"]
    std: Float[Tensor, "S"]
    "standard deviation of the step; 0 in the last one"

    @property
    def count(self) -> int:
        """S."""
        return self.level.shape[0]

    @cached_property
    def numbers(self) -> list[tuple[float, float, float, float, float]]:
        """x_to_x0, eps_to_x0, x0_to_mean, x_to_mean and std of each step as plain numbers, which can be exported."""
        columns = (self.x_to_x0, self.eps_to_x0, self.x0_to_mean, self.x_to_mean, self.std)
        return list(zip(*(column.tolist() for column in columns)))

    def predict_clean(
        self, i: int, x: Float[Tensor, "*n"], eps: Float[Tensor, "*n"], clip: float
    ) -> Float[Tensor, "*n"]:
        """x0 that step i sees behind x when the noise in it is eps, clipped to [-clip, clip]."""
        x_to_x0, eps_to_x0, _, _, _ = self.numbers[i]
        return (x_to_x0 * x - eps_to_x0 * eps).clamp(-clip, clip)

    def mean(self, i: int, x: Float[Tensor, "*n"], eps: Float[Tensor, "*n"], clip: float) -> Float[Tensor, "*n"]:
        """Mean of the value after step i."""
        _, _, x0_to_mean, x_to_mean, _ = self.numbers[i]
        return x0_to_mean * self.predict_clean(i, x, eps, clip) + x_to_mean * x


def ddpm_steps(schedule: NoiseSchedule) -> ReverseSteps:
    """Every level once, with the posterior variance of Eq. 3 (DDPM): DDIM over all levels with eta 1."""
    return ddim_steps(schedule, schedule.steps, eta=1.0)


def ddim_steps(schedule: NoiseSchedule, count: int, eta: float = 0.0) -> ReverseSteps:
    """`count` levels at equal distance from 0 (Song et al., 2021, 'leading'); eta 0 adds no noise, 1 as much as DDPM.

    Raises ValueError unless count divides the number of denoising steps and 0 <= eta <= 1.
    """
    if not 1 <= count <= schedule.steps or schedule.steps % count:
        raise ValueError(f"sampling steps must divide the {schedule.steps} denoising steps, got {count}")
    if not 0.0 <= eta <= 1.0:
        raise ValueError(f"eta must lie between 0 and 1, got {eta}")
    level = torch.arange(0, schedule.steps, schedule.steps // count)
    a = schedule.alpha_bar[level]
    before = torch.cat((a.new_ones(1), a[:-1]))
    std = eta * ((1 - before) / (1 - a) * (1 - a / before)).clamp_min(0).sqrt()
    # the noise that is left over, re-computed from the clipped x0, then scaled to the next level
    x_to_mean = ((1 - before - std.square()).clamp_min(0) / (1 - a)).sqrt()
    columns = (level, a.rsqrt(), (1 / a - 1).sqrt(), before.sqrt() - a.sqrt() * x_to_mean, x_to_mean, std)
    return ReverseSteps(*(column.flip(0) for column in columns))
