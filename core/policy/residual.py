"""A frozen diffusion planner with a small learned correction (the residual baseline, B83)."""

import copy
import itertools

import torch
from jaxtyping import Float
from torch import Tensor, nn

from core.policy.diffusion import DiffusionPlanner
from core.policy.planner import Planner


class ResidualPlanner(Planner):
    """The frozen planner's chunk plus a bounded correction that sees the observations and that chunk."""

    def __init__(self, frozen: DiffusionPlanner, scale: float, hidden: tuple[int, ...]) -> None:
        """A fresh correction is zero. Raises ValueError for a scale that is not positive."""
        if not scale > 0:
            raise ValueError(f"scale must be positive, got {scale}")
        super().__init__(frozen.layout, copy.deepcopy(frozen.observations), copy.deepcopy(frozen.actions))
        self.frozen = frozen.requires_grad_(False)
        self.scale = scale
        self.hidden = hidden
        layout = frozen.layout
        chunk = layout.action_chunk * layout.action_size
        sizes = [layout.observation_horizon * layout.observation_size + chunk, *hidden]
        layers: list[nn.Module] = []
        for a, b in itertools.pairwise(sizes):
            layers += [nn.Linear(a, b), nn.SiLU()]
        last = nn.Linear(sizes[-1], chunk)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.network = nn.Sequential(*layers, last)

    @property
    def noise_count(self) -> int:
        """That of the frozen planner."""
        return self.frozen.noise_count

    def loss(
        self, obs: Float[Tensor, "B To Do"], chunk: Float[Tensor, "B Tp Da"], generator: torch.Generator
    ) -> Float[Tensor, ""]:
        """Raises ValueError: a correction is learned by reinforcement, not from demonstrations."""
        raise ValueError("a residual planner does not learn from demonstrations: pre-train its diffusion planner")

    def correction(self, obs: Float[Tensor, "B To Do"], chunk: Float[Tensor, "B Tp Da"]) -> Float[Tensor, "B Tp Da"]:
        """What is added to a chunk, within +- scale."""
        said = self.network(torch.cat((obs.flatten(1), chunk.flatten(1)), dim=-1))
        return self.scale * said.float().tanh().reshape(chunk.shape)

    def plan_normalized(
        self, obs: Float[Tensor, "B To Do"], noise: Float[Tensor, "Z B Tp Da"]
    ) -> Float[Tensor, "B Tp Da"]:
        """The corrected chunk."""
        chunk = self.frozen.plan_normalized(obs, noise)
        return chunk + self.correction(obs, chunk)
