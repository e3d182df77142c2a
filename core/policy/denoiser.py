"""What every noise predictor offers: parts that depend on the observation or the step alone are computed once."""

import math
from abc import ABC, abstractmethod

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


class Denoiser(nn.Module, ABC):
    """Predicts the noise in a chunk of actions from the chunk, the observations and the noise level.

    Observation and level enter through a sum, so that a sampler encodes the observation once a decision and the
    levels once a call: eps = net(x, net.encode(obs) + net.embed_levels(levels)[i]).
    """

    @abstractmethod
    def encode(self, obs: Float[Tensor, "B To Do"]) -> Float[Tensor, "B C"]:
        """The part of the condition that depends on normalised observations only."""

    @abstractmethod
    def embed_levels(self, level: Int[Tensor, "S"]) -> Float[Tensor, "S C"]:
        """The part of the condition that depends on the noise level only."""

    @abstractmethod
    def forward(self, x: Float[Tensor, "B Tp Da"], condition: Float[Tensor, "B C"]) -> Float[Tensor, "B Tp Da"]:
        """Noise in x."""

    def predict(
        self, x: Float[Tensor, "B Tp Da"], level: Int[Tensor, "B"], obs: Float[Tensor, "B To Do"], levels: int
    ) -> Float[Tensor, "B Tp Da"]:
        """Noise in x with a level (out of `levels`) for each row: the form that training needs."""
        table = self.embed_levels(torch.arange(levels, device=x.device))
        return self(x, self.encode(obs) + table[level])


class LevelEmbedding(nn.Module):
    """Sine and cosine features of the level, then a small perceptron."""

    frequency: Tensor

    def __init__(self, outputs: int, features: int = 64, hidden: int = 256) -> None:
        super().__init__()
        frequency = torch.exp(-math.log(1e4) * torch.arange(features // 2) / (features // 2 - 1))
        self.register_buffer("frequency", frequency, persistent=False)
        self.body = nn.Sequential(nn.Linear(features, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU())
        self.out = nn.Linear(hidden, outputs)

    def forward(self, level: Int[Tensor, "S"]) -> Float[Tensor, "S C"]:
        """(S,) -> (S, C)."""
        angle = level[:, None].to(self.out.weight.dtype) * self.frequency
        return self.out(self.body(torch.cat((angle.sin(), angle.cos()), dim=-1)))
