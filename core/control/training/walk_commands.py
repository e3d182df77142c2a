"""Random base-velocity commands for training and evaluating pi_lower: walks, turns, starts, stops, standing."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from core.control.training.motion_configs import WalkCommandConfig
from core.types import CONTROL_PERIOD_S


class WalkCommands:
    """Base velocities (vx, vy, wz) of N worlds, each held for a random time."""

    WORLD_FIELDS = ("velocity", "left_s")

    def __init__(self, num_worlds: int, config: WalkCommandConfig, generator: torch.Generator) -> None:
        self.config = config
        self.generator = generator
        self.velocity = torch.zeros(num_worlds, 3)
        self.left_s = torch.zeros(num_worlds)
        self.scale = 1.0
        "curriculum: factor on the ranges"

    def reset(self, worlds: Int[Tensor, "M"], stand_first_s: float = 0.0) -> None:
        """New commands in the chosen worlds, after standing for a while."""
        self._draw(worlds)
        if stand_first_s > 0:
            self.velocity[worlds] = 0.0
            self.left_s[worlds] = stand_first_s

    def update(self) -> Float[Tensor, "N 3"]:
        """The command of the next control period."""
        self.left_s -= CONTROL_PERIOD_S
        over = (self.left_s <= 0).nonzero().squeeze(-1)
        if len(over):
            self._draw(over)
        return self.velocity

    def _draw(self, worlds: Tensor) -> None:
        c, n = self.config, len(worlds)
        limit = self.scale * torch.tensor([c.max_forward, c.max_lateral, c.max_turn])
        velocity = (2.0 * self._uniform(n, 3) - 1.0) * limit
        axis = torch.nn.functional.one_hot((3 * self._uniform(n)).long().clamp_max(2), 3).float()
        single = self._uniform(n) < c.single_axis_share
        velocity = torch.where(single[:, None], velocity * axis, velocity)
        stand = self._uniform(n) < c.stand_share
        self.velocity[worlds] = torch.where(stand[:, None], 0.0, velocity)
        low, high = c.duration_range_s
        self.left_s[worlds] = low + (high - low) * self._uniform(n)

    def _uniform(self, *shape: int) -> Tensor:
        return torch.rand(shape, generator=self.generator)
