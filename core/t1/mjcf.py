"""Loads the T1 as a MuJoCo specification that scenes extend with floor and objects."""

# MuJoCo ships no type stubs
# pyright: reportAttributeAccessIssue=false

from pathlib import Path
from typing import Literal

import mujoco

from core.t1.collision import COLLISION_SHAPES, WORLD
from core.t1.vendor_meshes import VISUAL_GROUP, show_vendor_meshes

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


def _remove_visuals(spec: mujoco.MjSpec) -> None:
    for geom in list(spec.geoms):
        if geom.group == VISUAL_GROUP:
            spec.delete(geom)
    for asset in (*spec.meshes, *spec.materials):
        spec.delete(asset)


def load_spec(
    fixed_base: bool = False,
    meshes_dir: Path | None = None,
    *,
    visuals: bool = True,
    fixed_base_height: float = FIXED_BASE_HEIGHT_M,
    contacts: Contacts = "manipulation",
) -> mujoco.MjSpec:
    """The robot alone, to be extended and compiled.

    fixed_base: no free joint, the trunk is welded to the world at `fixed_base_height` (m).
    meshes_dir: folder with the vendor's STL files, shown instead of our visual geoms.
    visuals: false leaves out what is only to be seen, for physics that nobody watches.
    contacts: which robot geoms take part in contact, see core.t1.collision.
    Raises FileNotFoundError naming the missing files when `meshes_dir` is incomplete.
    """
    if meshes_dir is not None and not visuals:
        raise ValueError(f"meshes_dir={meshes_dir} has nothing to replace with visuals=False; leave one of them out")
    spec = mujoco.MjSpec.from_file(str(MJCF_PATH))
    if fixed_base:
        _fix_base(spec, fixed_base_height)
    if contacts == "locomotion":
        _keep_locomotion_contacts(spec)
    if not visuals:
        _remove_visuals(spec)
    elif meshes_dir is not None:
        show_vendor_meshes(spec, Path(meshes_dir))
    return spec
