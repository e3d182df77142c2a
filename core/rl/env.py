"""What an environment is to an on-policy learner: N agents stepped together, each with its own reward."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from jaxtyping import Bool, Float
from torch import Tensor


@dataclass
class Observation:
    """What the actor and what the critic see."""

    actor: Float[Tensor, "N Do"]
    critic: Float[Tensor, "N Dc"]


@dataclass
class EnvStep:
    """Result of one step. Agents that ended have been reset already: `observation` is the new episode's first."""

    observation: Observation
    reward: Float[Tensor, "N"]
    terminated: Bool[Tensor, "N"]
    "the task ended the episode (a fall): nothing follows"
    truncated: Bool[Tensor, "N"]
    "the clock ended the episode: the value of `final_critic` follows"
    final_critic: Float[Tensor, "N Dc"]
    "critic's observation that this step led to, before any reset"
    log: Mapping[str, float | Tensor] = field(default_factory=dict)
    "scalars to average over the rollout: reward terms, errors"


@runtime_checkable
class VectorEnv(Protocol):
    """N agents; resets itself when an episode ends."""

    @property
    def num_agents(self) -> int:
        """N, the rows of every tensor."""
        ...

    def reset(self) -> Observation:
        """Start every agent's episode."""
        ...

    def step(self, action: Float[Tensor, "N Da"]) -> EnvStep:
        """Advance all agents by one control period."""
        ...
