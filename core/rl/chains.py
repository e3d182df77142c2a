"""What fine-tuning sees of a planner: a chain of Gaussian steps that ends in a chunk of commands (paper, Eqs. 4-6)."""

import copy
from dataclasses import replace
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from core.policy.config import SamplerConfig
from core.policy.denoiser import Denoiser
from core.policy.diffusion import DiffusionPlanner, reverse_steps
from core.policy.planner import Planner
from core.policy.schedule import ReverseSteps
from core.rl.finetune_config import DppoConfig
from core.rl.networks import LOG_2PI

LOGPROB_LOW, LOGPROB_HIGH = -5.0, 2.0
"""Log densities of single values are clamped: an outlier does not decide about a whole chunk."""


@runtime_checkable
class Chain(Protocol):
    """The decision process inside a decision: J Gaussian steps from x_J to the chunk x_0 that is executed.

    In the terms of the augmented process: state (S_t, x_{j}), action x_{j+1}, position j = 0 .. J-1 counted from the
    noisiest fine-tuned step; only the last one's value reaches the world.
    """

    @property
    def planner(self) -> Planner:
        """With the weights that learn: what evaluations and files get."""
        ...

    @property
    def length(self) -> int:
        """J, steps whose probabilities are learned."""
        ...

    @property
    def noise_count(self) -> int:
        """Standard normal chunks that a sample consumes."""
        ...

    def parameters(self) -> list[nn.Parameter]:
        """What learns."""
        ...

    def sample(self, obs: Float[Tensor, "B To Do"], noise: Float[Tensor, "Z B Tp Da"]) -> Float[Tensor, "B J1 Tp Da"]:
        """Exploring chains, normalised: the J + 1 values x; the last one is the chunk."""
        ...

    def log_prob(
        self,
        obs: Float[Tensor, "B To Do"],
        x: Float[Tensor, "B Tp Da"],
        x_next: Float[Tensor, "B Tp Da"],
        j: Int[Tensor, "B"],
    ) -> Float[Tensor, "B Tp Da"]:
        """Log density of each value of x_next after x in step j, clamped; with gradient."""
        ...


def value_log_prob(
    x: Float[Tensor, "B Tp Da"], mean: Float[Tensor, "B Tp Da"], std: Float[Tensor, "B 1 1"]
) -> Float[Tensor, "B Tp Da"]:
    """Log density of each value by itself, clamped to [-5, 2]."""
    density = -0.5 * ((x - mean) / std).square() - std.log() - 0.5 * LOG_2PI
    return density.clamp(LOGPROB_LOW, LOGPROB_HIGH)


def mean_of_rows(
    steps: ReverseSteps,
    i: Int[Tensor, "B"],
    x: Float[Tensor, "B Tp Da"],
    eps: Float[Tensor, "B Tp Da"],
    clip: float,
) -> Float[Tensor, "B Tp Da"]:
    """`ReverseSteps.mean` with a step for each row."""
    a, b, c, d = (
        column.to(x)[i][:, None, None] for column in (steps.x_to_x0, steps.eps_to_x0, steps.x0_to_mean, steps.x_to_mean)
    )
    return c * (a * x - b * eps).clamp(-clip, clip) + d * x


def deployed_sampler(config: DppoConfig, clip: float) -> SamplerConfig:
    """How a fine-tuned planner is sampled when it does not explore."""
    return SamplerConfig(config.sampler, config.sampling_steps, 0.0, clip)


class DiffusionChain:
    """The last K' denoising steps of a diffusion planner; the steps before are the frozen base network's."""

    def __init__(self, planner: DiffusionPlanner, config: DppoConfig, bf16: bool = False) -> None:
        """Gives the planner a network to fine-tune (a copy of its base), unless it has one already: then goes on.

        The planner itself is left sampling the same levels without exploration, as it will be evaluated.
        Dropout is off for good: with it the probability of what was done would change from call to call.
        Raises ValueError when steps or levels do not fit, or when another number of steps was fine-tuned before.
        """
        sampler = deployed_sampler(config, planner.sampler.clip)
        planner.use_sampler(sampler)
        if planner.tuned is None:
            planner.use_tuned(copy.deepcopy(planner.base), config.tuned_steps)
        elif planner.tuned_steps != config.tuned_steps:
            raise ValueError(
                f"this planner has {planner.tuned_steps} fine-tuned steps, its fine-tuning cannot go on with "
                f"{config.tuned_steps}: use tuned_steps {planner.tuned_steps}, or begin from the pre-trained planner"
            )
        assert planner.tuned is not None
        self.planner = planner.eval()
        self.config = config
        self.bf16 = bf16
        self.base = planner.base.requires_grad_(False)
        self.tuned = planner.tuned.requires_grad_(True)
        self.steps = reverse_steps(replace(sampler, eta=config.eta), planner.schedule)
        self.length = config.tuned_steps
        self._first = self.steps.count - self.length
        device = planner.device
        self._levels = self.steps.level[self._first :].to(device)
        self._logprob_std = self.steps.std[self._first :].clamp_min(config.min_logprob_std).float().to(device)

    @property
    def noise_count(self) -> int:
        """The first value, and one for every step: each of them explores."""
        return self.steps.count + 1

    def parameters(self) -> list[nn.Parameter]:
        """Of the fine-tuned network."""
        return list(self.tuned.parameters())

    @torch.no_grad()
    def sample(self, obs: Float[Tensor, "B To Do"], noise: Float[Tensor, "Z B Tp Da"]) -> Float[Tensor, "B J1 Tp Da"]:
        """The whole denoising with exploration; kept are the values from x_K' to x_0."""
        return self._denoise(obs, noise, self.tuned)

    @torch.no_grad()
    def sample_base(
        self, obs: Float[Tensor, "B To Do"], noise: Float[Tensor, "Z B Tp Da"]
    ) -> Float[Tensor, "B J1 Tp Da"]:
        """The same with the frozen network in every step: what imitation holds on to."""
        return self._denoise(obs, noise, self.base)

    def _denoise(self, obs: Tensor, noise: Tensor, last: Denoiser) -> Tensor:
        z = noise.clamp(-self.config.noise_clip, self.config.noise_clip)
        x, kept = noise[0], []
        levels = self.steps.level.to(obs.device)
        for net, begin, end in ((self.base, 0, self._first), (last, self._first, self.steps.count)):
            if begin == end:
                continue
            condition = net.encode(obs)[None] + net.embed_levels(levels[begin:end])[:, None]
            for i in range(begin, end):
                if i == self._first:
                    kept.append(x)
                eps = net(x, condition[i - begin]).float()
                std = max(float(self.steps.std[i]), self.config.min_sampling_std)
                x = self.steps.mean(i, x, eps, self.planner.sampler.clip) + std * z[i + 1]
                if i >= self._first:
                    kept.append(x)
        return torch.stack(kept, dim=1)

    def log_prob(
        self,
        obs: Float[Tensor, "B To Do"],
        x: Float[Tensor, "B Tp Da"],
        x_next: Float[Tensor, "B Tp Da"],
        j: Int[Tensor, "B"],
    ) -> Float[Tensor, "B Tp Da"]:
        """Of the fine-tuned network; network in the chain's precision, densities in fp32."""
        net = self.tuned
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.bf16):
            eps = net(x, net.encode(obs) + net.embed_levels(self._levels)[j])
        mean = mean_of_rows(self.steps, self._first + j, x, eps.float(), self.planner.sampler.clip)
        return value_log_prob(x_next, mean, self._logprob_std[j][:, None, None])
