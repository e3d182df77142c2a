"""Residual perceptrons: a noise predictor, and a deterministic chunk predictor (the paper's MLP baseline, B81)."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from core.policy.config import MlpConfig
from core.policy.denoiser import Denoiser, LevelEmbedding
from core.policy.layout import PlannerLayout


class ResidualMlp(nn.Module):
    """From the pre-activation of the first layer to the output."""

    def __init__(self, width: int, blocks: int, outputs: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width)) for _ in range(blocks)
        )
        self.out = nn.Linear(width, outputs)

    def forward(self, h: Float[Tensor, "B W"]) -> Float[Tensor, "B D"]:
        """(B, width) -> (B, outputs)."""
        for block in self.blocks:
            h = h + block(h)
        return self.out(nn.functional.silu(h))


class MlpDenoiser(Denoiser):
    """Noise predictor: the first layer's part of the chunk, of the observations and of the level are summed."""

    def __init__(self, layout: PlannerLayout, config: MlpConfig) -> None:
        super().__init__()
        chunk = layout.action_chunk * layout.action_size
        self.from_chunk = nn.Linear(chunk, config.width, bias=False)
        self.from_obs = nn.Linear(layout.observation_horizon * layout.observation_size, config.width)
        self.levels = LevelEmbedding(config.width)
        self.body = ResidualMlp(config.width, config.blocks, chunk)

    def encode(self, obs: Float[Tensor, "B To Do"]) -> Float[Tensor, "B C"]:
        """The observations' part of the first layer."""
        return self.from_obs(obs.flatten(1))

    def embed_levels(self, level: Int[Tensor, "S"]) -> Float[Tensor, "S C"]:
        """The level's part of the first layer."""
        return self.levels(level)

    def forward(self, x: Float[Tensor, "B Tp Da"], condition: Float[Tensor, "B C"]) -> Float[Tensor, "B Tp Da"]:
        """Noise in x."""
        return self.body(self.from_chunk(x.flatten(1)) + condition).reshape(x.shape)


class MlpRegressor(nn.Module):
    """Chunk of actions straight from the observations."""

    def __init__(self, layout: PlannerLayout, config: MlpConfig) -> None:
        super().__init__()
        self.chunk_shape = (layout.action_chunk, layout.action_size)
        self.first = nn.Linear(layout.observation_horizon * layout.observation_size, config.width)
        self.body = ResidualMlp(config.width, config.blocks, layout.action_chunk * layout.action_size)

    def forward(self, obs: Float[Tensor, "B To Do"]) -> Float[Tensor, "B Tp Da"]:
        """Normalised observations to a normalised chunk."""
        return torch.unflatten(self.body(self.first(obs.flatten(1))), 1, self.chunk_shape)
