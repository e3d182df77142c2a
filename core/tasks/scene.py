"""Scene descriptions: plain data from which each simulator builds its own model."""

from dataclasses import dataclass, field
from typing import Literal

RGBA = tuple[float, float, float, float]


@dataclass(frozen=True)
class BoxObject:
    """A cuboid, free to move or fixed to the world."""

    name: str
    size: tuple[float, float, float]
    "full edge lengths x, y, z in m"
    pos: tuple[float, float, float]
    "centre, m, in the world frame"
    mass: float = 0.5
    "kg, ignored when fixed"
    friction: float = 0.8
    "sliding friction coefficient"
    fixed: bool = False
    rgba: RGBA = (0.72, 0.53, 0.34, 1.0)

    def __post_init__(self) -> None:
        if min(self.size) <= 0:
            raise ValueError(f"box {self.name!r}: edge lengths must be positive, got {self.size}")
        if self.mass <= 0 and not self.fixed:
            raise ValueError(f"box {self.name!r}: mass must be positive, got {self.mass}")


@dataclass(frozen=True)
class Scene:
    """A floor, the robot, and boxes."""

    name: str
    objects: tuple[BoxObject, ...] = ()
    robot: Literal["floating", "fixed_base"] = "floating"
    "fixed_base welds the trunk in the air (training of the upper body)"
    contacts: Literal["locomotion", "manipulation"] = "manipulation"
    "locomotion: pyramidal friction, feet on the floor; manipulation: elliptic friction for palms and boxes"
    spawn_height: float = 0.0
    "height of the floor under the robot, m"
    description: str = field(default="", compare=False)

    @property
    def free_objects(self) -> tuple[BoxObject, ...]:
        return tuple(item for item in self.objects if not item.fixed)
