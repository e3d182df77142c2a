"""The paper's MLP-FT baseline (section IV-B, B82): a deterministic planner explores by mean-reverting steps.

x_{k-1} = (1 - lambda_k) x_k + lambda_k mu(S) + sigma_k eps: pulled towards the planner's chunk, with ever less noise.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from core.policy.regression import RegressionPlanner
from core.rl.chains import value_log_prob
from core.rl.finetune_config import DppoConfig, MlpFtConfig


def ramp(first: float, last: float, steps: int) -> Float[Tensor, "K"]:
    """From first to last in equal steps; a single step has the last value."""
    return torch.linspace(first, last, steps) if steps > 1 else torch.tensor([last])


class MeanRevertingChain:
    """A regression planner as a chain; what is deployed is its mean."""

    def __init__(
        self, planner: RegressionPlanner, config: MlpFtConfig, scoring: DppoConfig, bf16: bool = False
    ) -> None:
        """`scoring`: how noise is clipped and steps are scored, as for the methods that this one is compared with."""
        self.planner = planner.eval()
        planner.base.requires_grad_(True)
        self.network = planner.base
        self.noise_clip = scoring.noise_clip
        self.bf16 = bf16
        self.length = config.steps
        self.reversion = ramp(config.reversion_first, config.reversion_last, config.steps).to(planner.device)
        self.std = ramp(config.noise_first, config.noise_last, config.steps).to(planner.device)
        self.scored_std = self.std.clamp_min(scoring.min_logprob_std)

    @property
    def noise_count(self) -> int:
        """The first value, and one for every step."""
        return self.length + 1

    def parameters(self) -> list[nn.Parameter]:
        """Of the planner's network."""
        return list(self.network.parameters())

    def _target(self, obs: Tensor) -> Tensor:
        """The chunk that the planner says, (B, Tp, Da)."""
        with torch.autocast(obs.device.type, torch.bfloat16, enabled=self.bf16):
            chunk = self.network(obs)
        return chunk.float().clamp(-1.0, 1.0)

    @torch.no_grad()
    def sample(self, obs: Float[Tensor, "B To Do"], noise: Float[Tensor, "Z B Tp Da"]) -> Float[Tensor, "B J1 Tp Da"]:
        """From noise to an exploring chunk."""
        target = self._target(obs)
        z = noise.clamp(-self.noise_clip, self.noise_clip)
        values = [noise[0]]
        for j in range(self.length):
            pull = float(self.reversion[j])
            values.append((1 - pull) * values[-1] + pull * target + float(self.std[j]) * z[j + 1])
        return torch.stack(values, dim=1)

    def log_prob(
        self,
        obs: Float[Tensor, "B To Do"],
        x: Float[Tensor, "B Tp Da"],
        x_next: Float[Tensor, "B Tp Da"],
        j: Int[Tensor, "B"],
    ) -> Float[Tensor, "B Tp Da"]:
        """Gaussian about the pulled value, at least as wide as the steps of the diffusion planner are scored."""
        pull = self.reversion[j][:, None, None]
        return value_log_prob(x_next, (1 - pull) * x + pull * self._target(obs), self.scored_std[j][:, None, None])
