"""What fine-tuning learns from: the decisions of an iteration, world by world, and how each of them paid off."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Decisions:
    """M decisions (chunks) in the order in which they were taken. Worlds replan on their own, so rows of them mix."""

    obs: Float[Tensor, "M To Do"]
    "normalised"
    chain: Float[Tensor, "M J1 Tp Da"]
    "normalised; the last of the J + 1 values is the chunk"
    world: Int[Tensor, "M"]
    reward: Float[Tensor, "M"]
    "while the chunk was executed"
    first: Bool[Tensor, "M"]
    "an episode begins with it"
    terminated: Bool[Tensor, "M"]
    "the task ended the episode during it"
    truncated: Bool[Tensor, "M"]
    "the clock or the end of the iteration cut the episode off during it"
    final_obs: Float[Tensor, "Q To Do"]
    "normalised observations to which the Q truncated decisions led, in their order"

    def __post_init__(self) -> None:
        if bool((self.terminated & self.truncated).any()):
            raise ValueError("a decision ends an episode by termination or by truncation, not both")
        if int(self.truncated.sum()) != len(self.final_obs):
            raise ValueError(
                f"{int(self.truncated.sum())} truncated decisions need as many final observations, "
                f"got {len(self.final_obs)}"
            )

    def __len__(self) -> int:
        return len(self.world)


class Grid:
    """Decisions as a table (T, N): a column for each world, padded at the end; and back."""

    def __init__(self, world: Int[Tensor, "M"]) -> None:
        count = torch.zeros(int(world.max()) + 1, dtype=torch.long)
        row = torch.empty_like(world)
        for m, w in enumerate(world.tolist()):
            row[m] = count[w]
            count[w] += 1
        self._row, self._column = row, world
        self.shape = (int(count.max()), len(count))
        self.valid = torch.zeros(self.shape, dtype=torch.bool)
        self.valid[row, world] = True

    def table(self, values: Tensor, padding: float | bool) -> Tensor:
        """(M,) -> (T, N)."""
        table = torch.full(self.shape, padding, dtype=values.dtype)
        table[self._row, self._column] = values
        return table

    def flat(self, table: Float[Tensor, "T N"]) -> Float[Tensor, "M"]:
        """(T, N) -> (M,)."""
        return table[self._row, self._column]


def next_values(
    grid: Grid, values: Float[Tensor, "M"], truncated: Bool[Tensor, "M"], final_values: Float[Tensor, "Q"]
) -> Float[Tensor, "T N"]:
    """Value of what each decision led to: of the world's next decision, of the final observation where cut off."""
    table = grid.table(values, 0.0)
    after = torch.cat((table[1:], torch.zeros_like(table[:1])))
    cut = torch.zeros_like(values)
    cut[truncated] = final_values
    return torch.where(grid.table(truncated, False), grid.table(cut, 0.0), after)
