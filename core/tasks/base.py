"""What every task offers: a scene, random starts, the planner's observation and a sparse verdict, for N worlds."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from core.backends.base import InitialState, Physics
from core.tasks.scene import Scene
from core.types import WorldState

TaskParameters = dict[str, Tensor]
"""Per-world facts of an episode that no state tells (the size of the box): name -> (M, d)."""


@dataclass(frozen=True)
class ObservationTerm:
    """One named block of the planner's observation."""

    name: str
    size: int
    unit: str
    description: str


@dataclass(frozen=True)
class TaskStatus:
    """The verdict on N episodes; both flags stay once they are set, and a world never has both."""

    success: Bool[Tensor, "N"]
    failed: Bool[Tensor, "N"]
    reason_code: Int[Tensor, "N"]
    "index into reasons"
    reasons: tuple[str, ...]
    "all outcomes of this task; the first is 'running'"

    @property
    def done(self) -> Bool[Tensor, "N"]:
        """(N,) episodes that are decided."""
        return self.success | self.failed

    @property
    def reason(self) -> list[str]:
        """The outcome of every world in words."""
        return [self.reasons[code] for code in self.reason_code.tolist()]

    @property
    def reward(self) -> Float[Tensor, "N"]:
        """Sparse reward (B70): 1 in worlds that have succeeded, else 0. Pay it once, when `done` turns true."""
        return self.success.float()


@runtime_checkable
class Task(Protocol):
    """A task for N worlds. Keeps what an episode needs to remember: parameters, timers, latched flags."""

    name: str
    title: str
    time_limit_s: float
    "an undecided episode fails then; may be changed between episodes (a person needs longer than a planner)"
    num_worlds: int
    parameters: TaskParameters
    "of the running episodes, name -> (N, d)"
    observation_terms: tuple[ObservationTerm, ...]

    def scene(self) -> Scene:
        """What the backend builds."""
        ...

    def sample_initial(self, count: int, generator: torch.Generator) -> tuple[InitialState, Physics, TaskParameters]:
        """Random starts of `count` episodes. The same generator state gives the same starts."""
        ...

    def reset(self, worlds: Int[Tensor, "M"], parameters: TaskParameters) -> None:
        """Forget the episodes of some worlds and take over the parameters of the new ones."""
        ...

    def observation(self, state: WorldState) -> dict[str, Tensor]:
        """The planner's view (B4) in the order and sizes of `observation_terms`, all in the base frame."""
        ...

    def update(self, state: WorldState) -> TaskStatus:
        """Judge the state that followed the last command; to be called once a step."""
        ...


class Handling(IntEnum):
    """How far a robot is with what it shall handle."""

    UNKNOWN = -1
    "the task does not say"
    AWAY = 0
    "the hands are not at it"
    REACHED = 1
    "the hands are at it"
    HELD = 2
    "it is moved as intended: lifted, turned"


@runtime_checkable
class HandlingTask(Protocol):
    """A task that can say how far the robot is with its object: tells a missed grasp from a drop and from slowness."""

    def handling(self, state: WorldState) -> Int[Tensor, "N"]:
        """A `Handling` for every world, of this state alone."""
        ...


def handling_of(task: Task, state: WorldState) -> Int[Tensor, "N"]:
    """What a task says about the handling of its object; `Handling.UNKNOWN` when it does not say anything."""
    if isinstance(task, HandlingTask):
        return task.handling(state)
    return torch.full((task.num_worlds,), int(Handling.UNKNOWN))


def observation_size(terms: tuple[ObservationTerm, ...]) -> int:
    """Number of values of an observation, Do."""
    return sum(term.size for term in terms)


def observation_vector(observation: dict[str, Tensor]) -> Float[Tensor, "N Do"]:
    """The blocks of an observation side by side, in their order."""
    return torch.cat(list(observation.values()), dim=-1)
