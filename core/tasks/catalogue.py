"""The tasks by name, for the command line and the window; importing this does not import torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from core.tasks import box_pickup_scene
from core.tasks.scene import Scene
from core.tasks.starts import StartRanges

if TYPE_CHECKING:
    from core.tasks.base import Task

TITLES: dict[str, str] = {"box_pickup": "Pick up a box"}
"""Name -> title."""

SCENES: dict[str, Callable[[], Scene]] = {"box_pickup": box_pickup_scene.build_scene}
"""Name -> the nominal scene."""

STARTS: dict[str, StartRanges] = {"box_pickup": StartRanges()}
"""Name -> where robots start, for tasks with such ranges."""

TIME_LIMITS_S: dict[str, float] = {"box_pickup": box_pickup_scene.BoxPickupVerdict().time_limit_s}
"""Name -> when an undecided episode fails."""


def make_task(name: str, num_worlds: int) -> Task:
    """A task in N worlds with its default settings. Raises ValueError naming the known tasks."""
    check_task_name(name)
    from core.tasks.box_pickup import BoxPickup

    return BoxPickup(num_worlds)


def check_task_name(name: str) -> None:
    """Raise ValueError naming the known tasks when `name` is none of them."""
    if name not in TITLES:
        raise ValueError(f"task {name!r} does not exist; known: {', '.join(TITLES)}")
