"""What every learned planner is: chunks of commands from chunks of observations, with the normalisers inside."""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor, nn

from core.policy.features import command_from_features
from core.policy.layout import LayoutError, PlannerLayout
from core.policy.normalizer import Normalizer


class Planner(nn.Module, ABC):
    """Base of the planners. `loss` and `plan_normalized` speak normalised values, `plan` speaks SI units."""

    def __init__(self, layout: PlannerLayout, observations: Normalizer, actions: Normalizer) -> None:
        """Raises LayoutError when a normaliser has another size than the layout."""
        super().__init__()
        for what, normalizer, size in (
            ("observations", observations, layout.observation_size),
            ("actions", actions, layout.action_size),
        ):
            if normalizer.size != size:
                raise LayoutError(f"the normaliser of {what} has {normalizer.size} columns, the layout has {size}")
        self.layout = layout
        self.observations = observations
        self.actions = actions

    @property
    @abstractmethod
    def noise_count(self) -> int:
        """How many standard normal chunks a plan consumes; 0: deterministic."""

    @abstractmethod
    def loss(
        self, obs: Float[Tensor, "B To Do"], chunk: Float[Tensor, "B Tp Da"], generator: torch.Generator
    ) -> Float[Tensor, ""]:
        """What training lowers, on normalised values."""

    @abstractmethod
    def plan_normalized(
        self, obs: Float[Tensor, "B To Do"], noise: Float[Tensor, "Z B Tp Da"]
    ) -> Float[Tensor, "B Tp Da"]:
        """Normalised chunks for normalised observations."""

    def plan(self, obs: Float[Tensor, "B To Do"], noise: Float[Tensor, "Z B Tp Da"]) -> Float[Tensor, "B Tp 19"]:
        """Chunks of command vectors (`Command.to_vector`) for chunks of observations in SI units."""
        chunk = self.plan_normalized(self.observations.normalize(obs), noise)
        return command_from_features(self.actions.unnormalize(chunk))

    def noise_shape(self, batch: int) -> tuple[int, int, int, int]:
        """Shape of the noise of a plan for a batch."""
        return (self.noise_count, batch, self.layout.action_chunk, self.layout.action_size)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.observations.low.device
