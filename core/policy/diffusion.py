"""The diffusion planner (Chi et al., 2023; paper, section III-B): predicts noise, denoises chunks."""

from typing import assert_never

import torch
from jaxtyping import Float, Int
from torch import Tensor

from core.policy.config import SamplerConfig
from core.policy.denoiser import Denoiser
from core.policy.layout import PlannerLayout
from core.policy.normalizer import Normalizer
from core.policy.planner import Planner
from core.policy.schedule import NoiseSchedule, ReverseSteps, cosine_schedule, ddim_steps, ddpm_steps


def reverse_steps(sampler: SamplerConfig, schedule: NoiseSchedule) -> ReverseSteps:
    """The steps back. Raises ValueError when the number of steps does not divide the schedule's."""
    match sampler.kind:
        case "ddpm":
            return ddpm_steps(schedule)
        case "ddim":
            return ddim_steps(schedule, sampler.steps, sampler.eta)
        case _:
            assert_never(sampler.kind)


class DiffusionPlanner(Planner):
    """A noise predictor with its schedule; after fine-tuning the last `tuned_steps` steps use a second network."""

    def __init__(
        self,
        layout: PlannerLayout,
        observations: Normalizer,
        actions: Normalizer,
        base: Denoiser,
        denoising_steps: int,
        sampler: SamplerConfig,
    ) -> None:
        super().__init__(layout, observations, actions)
        self.base = base
        self.tuned: Denoiser | None = None
        self.tuned_steps = 0
        self.schedule = cosine_schedule(denoising_steps)
        self.use_sampler(sampler)

    def use_sampler(self, sampler: SamplerConfig) -> None:
        """Sample in another way from now on. Raises ValueError when it does not fit schedule or fine-tuned steps."""
        steps = reverse_steps(sampler, self.schedule)
        last = self.tuned_steps
        if last > steps.count or (last and not self._same_levels(steps)):
            raise ValueError(
                f"the last {last} sampling steps were fine-tuned at levels {self.steps.level[-last:].tolist()}; a "
                f"sampler that ends with levels {steps.level[-last:].tolist()} would not use them"
            )
        self.sampler = sampler
        self.steps = steps

    def _same_levels(self, steps: ReverseSteps) -> bool:
        last = self.tuned_steps
        return torch.equal(steps.level[-last:], self.steps.level[-last:])

    def use_tuned(self, tuned: Denoiser, tuned_steps: int) -> None:
        """Take a fine-tuned network for the last steps. Raises ValueError unless 1 <= tuned_steps <= sampling steps."""
        if not 1 <= tuned_steps <= self.steps.count:
            raise ValueError(f"tuned_steps must lie between 1 and {self.steps.count} sampling steps, got {tuned_steps}")
        self.tuned = tuned
        self.tuned_steps = tuned_steps

    @property
    def noise_count(self) -> int:
        """The first value, and one for each step that adds noise."""
        return 1 + sum(std > 0 for *_, std in self.steps.numbers)

    def loss(
        self, obs: Float[Tensor, "B To Do"], chunk: Float[Tensor, "B Tp Da"], generator: torch.Generator
    ) -> Float[Tensor, ""]:
        """Mean squared error of the predicted noise (Eq. 2)."""
        level = stratified_levels(chunk.shape[0], self.schedule.steps, generator)
        noise = torch.randn(chunk.shape, generator=generator, device=generator.device)
        noisy = self.schedule.add_noise(chunk, noise, level)
        predicted = self.base.predict(noisy, level, obs, self.schedule.steps)
        return (predicted.float() - noise).square().mean()

    def plan_normalized(
        self, obs: Float[Tensor, "B To Do"], noise: Float[Tensor, "Z B Tp Da"]
    ) -> Float[Tensor, "B Tp Da"]:
        """The last of `denoise`."""
        return self.denoise(obs, noise)[-1]

    def denoise(self, obs: Float[Tensor, "B To Do"], noise: Float[Tensor, "Z B Tp Da"]) -> list[Tensor]:
        """All S + 1 iterates from noise to chunk, (B, Tp, Da) each. Raises ValueError for another amount of noise."""
        if noise.shape[0] != self.noise_count:
            raise ValueError(f"this sampler consumes {self.noise_count} chunks of noise, got {noise.shape[0]}")
        steps, iterates = self.steps, [noise[0]]
        first_tuned = steps.count - self.tuned_steps
        levels = steps.level.to(obs.device)
        for net, begin, end in ((self.base, 0, first_tuned), (self.tuned, first_tuned, steps.count)):
            if net is None or begin == end:
                continue
            condition = net.encode(obs)[None] + net.embed_levels(levels[begin:end])[:, None]  # (., B, C)
            for i in range(begin, end):
                x = iterates[-1]
                eps = net(x, condition[i - begin]).float()
                x = steps.mean(i, x, eps, self.sampler.clip)
                std = steps.numbers[i][-1]
                if std > 0:
                    x = x + std * noise[i + 1]
                iterates.append(x)
        return iterates


def stratified_levels(batch: int, levels: int, generator: torch.Generator) -> Int[Tensor, "B"]:
    """A uniform noise level for each row; rows are spread evenly over the levels, which makes the loss less noisy."""
    device = generator.device
    u = (torch.arange(batch, device=device) + torch.rand((), generator=generator, device=device)) / batch
    return (u * levels).long().clamp_max(levels - 1)
