"""The deterministic planner of the baselines (B81): mean squared error between chunks, nothing sampled."""

import torch
from jaxtyping import Float
from torch import Tensor

from core.policy.layout import PlannerLayout
from core.policy.mlp import MlpRegressor
from core.policy.normalizer import Normalizer
from core.policy.planner import Planner


class RegressionPlanner(Planner):
    """A perceptron that says the mean chunk."""

    def __init__(
        self, layout: PlannerLayout, observations: Normalizer, actions: Normalizer, network: MlpRegressor
    ) -> None:
        super().__init__(layout, observations, actions)
        self.base = network

    @property
    def noise_count(self) -> int:
        """None."""
        return 0

    def loss(
        self, obs: Float[Tensor, "B To Do"], chunk: Float[Tensor, "B Tp Da"], generator: torch.Generator
    ) -> Float[Tensor, ""]:
        """Mean squared error of the chunk; nothing is drawn."""
        del generator
        return (self.base(obs).float() - chunk).square().mean()

    def plan_normalized(
        self, obs: Float[Tensor, "B To Do"], noise: Float[Tensor, "Z B Tp Da"]
    ) -> Float[Tensor, "B Tp Da"]:
        """The predicted chunk, in the range of the data."""
        del noise
        return self.base(obs).float().clamp(-1.0, 1.0)
