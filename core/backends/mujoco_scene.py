"""From a scene description to a MuJoCo model: the T1, a floor, light, boxes and solver options (no torch here)."""
# pyright: reportAttributeAccessIssue=false

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import mujoco

from core.t1.mjcf import load_spec
from core.tasks.scene import BoxObject, Scene

FLOOR = "floor"
FLOOR_FRICTION = 1.0
_ARENA_BYTES = 4 * 2**20
"For contacts and constraints of one world: a robot that stands uses 66 kB; MuJoCo would reserve 16 MB."
_TORSIONAL_M = 0.02
_ROLLING_M = 0.0001
_FIXED_PRIORITY = 1
"Friction of a contact is that of the geom of higher priority: floor and fixtures over feet and hands,"
_FREE_PRIORITY = 2
"free objects over all, so that `object_friction` is the coefficient of every contact of that object"


@dataclass(frozen=True)
class SolverOptions:
    """Time step and contact solver. Values chosen by measurement: docs/benchmarks.md."""

    timestep_s: float
    "physics step, a divisor of the 20 ms control period"
    cone: Literal["pyramidal", "elliptic"]
    "friction cone"
    impratio: float
    "ratio of friction to normal constraint stiffness: higher means less slip"
    iterations: int
    "Newton iterations at most"
    ls_iterations: int
    "line-search iterations at most"


SOLVERS: dict[str, SolverOptions] = {
    "locomotion": SolverOptions(0.005, "pyramidal", 1.0, 10, 10),
    "manipulation": SolverOptions(0.005, "elliptic", 10.0, 50, 30),
}
"""Solver options by `Scene.contacts`."""


def compile_scene(
    scene: Scene, meshes_dir: Path | None = None, solver: SolverOptions | None = None, *, lean: bool = False
) -> mujoco.MjModel:
    """The model of a scene. Free objects are bodies with a joint "<name>_free" and a geom "<name>".

    meshes_dir: folder of the vendor's meshes, shown instead of our shapes (see `load_spec`).
    solver: overrides `SOLVERS[scene.contacts]`.
    lean: leaves out visual shapes and the accelerometer; motion is the same bits and steps 9 % faster.
    """
    spec = load_spec(scene.robot == "fixed_base", meshes_dir, contacts=scene.contacts)
    spec.modelname = scene.name
    _set_options(spec, solver or SOLVERS[scene.contacts])
    _add_surroundings(spec)
    for item in scene.objects:
        _add_box(spec, item)
    if lean:
        _drop_what_moves_nothing(spec)
    return spec.compile()


def _drop_what_moves_nothing(spec: mujoco.MjSpec) -> None:
    for geom in [geom for geom in spec.geoms if geom.contype == geom.conaffinity == 0]:
        spec.delete(geom)
    spec.delete(spec.sensor("accelerometer"))  # needs the accelerations of all bodies, and no controller reads it


def _set_options(spec: mujoco.MjSpec, solver: SolverOptions) -> None:
    option = spec.option
    option.timestep = solver.timestep_s
    option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    option.solver = mujoco.mjtSolver.mjSOL_NEWTON
    cones = {"pyramidal": mujoco.mjtCone.mjCONE_PYRAMIDAL, "elliptic": mujoco.mjtCone.mjCONE_ELLIPTIC}
    option.cone = cones[solver.cone]
    option.impratio = solver.impratio
    option.iterations = solver.iterations
    option.ls_iterations = solver.ls_iterations
    spec.memory = _ARENA_BYTES


def _add_surroundings(spec: mujoco.MjSpec) -> None:
    """Floor, sky and light."""
    spec.add_texture(
        name="sky", type=mujoco.mjtTexture.mjTEXTURE_SKYBOX, builtin=mujoco.mjtBuiltin.mjBUILTIN_GRADIENT,
        rgb1=[0.74, 0.81, 0.88], rgb2=[0.96, 0.97, 0.98], width=256, height=256,
    )  # fmt: skip
    spec.add_texture(
        name="tiles", type=mujoco.mjtTexture.mjTEXTURE_2D, builtin=mujoco.mjtBuiltin.mjBUILTIN_CHECKER,
        rgb1=[0.80, 0.82, 0.84], rgb2=[0.74, 0.76, 0.79], mark=mujoco.mjtMark.mjMARK_EDGE, markrgb=[0.66, 0.68, 0.71],
        width=512, height=512,
    )  # fmt: skip
    tiles = spec.add_material(
        name=FLOOR, texrepeat=[2, 2], texuniform=True, reflectance=0.0, specular=0.1, shininess=0.1
    )
    tiles.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = "tiles"
    spec.worldbody.add_geom(
        name=FLOOR, type=mujoco.mjtGeom.mjGEOM_PLANE, size=[0, 0, 0.05], material=FLOOR, priority=_FIXED_PRIORITY,
        friction=[FLOOR_FRICTION, _TORSIONAL_M, _ROLLING_M], condim=3,
    )  # fmt: skip
    spec.worldbody.add_light(
        name="sun", type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL, pos=[0.7, -1.0, 4.0], dir=[-0.1, 0.25, -1.0],
        diffuse=[0.55, 0.54, 0.52], specular=[0.15, 0.15, 0.15], castshadow=True,
    )  # fmt: skip
    spec.visual.headlight.ambient = [0.42, 0.42, 0.43]
    spec.visual.headlight.diffuse = [0.32, 0.32, 0.32]
    spec.visual.headlight.specular = [0.05, 0.05, 0.05]
    spec.visual.quality.shadowsize = 2048
    spec.visual.global_.offwidth, spec.visual.global_.offheight = 1920, 1080
    spec.visual.map.znear, spec.visual.map.zfar = 0.02, 40.0
    spec.visual.rgba.haze = [0.93, 0.95, 0.97, 1.0]


def _add_box(spec: mujoco.MjSpec, item: BoxObject) -> None:
    body = spec.worldbody.add_body(name=item.name, pos=item.pos)
    geom = body.add_geom(
        name=item.name, type=mujoco.mjtGeom.mjGEOM_BOX, size=[0.5 * edge for edge in item.size], rgba=item.rgba,
        friction=[item.friction, _TORSIONAL_M, _ROLLING_M], priority=_FIXED_PRIORITY,
    )  # fmt: skip
    if not item.fixed:
        body.add_freejoint(name=f"{item.name}_free")
        geom.mass = item.mass
        geom.priority = _FREE_PRIORITY
        # torsional friction stands for the width of a palm: point contacts alone let a squeezed box spin
        geom.condim = 4
