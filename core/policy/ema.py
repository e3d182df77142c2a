"""Exponential moving average of weights: what a diffusion planner is evaluated and fine-tuned from."""

import torch
from torch import Tensor, nn


class Ema:
    """A copy of a network that follows it slowly; quickly at first, so that the start is forgotten."""

    def __init__(self, network: nn.Module, average: nn.Module, decay: float = 0.999) -> None:
        """`average` is a network of the same kind; its weights are overwritten. Raises ValueError for a bad decay."""
        if not 0.0 <= decay < 1.0:
            raise ValueError(f"decay must lie in [0, 1), got {decay}")
        self.decay = decay
        self.updates = 0
        self.average = average.requires_grad_(False).eval()
        self._source = list(network.parameters())
        self._target = list(average.parameters())
        average.load_state_dict(network.state_dict())

    def current_decay(self) -> float:
        """Decay of the next update: grows from 0.1 to `decay` as (1 + n) / (10 + n)."""
        return min(self.decay, (1 + self.updates) / (10 + self.updates))

    @torch.no_grad()
    def update(self) -> None:
        """Move the average towards the network; call after each optimiser step."""
        weight = 1.0 - self.current_decay()
        for average, source in zip(self._target, self._source, strict=True):
            average.lerp_(source, weight)
        self.updates += 1

    def state_dict(self) -> dict[str, Tensor]:
        """Weights of the average and the number of updates."""
        return {**self.average.state_dict(), "updates": torch.tensor(self.updates)}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Inverse of `state_dict`."""
        self.average.load_state_dict({name: value for name, value in state.items() if name != "updates"})
        self.updates = int(state["updates"])
