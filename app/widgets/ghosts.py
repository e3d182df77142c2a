"""Decoration of the 3-D view: commanded hands as axes and translucent palms, planned footsteps as translucent soles."""

# mujoco has no stubs: pyright sees none of its names
# pyright: reportAttributeAccessIssue=false

import mujoco
import numpy as np

from app.scene_pose import Array, Ghosts, matrix_from_quat
from app.theme import Rgba

AXIS_LENGTH_M = 0.11
AXIS_RADIUS_M = 0.004
AXIS_RGBA: tuple[Rgba, ...] = ((0.92, 0.22, 0.22, 1.0), (0.20, 0.72, 0.30, 1.0), (0.20, 0.42, 0.95, 1.0))
"x red, y green, z blue: the convention of robotics"
SIDE_RGBA: tuple[Rgba, ...] = ((0.25, 0.55, 1.0, 0.45), (1.0, 0.50, 0.15, 0.45))
"left blue, right orange"
PALM_HALF_SIZE_M = (0.055, 0.010, 0.035)
ASKED_HALF_SIZE_M = (0.065, 0.006, 0.045)
REACH_RGBA: tuple[Rgba, Rgba] = ((0.95, 0.20, 0.20, 0.35), (0.25, 0.85, 0.40, 0.35))
"out of reach, within reach"
BESIDE_RGBA: Rgba = (0.20, 0.75, 0.95, 0.40)
"the simulation beside a recording"
SOLE_HALF_SIZE_M = (0.112, 0.050, 0.004)
SOLE_CENTRE_X_M = 0.0101
"Sole box of core.t1.collision, thinned"


def add_ghosts(scene: mujoco.MjvScene, ghosts: Ghosts) -> None:
    """Add what is commanded to a scene that has just been updated."""
    if ghosts.hand_pose_w is not None:
        _add_hands(scene, ghosts.hand_pose_w)
    if ghosts.asked_pose_w is not None:
        _add_asked(scene, ghosts.asked_pose_w, ghosts.asked_reachable)
    _add_footsteps(scene, ghosts)


def add_beside(scene: mujoco.MjvScene, model: mujoco.MjModel, data: mujoco.MjData, option: mujoco.MjvOption) -> None:
    """Add what moves of another state of the same model, translucent and of one colour; tables and floor are there."""
    first = scene.ngeom
    mujoco.mjv_addGeoms(model, data, option, mujoco.MjvPerturb(), mujoco.mjtCatBit.mjCAT_DYNAMIC, scene)
    for geom in scene.geoms[first : scene.ngeom]:
        geom.rgba[:] = BESIDE_RGBA
        geom.matid = -1
        geom.transparent = 1


def _add_hands(scene: mujoco.MjvScene, hand_pose_w: Array) -> None:
    for pose, rgba in zip(hand_pose_w, SIDE_RGBA):
        if not np.isfinite(pose).all():
            continue
        rotation = matrix_from_quat(pose[3:])
        _add_box(scene, PALM_HALF_SIZE_M, pose[:3], rotation, rgba)
        _add_axes(scene, pose[:3], rotation)


def _add_asked(scene: mujoco.MjvScene, pose_w: Array, reachable: tuple[bool, bool]) -> None:
    """Where the operator's hands are on the robot: green within reach, red beyond."""
    for pose, reached in zip(pose_w, reachable):
        if np.isfinite(pose).all():
            rotation = matrix_from_quat(pose[3:])
            _add_box(scene, ASKED_HALF_SIZE_M, pose[:3], rotation, REACH_RGBA[reached])
            _add_axes(scene, pose[:3], rotation)


def _add_footsteps(scene: mujoco.MjvScene, ghosts: Ghosts) -> None:
    if ghosts.footstep_w is None or ghosts.footstep_side is None:
        return
    for (x, y, z, yaw), side in zip(ghosts.footstep_w, ghosts.footstep_side):
        if side < 0 or not np.isfinite((x, y, z, yaw)).all():
            continue
        cos, sin = np.cos(yaw), np.sin(yaw)
        rotation = np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
        centre = np.array([x, y, z + SOLE_HALF_SIZE_M[2]]) + rotation @ np.array([SOLE_CENTRE_X_M, 0.0, 0.0])
        _add_box(scene, SOLE_HALF_SIZE_M, centre, rotation, SIDE_RGBA[int(side)])


def _add_axes(scene: mujoco.MjvScene, pos: Array, rotation: Array) -> None:
    for axis, rgba in enumerate(AXIS_RGBA):
        geom = _new_geom(scene, rgba)
        if geom is None:
            return
        tip = pos + AXIS_LENGTH_M * rotation[:, axis]
        mujoco.mjv_connector(geom, mujoco.mjtGeom.mjGEOM_ARROW, AXIS_RADIUS_M, pos, tip)


def _add_box(
    scene: mujoco.MjvScene, half_size: tuple[float, float, float], pos: Array, rotation: Array, rgba: Rgba
) -> None:
    geom = _new_geom(scene, rgba)
    if geom is not None:
        kind = mujoco.mjtGeom.mjGEOM_BOX
        mujoco.mjv_initGeom(geom, kind, np.array(half_size), pos, rotation.ravel(), np.array(rgba, dtype=np.float32))


def _new_geom(scene: mujoco.MjvScene, rgba: Rgba) -> mujoco.MjvGeom | None:
    if scene.ngeom >= scene.maxgeom:
        return None
    geom = scene.geoms[scene.ngeom]
    colour = np.array(rgba, dtype=np.float32)
    mujoco.mjv_initGeom(geom, mujoco.mjtGeom.mjGEOM_ARROW, np.zeros(3), np.zeros(3), np.eye(3).ravel(), colour)
    geom.category = mujoco.mjtCatBit.mjCAT_DECOR
    geom.emission = 0.25
    scene.ngeom += 1
    return geom
