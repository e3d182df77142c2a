"""The residual baseline (B83): PPO on a Gaussian correction of a frozen diffusion planner's chunk, in one step."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from core.policy.residual import ResidualPlanner
from core.rl.chains import value_log_prob
from core.rl.finetune_config import DppoConfig


class ResidualChain:
    """From the frozen planner's chunk to the corrected one."""

    length = 1

    def __init__(self, planner: ResidualPlanner, std: float, scoring: DppoConfig, bf16: bool = False) -> None:
        """`std`: how widely the correction explores; `scoring`: how noise is clipped and the step is scored, as for
        the methods that this one is compared with."""
        self.planner = planner.eval()
        self.std = std
        self.scored_std = max(std, scoring.min_logprob_std)
        self.noise_clip = scoring.noise_clip
        self.bf16 = bf16

    @property
    def noise_count(self) -> int:
        """What the frozen planner consumes, and one for the correction."""
        return self.planner.noise_count + 1

    def parameters(self) -> list[nn.Parameter]:
        """Of the correction."""
        return list(self.planner.network.parameters())

    def _mean(self, obs: Tensor, chunk: Tensor) -> Tensor:
        with torch.autocast(obs.device.type, torch.bfloat16, enabled=self.bf16):
            return chunk + self.planner.correction(obs, chunk)

    @torch.no_grad()
    def sample(self, obs: Float[Tensor, "B To Do"], noise: Float[Tensor, "Z B Tp Da"]) -> Float[Tensor, "B J1 Tp Da"]:
        """The frozen chunk and the corrected one, which explores."""
        chunk = self.planner.frozen.plan_normalized(obs, noise[:-1])
        z = noise[-1].clamp(-self.noise_clip, self.noise_clip)
        return torch.stack((chunk, self._mean(obs, chunk) + self.std * z), dim=1)

    def log_prob(
        self,
        obs: Float[Tensor, "B To Do"],
        x: Float[Tensor, "B Tp Da"],
        x_next: Float[Tensor, "B Tp Da"],
        j: Int[Tensor, "B"],
    ) -> Float[Tensor, "B Tp Da"]:
        """Gaussian about the corrected chunk, at least as wide as the steps of the diffusion planner are scored."""
        del j
        return value_log_prob(x_next, self._mean(obs, x), torch.full_like(x[:, :1, :1], self.scored_std))
