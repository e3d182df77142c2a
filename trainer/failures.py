"""Why an episode failed, told apart by what happened on the way: fell, missed, dropped, or simply out of time."""

from typing import Literal

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from core.rollout import DIVERGED, NOT_FINITE_TARGET
from core.tasks.base import Handling

Failure = Literal["fell", "missed", "dropped", "time", "simulation"]
FAILURES: tuple[Failure, ...] = ("fell", "missed", "dropped", "time")
"""What a robot can do wrong. 'simulation' (it diverged) is only listed when it happened."""

MEANING: dict[Failure, str] = {
    "fell": "the robot fell",
    "missed": "the hands were at the object, or knocked it away, but never held it",
    "dropped": "the object was held and lost again",
    "time": "time ran out on the way to the object, or with the object in the hands",
    "simulation": "the simulation or a controller's output was not a number",
}


class HandlingRecord:
    """The furthest and the newest handling of every world's running episode."""

    def __init__(self, num_worlds: int) -> None:
        self.furthest = torch.full((num_worlds,), int(Handling.UNKNOWN))
        self.newest = self.furthest.clone()

    def see(self, handling: Int[Tensor, "N"], active: Bool[Tensor, "N"]) -> None:
        """What the task says now, in the worlds in which an episode runs."""
        self.newest = torch.where(active, handling, self.newest)
        self.furthest = torch.where(active, torch.maximum(self.furthest, handling), self.furthest)

    def close(self, world: int, reason: str) -> Failure:
        """Why the episode of a world failed, given the task's own reason; forgets the episode."""
        failure = classify(reason, int(self.furthest[world]), int(self.newest[world]))
        self.furthest[world] = self.newest[world] = int(Handling.UNKNOWN)
        return failure


def classify(reason: str, furthest: int, newest: int) -> Failure:
    """From the task's reason, and from how far the object was handled at best and at last."""
    if reason in (DIVERGED, NOT_FINITE_TARGET):
        return "simulation"
    if "fell" in reason:
        return "fell"
    if furthest == Handling.HELD and newest < Handling.HELD:
        return "dropped"
    if furthest == Handling.REACHED:
        return "missed"
    if "drop" in reason:  # of an object that no hand was seen at: knocked away; the word of a task that tells no more
        return "dropped" if furthest in (Handling.UNKNOWN, Handling.HELD) else "missed"
    return "time"
