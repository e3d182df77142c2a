"""Loads the T1 as a MuJoCo specification that scenes extend with floor and objects."""

# MuJoCo ships no type stubs
# pyright: reportAttributeAccessIssue=false

from pathlib import Path
from typing import Literal

import mujoco

from core.t1.collision import COLLISION_SHAPES, WORLD

MJCF_PATH = Path(__file__).parents[2] / "assets" / "t1" / "t1.xml"
BASE_JOINT = "base_free"
FIXED_BASE_HEIGHT_M = 0.9
"""Trunk height of the fixed-base robot: feet well above the floor."""

Contacts = Literal["locomotion", "manipulation"]


def _fix_base(spec: mujoco.MjSpec, height: float) -> None:
    spec.delete(spec.joint(BASE_JOINT))
    spec.body("Trunk").pos = [0.0, 0.0, height]


def _keep_locomotion_contacts(spec: mujoco.MjSpec) -> None:
    """Soles touch the world, legs touch each other; the rest of the robot touches nothing."""
    groups = {f"{shape.name}_collision": shape.group for shape in COLLISION_SHAPES}
    for geom in spec.geoms:
        match groups.get(geom.name):
            case "sole" | "foot":
                pass
            case "leg":
                geom.conaffinity &= ~WORLD
            case _:
                geom.contype = geom.conaffinity = 0


def load_spec(
    fixed_base: bool = False,
    meshes_dir: Path | None = None,
    *,
    fixed_base_height: float = FIXED_BASE_HEIGHT_M,
    contacts: Contacts = "manipulation",
) -> mujoco.MjSpec:
    """The robot alone, to be extended and compiled.

    fixed_base: no free joint, the trunk is welded to the world at `fixed_base_height` (m).
    meshes_dir: folder with the vendor's STL files, shown instead of our visual geoms.
    contacts: which robot geoms take part in contact, see core.t1.collision.
    """
    spec = mujoco.MjSpec.from_file(str(MJCF_PATH))
    if fixed_base:
        _fix_base(spec, fixed_base_height)
    if contacts == "locomotion":
        _keep_locomotion_contacts(spec)
    return spec
