"""Measures an arm controller on a fixed base: tracking, force of blocked hands, squeeze and lift."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from core.backends.base import Physics
from core.backends.mujoco import MujocoBackend, default_initial_state
from core.control.arm_chain import join_arms
from core.control.training.arm_bank import build_bank
from core.control.training.grasp_scripts import BOX, GraspScripts, grasp_scene, sample_scripts
from core.control.training.hand_commands import FreeCommands
from core.control.training.motion_configs import CommandConfig, DisturbanceConfig, GraspConfig
from core.control.training.upper_disturbances import BaseMotion
from core.control.training.upper_episodes import randomise_actuation
from core.control.upper import ArmController, arms_of, hand_sides
from core.rigid import quat_mul, quat_rotate, rotation_error
from core.statistics import wilson_interval
from core.t1.model import ARMS, DEFAULT_JOINT_POS
from core.tasks.scene import Scene
from core.tasks.terms import hands_hold_box, upright_cosine
from core.types import CONTROL_PERIOD_S, JointTarget, WorldState, gripper_open

HELD_OUT_SEED = 1000
"""Bank and episodes of evaluations; trainings use other seeds."""
SETTLED_S = 0.6
"""A command that has not moved for this long is being held."""


@dataclass(frozen=True)
class UpperEvaluationConfig:
    """How much is measured."""

    tracking_worlds: int = 64
    "robots per tracking condition"
    tracking_s: float = 20.0
    "seconds per robot and condition"
    grasp_episodes: int = 96
    "squeeze-and-lift episodes per depth"
    grasp_depths_m: tuple[float, ...] = (0.015, 0.025, 0.035, 0.045, 0.06)
    "squeeze depths"
    blocked_depths_m: tuple[float, ...] = (0.02, 0.04, 0.08, 0.12)
    "commands inside an immovable box"
    blocked_worlds: int = 48
    "robots per blocked depth"
    threads: int = 0
    "simulator threads, 0: all cores"


@dataclass(frozen=True)
class TrackingCondition:
    """What the arms are put through while they track."""

    moving_base: bool = False
    "sway, acceleration and tilt of a walking robot; otherwise level and still"
    payload_kg: tuple[float, float] = (0.0, 0.0)
    "range of the mass in each hand"
    actuation: bool = False
    "randomise stiffness and damping"
    workspace_only: bool = False
    "commands only where boxes are; otherwise a third of them is anywhere in joint space"


CONDITIONS = {
    "nominal": TrackingCondition(),
    "workspace": TrackingCondition(workspace_only=True, payload_kg=(0.0, 1.0), actuation=True),
    "payload_1kg": TrackingCondition(payload_kg=(1.0, 1.0)),
    "randomised": TrackingCondition(payload_kg=(0.0, 1.0), actuation=True),
    "moving_base": TrackingCondition(moving_base=True, payload_kg=(0.0, 1.0), actuation=True),
}


def evaluate_upper(
    make: Callable[[], ArmController], config: UpperEvaluationConfig | None = None, seed: int = HELD_OUT_SEED
) -> dict[str, Any]:
    """All measurements of an arm controller, as plain numbers (cm, deg, N, rates with Wilson intervals)."""
    c = config or UpperEvaluationConfig()
    return {
        "tracking": {name: tracking_errors(make(), condition, c, seed) for name, condition in CONDITIONS.items()},
        "blocked": [blocked_force(make(), depth, c, seed) for depth in c.blocked_depths_m],
        "grasp": [grasp_success(make(), depth, c, seed) for depth in c.grasp_depths_m],
        "grasp_moving_base": [grasp_success(make(), depth, c, seed, moving=True) for depth in c.grasp_depths_m],
    }


def tilted(state: WorldState, orientation: Float[Tensor, "N 4"]) -> WorldState:
    """The same robot as seen when its base were turned: what sensors would tell of the imitated base motion."""
    hands = quat_rotate(orientation[:, None], state.hand_pos_w - state.base_pos_w[:, None])
    return replace(
        state,
        base_quat_w=orientation,
        hand_pos_w=state.base_pos_w[:, None] + hands,
        hand_quat_w=quat_mul(orientation[:, None].expand(-1, 2, -1), state.hand_quat_w),
    )


class _FixedBase:
    """A controller, a backend and a base motion, stepped together."""

    def __init__(
        self, scene: Scene, worlds: int, controller: ArmController, moving: bool, seed: int, threads: int
    ) -> None:
        self.generator = torch.Generator().manual_seed(seed)
        self.backend = MujocoBackend(scene, worlds, threads)
        self.controller = controller
        still = DisturbanceConfig(still_share=0.0 if moving else 1.0, tilt_std_rad=0.06 if moving else 0.0)
        self.motion = BaseMotion(worlds, still, self.generator)
        self.worlds = torch.arange(worlds)

    def start(self, initial, physics: Physics) -> None:  # noqa: ANN001
        self.backend.reset(self.worlds, initial, physics)
        self.motion.reset(self.worlds)
        self.controller.reset(self.worlds)

    def step(self, pos: Float[Tensor, "M 3"], quat: Float[Tensor, "M 4"]) -> WorldState:
        """One control period with left-canonical command rows."""
        _, felt = self.motion.advance()
        self.backend.set_gravity(felt)
        seen = tilted(self.backend.read_state(), self.motion.orientation)
        n = len(self.worlds)
        position = torch.tensor(DEFAULT_JOINT_POS, dtype=torch.float32).repeat(n, 1)
        position[:, ARMS] = self.controller.act(seen, *hand_sides(pos, quat))
        self.backend.step(JointTarget(position, gripper_open(n), torch.zeros(n, dtype=torch.bool)))
        return self.backend.read_state()


def tracking_errors(
    controller: ArmController, condition: TrackingCondition, c: UpperEvaluationConfig, seed: int
) -> dict[str, float]:
    """Errors of hands whose command is held, and of hands whose command moves."""
    n = c.tracking_worlds
    scene = Scene("fixed_base_free", robot="fixed_base", contacts="locomotion")
    rig = _FixedBase(scene, n, controller, condition.moving_base, seed, c.threads)
    near = 1.0 if condition.workspace_only else 0.6
    motions = CommandConfig(hold_s=(1.0, 2.0), workspace_share=1.0 if condition.workspace_only else 0.65)
    commands = FreeCommands(build_bank(1000, near, seed), n, motions, rig.generator)
    initial = default_initial_state(scene, n)
    initial.joint_pos[:, ARMS] = join_arms(commands.reset(rig.worlds).reshape(-1, 7))
    rig.start(initial, _physics(n, condition, rig.generator))
    errors, kinds = [], []
    previous, unmoved = torch.zeros(2 * n, 7), torch.zeros(2 * n)
    for step in range(round(c.tracking_s / CONTROL_PERIOD_S)):
        pos, quat = commands.advance()
        state = rig.step(pos, quat)
        command = torch.cat((pos, quat), dim=-1)
        unmoved = torch.where((command - previous).abs().amax(dim=-1) < 1e-5, unmoved + CONTROL_PERIOD_S, 0.0)
        previous = command
        if step * CONTROL_PERIOD_S > 1.0:
            arms = arms_of(state)
            rotation = rotation_error(arms.hand_quat_b, quat).norm(dim=-1)
            errors.append(torch.stack(((pos - arms.hand_pos_b).norm(dim=-1), rotation), dim=-1))
            kinds.append(unmoved)
    rig.backend.close()
    error, still = torch.cat(errors), torch.cat(kinds)
    return _summary(error[still >= SETTLED_S], "hold") | _summary(error[still < 0.15], "moving")


def _physics(n: int, condition: TrackingCondition, generator: torch.Generator) -> Physics:
    physics = Physics.nominal(n)
    if condition.actuation:
        randomise_actuation(physics, DisturbanceConfig(), generator)
    low, high = condition.payload_kg
    physics.payload_kg = low + (high - low) * torch.rand(n, 2, generator=generator)
    return physics


def _summary(error: Float[Tensor, "M 2"], name: str) -> dict[str, float]:
    """Median and 95th percentile of position (cm) and rotation (deg)."""
    # torch.quantile refuses more than 16 million values; a stride keeps it far below
    error = error[:: max(1, len(error) // 1_000_000)]
    cm, deg = 100 * error[:, 0], torch.rad2deg(error[:, 1])
    return {
        f"{name}_cm_median": float(cm.median()),
        f"{name}_cm_p95": float(cm.quantile(0.95)),
        f"{name}_deg_median": float(deg.median()),
        f"{name}_deg_p95": float(deg.quantile(0.95)),
    }


def _scripts(count: int, depth: float, generator: torch.Generator, heavy: float) -> GraspScripts:
    ranges = GraspConfig(squeeze_depth_m=(depth, depth), heavy_share=heavy, deep_share=0.0)
    return sample_scripts(count, ranges, generator)


def blocked_force(controller: ArmController, depth: float, c: UpperEvaluationConfig, seed: int) -> dict[str, float]:
    """Force of palms commanded `depth` inside an immovable box, in the third second of pressing."""
    generator = torch.Generator().manual_seed(seed)
    scripts = _scripts(c.blocked_worlds, depth, generator, heavy=1.0)
    rig = _FixedBase(grasp_scene(), c.blocked_worlds, controller, False, seed, c.threads)
    initial, physics = scripts.initial()
    physics.object_mass[BOX] = torch.full((c.blocked_worlds,), 200.0)
    rig.start(initial, physics)
    forces = []
    for step in range(round(5.0 / CONTROL_PERIOD_S)):
        time = torch.full((c.blocked_worlds,), step * CONTROL_PERIOD_S)
        # hold the closed hands: no lift
        pos, quat = scripts.hands(torch.minimum(time, scripts.times_s[:, 3]))
        state = rig.step(pos, quat)
        if step * CONTROL_PERIOD_S > 4.0:
            forces.append(state.hand_force_w.clone())
    rig.backend.close()
    normal = torch.stack(forces)[..., 1].abs()  # (T, N, 2)
    return {
        "depth_m": depth,
        "force_n_median": float(normal.mean(dim=0).median()),
        "force_n_p95": float(normal.mean(dim=0).quantile(0.95)),
        "ripple_n_median": float(normal.std(dim=0).median()),
    }


def grasp_success(
    controller: ArmController, depth: float, c: UpperEvaluationConfig, seed: int, moving: bool = False
) -> dict[str, Any]:
    """Share of boxes that are up, upright and between the palms at the end of the scripted lift and carry."""
    n = c.grasp_episodes
    generator = torch.Generator().manual_seed(seed)
    scripts = _scripts(n, depth, generator, heavy=0.0)
    rig = _FixedBase(grasp_scene(), n, controller, moving, seed, c.threads)
    initial, physics = scripts.initial()
    rig.start(initial, physics)
    held = torch.zeros(n, dtype=torch.bool)
    last = scripts.times_s[:, -1]
    for step in range(int(float(last.max()) / CONTROL_PERIOD_S) + 1):
        time = torch.full((n,), step * CONTROL_PERIOD_S)
        state = rig.step(*scripts.hands(time))
        held = torch.where(time <= last, is_lifted(state, scripts), held)
    rig.backend.close()
    rate = wilson_interval(int(held.sum()), n)
    return {"depth_m": depth, "episodes": n, "success": rate.successes, "low": rate.low, "high": rate.high}


def is_lifted(state: WorldState, scripts: GraspScripts) -> Bool[Tensor, "E"]:
    """Box where the palms took it (slip below 3 cm), off the table, upright within 26 degrees, a palm at each side."""
    box = state.objects[BOX]
    grip = scripts.centre[:, 0, 2] - scripts.box_pos_b[:, 2]
    slip = state.hand_pos_w[..., 2].mean(dim=1) - box.pos_w[:, 2] - grip
    off_table = box.pos_w[:, 2] - state.base_pos_w[:, 2] > scripts.box_pos_b[:, 2] + 0.01
    upright = upright_cosine(box.quat_w) > 0.9
    return (slip.abs() < 0.03) & off_table & upright & hands_hold_box(state, box, scripts.box_size, 0.05)
