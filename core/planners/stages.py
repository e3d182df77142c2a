"""The stage that each of N worlds is in, since when, and moving on."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


class Stages:
    """One stage index and the time of its beginning for each world."""

    def __init__(self, num_worlds: int) -> None:
        self.index = torch.zeros(num_worlds, dtype=torch.long)
        self.since_s = torch.zeros(num_worlds)

    def reset(self, worlds: Int[Tensor, "M"], time_s: Float[Tensor, "M"]) -> None:
        """Back to stage 0."""
        self.index[worlds] = 0
        self.since_s[worlds] = time_s

    def at(self, stage: int) -> Bool[Tensor, "N"]:
        """Which worlds are in a stage."""
        return self.index == stage

    def elapsed_s(self, time_s: Float[Tensor, "N"]) -> Float[Tensor, "N"]:
        """Time since each world's stage began."""
        return time_s - self.since_s

    def enter(self, stage: int, where: Bool[Tensor, "N"], time_s: Float[Tensor, "N"]) -> None:
        """Begin a stage in some worlds."""
        self.index = torch.where(where, stage, self.index)
        self.since_s = torch.where(where, time_s, self.since_s)
