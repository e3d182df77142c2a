"""Shows the vendor's own STL meshes in place of our visual body, where the user has them.

The meshes are in BoosterRobotics/booster_assets, robots/T1/meshes (BSD-3-Clause); they are not shipped here.
"""

# MuJoCo ships no type stubs
# pyright: reportAttributeAccessIssue=false

from pathlib import Path

import mujoco

from core.t1.facts import LINKS

VISUAL_GROUP = 2
_OTHER_FILES = {
    "Trunk": ("Trunk.STL", "Logo.STL"),
    "left_hand_link": ("AL7.STL",),
    "right_hand_link": ("AR7.STL",),
}
MESH_FILES: dict[str, tuple[str, ...]] = {
    link.name: _OTHER_FILES.get(link.name, (f"{link.name}.STL",)) for link in LINKS
}
"""Visual files of each link in the vendor's T1_29dof.urdf."""

KEPT_SHELLS = ("palm_pad",)
"""Shown beside the vendor's meshes: what touches and is not on the real robot. Fingers, which move, are kept too."""


def find_meshes(meshes_dir: Path) -> dict[str, tuple[Path, ...]]:
    """Path of every visual mesh per link, in `meshes_dir` or its `meshes` subfolder.

    Raises FileNotFoundError naming every file that is missing.
    """
    folder = meshes_dir / "meshes" if (meshes_dir / "meshes").is_dir() else meshes_dir
    found = {link: tuple(folder / name for name in names) for link, names in MESH_FILES.items()}
    missing = [path.name for paths in found.values() for path in paths if not path.is_file()]
    if missing:
        raise FileNotFoundError(
            f"{len(missing)} of {sum(map(len, found.values()))} T1 meshes are not in {folder}: {', '.join(missing)}; "
            "give the folder robots/T1 (or its meshes folder) of BoosterRobotics/booster_assets"
        )
    return found


def show_vendor_meshes(spec: mujoco.MjSpec, meshes_dir: Path) -> None:
    """Replace the visual geoms of every link by the vendor's meshes; the palm pads and the moving fingers stay."""
    found = find_meshes(meshes_dir)
    for geom in list(spec.geoms):
        if geom.group == VISUAL_GROUP and geom.parent.name in found and geom.meshname not in KEPT_SHELLS:
            spec.delete(geom)
    for link, paths in found.items():
        for path in paths:
            name = f"vendor_{path.stem}"
            spec.add_mesh(name=name, file=str(path.resolve()))
            material = "dark" if "hand" in link or "foot" in link else "shell"
            spec.body(link).add_geom(
                type=mujoco.mjtGeom.mjGEOM_MESH,
                meshname=name,
                material=material,
                group=VISUAL_GROUP,
                contype=0,
                conaffinity=0,
                mass=0.0,
            )
