"""Domain randomisation (B71): a task whose robot, payload and friction differ from episode to episode."""

from dataclasses import dataclass, fields

import torch
from jaxtyping import Int
from torch import Tensor

from core.backends.base import InitialState, Physics
from core.draws import uniform
from core.ranges import Range, check_ranges
from core.tasks.base import ObservationTerm, Task, TaskParameters, TaskStatus, handling_of
from core.tasks.scene import Scene
from core.types import WorldState


@dataclass(frozen=True)
class DomainRanges:
    """What is drawn for each episode on top of the task's own randomisation."""

    kp_scale: Range = (0.9, 1.1)
    "factor on the stiffness of every joint, each its own"
    kd_scale: Range = (0.9, 1.1)
    "factor on the damping of every joint, each its own"
    trunk_mass_offset_kg: Range = (-1.0, 1.0)
    "added to the trunk"
    trunk_com_offset_m: Range = (-0.02, 0.02)
    "shift of the trunk's centre of mass along each axis"
    floor_friction_scale: Range = (0.9, 1.1)
    "factor on the friction of the feet on the floor"
    object_mass_scale: Range = (0.8, 1.25)
    "factor on the mass of each object"
    object_friction_scale: Range = (0.8, 1.25)
    "factor on the friction of each object"

    def __post_init__(self) -> None:
        check_ranges(self, positive=tuple(field.name for field in fields(self) if field.name.endswith("_scale")))

    def apply(self, physics: Physics, generator: torch.Generator) -> Physics:
        """Randomised in place, and returned."""
        m = len(physics.floor_friction)
        physics.kp_scale = physics.kp_scale * uniform(self.kp_scale, tuple(physics.kp_scale.shape), generator)
        physics.kd_scale = physics.kd_scale * uniform(self.kd_scale, tuple(physics.kd_scale.shape), generator)
        physics.trunk_mass_offset_kg = physics.trunk_mass_offset_kg + uniform(
            self.trunk_mass_offset_kg, (m,), generator
        )
        physics.trunk_com_offset_b = physics.trunk_com_offset_b + uniform(self.trunk_com_offset_m, (m, 3), generator)
        physics.floor_friction = physics.floor_friction * uniform(self.floor_friction_scale, (m,), generator)
        for values, scale in (
            (physics.object_mass, self.object_mass_scale),
            (physics.object_friction, self.object_friction_scale),
        ):
            for name in values:
                values[name] = values[name] * uniform(scale, (m,), generator)
        return physics


class RandomisedTask:
    """Another task with wider physics; starts, observation and verdict are that task's."""

    def __init__(self, task: Task, ranges: DomainRanges) -> None:
        self.inner = task
        self.ranges = ranges
        self.name = task.name
        self.title = task.title
        self.time_limit_s = task.time_limit_s
        self.num_worlds = task.num_worlds
        self.parameters = task.parameters
        self.observation_terms: tuple[ObservationTerm, ...] = task.observation_terms

    def scene(self) -> Scene:
        """The task's."""
        return self.inner.scene()

    def sample_initial(self, count: int, generator: torch.Generator) -> tuple[InitialState, Physics, TaskParameters]:
        """The task's starts from the same seed, with randomised physics."""
        initial, physics, parameters = self.inner.sample_initial(count, generator)
        return initial, self.ranges.apply(physics, generator), parameters

    def reset(self, worlds: Int[Tensor, "M"], parameters: TaskParameters) -> None:
        """The task's, with the time limit as it is set here."""
        self.inner.time_limit_s = self.time_limit_s
        self.inner.reset(worlds, parameters)

    def observation(self, state: WorldState) -> dict[str, Tensor]:
        """The task's."""
        return self.inner.observation(state)

    def update(self, state: WorldState) -> TaskStatus:
        """The task's."""
        return self.inner.update(state)

    def handling(self, state: WorldState) -> Int[Tensor, "N"]:
        """The task's, unknown where it says nothing."""
        return handling_of(self.inner, state)
