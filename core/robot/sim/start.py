"""What people prepare for an episode: the scene as drawn (sizes, masses, heights), and where everything is put."""

from dataclasses import dataclass, replace

from core.backends.base import InitialState, Physics
from core.tasks.scene import BoxObject, Scene


@dataclass(frozen=True)
class SimStart:
    """One start. Without `initial` the robot stands at the origin and objects are where the scene says."""

    scene: Scene
    initial: InitialState | None = None
    floor_friction: float = 1.0


def drawn_start(scene: Scene, initial: InitialState, physics: Physics) -> SimStart:
    """The start of one episode (one row each) as a scene of its own.

    Nothing of the robot itself is randomised: it is what it is.
    """
    objects = tuple(_drawn(item, physics) for item in scene.objects)
    return SimStart(replace(scene, objects=objects), initial, float(physics.floor_friction[0]))


def _drawn(item: BoxObject, physics: Physics) -> BoxObject:
    size, pos = physics.object_size.get(item.name), physics.fixed_object_pos.get(item.name)
    mass, friction = physics.object_mass.get(item.name), physics.object_friction.get(item.name)
    return replace(
        item,
        size=item.size if size is None else tuple(map(float, size[0])),
        pos=item.pos if pos is None else tuple(map(float, pos[0])),
        mass=item.mass if mass is None else float(mass[0]),
        friction=item.friction if friction is None else float(friction[0]),
    )
