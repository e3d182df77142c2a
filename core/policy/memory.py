"""What a planner is told of each world: its last observations, and the noise of its episode."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

_NOISE_STREAM = 0x0DD5_EED5
"""Another stream than the start of the episode, which is drawn from the seed itself."""


class Memory:
    """Of N worlds. The noise of a world comes from its episode's seed, whatever the other worlds do."""

    def __init__(self, num_worlds: int, horizon: int, size: int, seed: int = 0) -> None:
        self.history = torch.zeros(num_worlds, horizon, size)
        "(N, To, Do), the newest last"
        self._fresh = torch.ones(num_worlds, dtype=torch.bool)
        self._generators = [torch.Generator().manual_seed(_mixed(seed + world)) for world in range(num_worlds)]

    def seed(self, worlds: Int[Tensor, "M"], seeds: Sequence[int]) -> None:
        """Draw the noise of the next episodes of some worlds from these seeds."""
        for world, seed in zip(worlds.tolist(), seeds, strict=True):
            self._generators[world].manual_seed(_mixed(seed))

    def begin(self, worlds: Int[Tensor, "M"]) -> None:
        """The histories of some worlds begin anew with the next observation, repeated."""
        self._fresh[worlds] = True

    def remember(self, observation: Float[Tensor, "N Do"]) -> None:
        """Take in the observation of now."""
        self.history = torch.cat((self.history[:, 1:], observation[:, None]), dim=1)
        first = observation[self._fresh][:, None]
        self.history[self._fresh] = first.expand(-1, self.history.shape[1], -1)
        self._fresh[:] = False

    def noise(self, worlds: Int[Tensor, "M"], count: int, chunk: tuple[int, int]) -> Float[Tensor, "Z M Tp Da"]:
        """`count` chunks of standard normal noise of shape (Tp, Da), each world's from its own generator."""
        rows = [torch.randn(count, *chunk, generator=self._generators[world]) for world in worlds.tolist()]
        return torch.stack(rows, dim=1)


def _mixed(seed: int) -> int:
    return (seed ^ _NOISE_STREAM) & 0x7FFF_FFFF_FFFF_FFFF
