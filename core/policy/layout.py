"""What a planner sees and what it says: the layout that a data set, a task and a checkpoint must agree on."""

from dataclasses import dataclass

from core.data.schema import DatasetSpec
from core.policy.features import ACTION_FEATURES
from core.tasks.base import Task
from core.types import PLANNER_HZ, Command

OBSERVATION_HORIZON = 8
"""Observations a planner sees, 0.1 s apart (paper, section IV-A, B60)."""
ACTION_CHUNK = 12
"""Commands a planner predicts, 0.1 s apart (paper, section IV-A, B61)."""


class LayoutError(ValueError):
    """A planner, a task and a data set that do not belong together."""


@dataclass(frozen=True)
class PlannerLayout:
    """Names and sizes at both ends of a planner."""

    task: str
    observation: tuple[tuple[str, int], ...]
    "name and size of each part of one observation, in order"
    action: tuple[str, ...]
    "names of the components of one command, in order"
    observation_horizon: int = OBSERVATION_HORIZON
    "To, observations in a chunk, the last one is now"
    action_chunk: int = ACTION_CHUNK
    "Tp, commands in a chunk, the first one is for now"
    command_hz: float = float(PLANNER_HZ)
    "rate of observations and commands"

    def __post_init__(self) -> None:
        if self.action != Command.component_names():
            raise LayoutError(f"a planner says commands of {Command.component_names()}, got {self.action}")
        for name in ("observation_horizon", "action_chunk"):
            if getattr(self, name) < 1:
                raise LayoutError(f"{name} must be at least 1, got {getattr(self, name)}")

    @classmethod
    def of_task(cls, task: Task) -> "PlannerLayout":
        """The layout of planners for a task."""
        observation = tuple((term.name, term.size) for term in task.observation_terms)
        return cls(task.name, observation, Command.component_names())

    @classmethod
    def of_dataset(cls, spec: DatasetSpec) -> "PlannerLayout":
        """The layout of planners that learn from a data set."""
        observation = tuple(spec.observation_sizes.items())
        return cls(spec.task, observation, spec.action_names, command_hz=float(spec.command_hz))

    @property
    def observation_size(self) -> int:
        """Do, values of one observation."""
        return sum(size for _, size in self.observation)

    @property
    def action_size(self) -> int:
        """Da, values of one command as a network sees it (rotations in 6 numbers)."""
        return ACTION_FEATURES

    def observation_components(self) -> tuple[str, ...]:
        """A name for each of the Do values: hand_pos_b[0], ..."""
        return tuple(f"{name}[{i}]" for name, size in self.observation for i in range(size))

    def check_fits(self, other: "PlannerLayout", what: str) -> None:
        """Raise LayoutError naming every difference; `other` is the layout of `what`."""
        wrong = [
            f"{name}: the planner has {mine!r}, {what} has {getattr(other, name)!r}"
            for name, mine in vars(self).items()
            if mine != getattr(other, name)
        ]
        if wrong:
            raise LayoutError(f"this planner does not fit {what} ({'; '.join(wrong)}): train one for it")
