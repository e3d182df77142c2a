"""The visual body: seen, weightless, untouchable; and its replacement by the vendor's meshes."""

import struct
from pathlib import Path

import mujoco
import numpy as np
import pytest

from core.t1.facts import LINKS
from core.t1.mjcf import load_spec
from core.t1.model import SIDES, TOTAL_MASS_KG
from core.t1.shells import Loft, Section
from core.t1.vendor_meshes import MESH_FILES, VISUAL_GROUP

FINGERS = {f"{side}_finger_{finger}" for side in SIDES for finger in (1, 2)}


def write_tetrahedron(path: Path, size: float) -> None:
    """A binary STL of four triangles."""
    corners = size * np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], dtype=np.float32)
    faces = [(0, 2, 1), (0, 1, 3), (0, 3, 2), (1, 2, 3)]
    with path.open("wb") as file:
        file.write(bytes(80) + struct.pack("<I", len(faces)))
        for face in faces:
            file.write(struct.pack("<12fH", 0, 0, 0, *corners[list(face)].ravel(), 0))


@pytest.fixture
def meshes_dir(tmp_path: Path) -> Path:
    for names in MESH_FILES.values():
        for name in names:
            write_tetrahedron(tmp_path / name, size=0.05)
    return tmp_path


def visual_geoms(model: mujoco.MjModel) -> list[int]:
    return [g for g in range(model.ngeom) if model.geom_group[g] == VISUAL_GROUP]


def test_that_every_link_is_seen_and_visuals_touch_nothing() -> None:
    model = load_spec().compile()
    visuals = visual_geoms(model)

    seen = {model.body(model.geom_bodyid[g]).name for g in visuals}

    assert seen == {link.name for link in LINKS} | FINGERS
    assert not model.geom_contype[visuals].any()
    assert not model.geom_conaffinity[visuals].any()


def test_that_collision_geoms_are_hidden_by_default() -> None:
    model = load_spec().compile()
    touching = (model.geom_contype | model.geom_conaffinity) != 0

    assert set(model.geom_group[touching]) == {3}
    assert mujoco.MjvOption().geomgroup[3] == 0
    assert mujoco.MjvOption().geomgroup[VISUAL_GROUP] == 1


def test_that_the_visual_body_is_as_tall_as_the_robot() -> None:
    """Published height of the head's top in the straight stand: 1.181 m; soles on the floor."""
    model = load_spec().compile()
    data = mujoco.MjData(model)
    data.joint("base_free").qpos[:] = [0, 0, 0.686604, 1, 0, 0, 0]
    mujoco.mj_forward(model, data)
    heights = []
    for g in visual_geoms(model):
        if model.geom_type[g] == mujoco.mjtGeom.mjGEOM_MESH:
            mesh = model.mesh(model.geom_dataid[g])
            first, count = mesh.vertadr[0], mesh.vertnum[0]
            points = model.mesh_vert[first : first + count] @ data.geom_xmat[g].reshape(3, 3).T
            heights.extend(data.geom_xpos[g, 2] + points[:, 2])

    assert min(heights) == pytest.approx(0.0, abs=1e-3)
    assert max(heights) == pytest.approx(1.1815, abs=5e-3)


def test_that_physics_without_visuals_has_the_same_joints_and_mass() -> None:
    full, bare = load_spec().compile(), load_spec(visuals=False).compile()

    assert not visual_geoms(bare)
    assert bare.nmesh == 0
    assert bare.body_mass.sum() == pytest.approx(TOTAL_MASS_KG, abs=1e-9)
    assert [bare.joint(i).name for i in range(bare.njnt)] == [full.joint(i).name for i in range(full.njnt)]
    np.testing.assert_array_equal(bare.body_inertia, full.body_inertia)


def test_that_vendor_meshes_replace_our_visuals_but_not_pads_and_fingers(meshes_dir: Path) -> None:
    model = load_spec(meshes_dir=meshes_dir).compile()

    shown: dict[str, list[str]] = {}
    for g in visual_geoms(model):
        mesh = model.geom_dataid[g]
        body = model.body(model.geom_bodyid[g]).name
        shown.setdefault(body, []).append(model.mesh(mesh).name if mesh >= 0 else "primitive")

    assert shown["Trunk"] == ["vendor_Trunk", "vendor_Logo"]
    assert shown["Shank_Left"] == ["vendor_Shank_Left"]
    assert sorted(shown["left_hand_link"]) == ["palm_pad", "vendor_AL7"]
    assert all(len(shown[finger]) == 2 for finger in FINGERS)
    assert model.body_mass.sum() == pytest.approx(TOTAL_MASS_KG, abs=1e-9)
    assert not model.geom_contype[visual_geoms(model)].any()


def test_that_meshes_are_also_found_in_the_meshes_subfolder(meshes_dir: Path, tmp_path: Path) -> None:
    parent = tmp_path / "T1"
    parent.mkdir()
    (parent / "meshes").symlink_to(meshes_dir)

    model = load_spec(meshes_dir=parent).compile()

    assert model.mesh("vendor_Trunk").id >= 0


def test_that_a_missing_mesh_is_named(meshes_dir: Path) -> None:
    (meshes_dir / "AL7.STL").unlink()
    (meshes_dir / "Waist.STL").unlink()

    with pytest.raises(FileNotFoundError, match=r"2 of 31 T1 meshes are not in .*AL7\.STL, Waist\.STL"):
        load_spec(meshes_dir=meshes_dir)


def test_that_meshes_without_visuals_are_refused(meshes_dir: Path) -> None:
    with pytest.raises(ValueError, match="visuals=False"):
        load_spec(meshes_dir=meshes_dir, visuals=False)


def test_that_a_loft_passes_through_its_sections() -> None:
    vertices = Loft("x", (Section(0.0, 0.02, 0.01), Section(0.1, 0.04, 0.03, 0.01)), bevel=0.005).vertices()

    low, high = vertices.min(axis=0), vertices.max(axis=0)

    np.testing.assert_allclose((low[2], high[2]), (0.0, 0.1), atol=1e-12)
    assert 0.04 < high[0] <= 0.05  # centre 0.01 + half 0.04, less the rounding of the end
    assert 0.025 < high[1] <= 0.03
