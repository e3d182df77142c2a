"""Random squeeze-and-lift episodes on a fixed base: what hands are commanded around a box on a table."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from core.backends.base import InitialState, Physics
from core.control.arm_chain import LOWER, UPPER, inverse_kinematics
from core.control.training.motion_configs import GraspConfig
from core.control.upper import DEFAULT_ARM_POS, hand_rows
from core.draws import uniform
from core.ranges import Range
from core.rigid import quat_from_rotvec, quat_from_yaw, quat_mul, quat_rotate
from core.t1.mjcf import FIXED_BASE_HEIGHT_M
from core.t1.model import PALM_FACE_OFFSET_M
from core.tasks.scene import BoxObject, Scene
from core.types import CONTROL_PERIOD_S, BodyState

BOX, TABLE = "box", "table"
TABLE_SIZE_M = (0.40, 0.90, 0.04)
TABLE_AHEAD_OF_BOX_M = 0.03
"""The box stands 17 cm behind the table's near edge, as in the pick-up task."""
NUM_POINTS = 8
"""Way points of a script: start, settled, closed, squeezed, lifted, held, carried, end."""


def grasp_scene() -> Scene:
    """Fixed-base robot, table, box; sizes and places are set for each world."""
    table = (0.43, 0.0, FIXED_BASE_HEIGHT_M - 0.15 - 0.5 * TABLE_SIZE_M[2])
    box = (0.40, 0.0, FIXED_BASE_HEIGHT_M - 0.15 + 0.11)
    objects = (BoxObject(TABLE, TABLE_SIZE_M, table, fixed=True), BoxObject(BOX, (0.22, 0.30, 0.22), box, mass=0.75))
    return Scene("fixed_base_grasp", objects, robot="fixed_base", contacts="manipulation")


@dataclass
class GraspScripts:
    """E episodes: the box, the way points of both hands, and where the arms start."""

    box_pos_b: Float[Tensor, "E 3"]
    box_size: Float[Tensor, "E 3"]
    box_mass: Float[Tensor, "E"]
    box_friction: Float[Tensor, "E"]
    depth: Float[Tensor, "E"]
    "mean squeeze depth, m"
    times_s: Float[Tensor, "E 8"]
    centre: Float[Tensor, "E 8 3"]
    "middle between the hands (with their offset to the box), base axes"
    half_distance: Float[Tensor, "E 8 2"]
    "hand frames' distance from it along y; left, right"
    yaw: Float[Tensor, "E 8"]
    hand_quat: Float[Tensor, "E 2 4"]
    "rotation of each hand at yaw 0"
    joint_pos: Float[Tensor, "E 2 7"]
    "left-canonical start"

    def __len__(self) -> int:
        return len(self.depth)

    def select(self, episodes: Int[Tensor, "M"]) -> "GraspScripts":
        """Some of the episodes."""
        return GraspScripts(**{name: value[episodes] for name, value in vars(self).items()})

    def hands(self, time_s: Float[Tensor, "E"]) -> tuple[Float[Tensor, "M 3"], Float[Tensor, "M 4"]]:
        """Left-canonical command rows (2E) at a time of each episode."""
        last = NUM_POINTS - 2
        segment = ((time_s[:, None] >= self.times_s).sum(dim=1) - 1).clamp(0, last)
        start, end = (_at(self.times_s, segment + i) for i in (0, 1))
        share = ((time_s - start) / (end - start).clamp_min(1e-6)).clamp(0.0, 1.0)
        return self._pose(segment, share)

    def _pose(self, segment: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
        def between(values: Tensor) -> Tensor:
            a, b = _at(values, segment), _at(values, segment + 1)
            return a + share.reshape(-1, *[1] * (a.ndim - 1)) * (b - a)

        centre, half, yaw = between(self.centre), between(self.half_distance), between(self.yaw)
        turn = quat_from_yaw(yaw)[:, None].expand(-1, 2, -1)
        side = torch.stack((half[:, 0], -half[:, 1]), dim=1)
        offset = torch.nn.functional.pad(side[..., None], (1, 1))  # (E, 2, 3): along y
        pos = centre[:, None] + quat_rotate(turn, offset)
        return hand_rows(pos, quat_mul(turn, self.hand_quat))

    def initial(self) -> tuple[InitialState, Physics]:
        """Start of each episode: arms beside the box, box on the table; nothing else randomised."""
        from core.backends.mujoco import default_initial_state
        from core.control.arm_chain import join_arms
        from core.t1.model import ARMS

        m = len(self)
        initial = default_initial_state(grasp_scene(), m)
        initial.joint_pos[:, ARMS] = join_arms(self.joint_pos.reshape(-1, 7))
        pos_w = self.box_pos_b + torch.tensor([0.0, 0.0, FIXED_BASE_HEIGHT_M])
        still = torch.zeros(m, 3)
        initial.objects[BOX] = BodyState(pos_w, torch.tensor([[1.0, 0, 0, 0]]).repeat(m, 1), still, still.clone())
        physics = Physics.nominal(m)
        physics.object_size[BOX] = self.box_size
        physics.object_mass[BOX] = self.box_mass
        physics.object_friction[BOX] = self.box_friction
        table = pos_w.clone()
        table[:, 0] += TABLE_AHEAD_OF_BOX_M
        table[:, 1] = 0.0
        table[:, 2] -= 0.5 * self.box_size[:, 2] + 0.5 * TABLE_SIZE_M[2]
        physics.fixed_object_pos[TABLE] = table
        return initial, physics


def _at(values: Tensor, index: Tensor) -> Tensor:
    return values[torch.arange(len(values)), index]


def sample_scripts(count: int, config: GraspConfig, generator: torch.Generator) -> GraspScripts:
    """Random episodes whose key poses IK reaches. The same generator state gives the same episodes."""
    parts: list[GraspScripts] = []
    while sum(map(len, parts)) < count:
        candidates = _candidates(count, config, generator)
        q, reached = _solve(candidates, generator)
        parts.append(replace(candidates, joint_pos=q).select(reached.nonzero().squeeze(1)))
    whole = {name: torch.cat([getattr(part, name) for part in parts]) for name in vars(parts[0])}
    return GraspScripts(**whole).select(torch.arange(count))


def _candidates(n: int, c: GraspConfig, g: torch.Generator) -> GraspScripts:
    def draw(value_range: Range) -> Tensor:
        return uniform(value_range, n, g)

    box = torch.stack((draw(c.box_x_m), draw(c.box_y_m), draw(c.box_z_m)), dim=-1)
    size = torch.stack((draw(c.box_depth_m), draw(c.box_width_m), draw(c.box_height_m)), dim=-1)
    heavy = torch.rand(n, generator=g) < c.heavy_share
    mass = torch.where(heavy, 30.0, draw(c.box_mass_kg))
    deep = torch.rand(n, generator=g) < c.deep_share
    depth = draw(c.squeeze_depth_m) * torch.where(deep, 2.0, 1.0)
    grip = torch.stack((draw(c.grip_x_m), torch.zeros(n), draw(c.grip_z_m)), dim=-1)
    lift = torch.stack((torch.zeros(n), torch.zeros(n), draw(c.lift_m)), dim=-1)
    carry = c.carry_m * (2 * torch.rand(n, 3, generator=g) - 1)
    carry[:, 2] = torch.maximum(carry[:, 2], 0.05 - lift[:, 2])  # never back onto the table
    centre = torch.stack([box + grip] * 4 + [box + grip + lift] * 2 + [box + grip + lift + carry] * 2, dim=1)
    yaw = torch.zeros(n, NUM_POINTS)
    yaw[:, 6:] = (c.carry_yaw_rad * (2 * torch.rand(n, generator=g) - 1))[:, None]

    touch = 0.5 * size[:, 1] + PALM_FACE_OFFSET_M
    gap = draw((0.03, 0.07))
    inside = depth[:, None] + c.depth_noise_m * torch.randn(n, 2, generator=g)
    half = (touch[:, None] - inside)[:, None].repeat(1, NUM_POINTS, 1)
    half[:, :2] = (touch + gap)[:, None, None]
    speed = draw(c.lift_speed_m_s)
    steps = torch.stack(
        (
            torch.full((n,), 0.3),
            (gap + depth) / draw(c.close_speed_m_s),
            draw((0.2, 0.8)),
            lift[:, 2] / speed,
            draw((0.2, 1.0)),
            carry.norm(dim=-1) / speed + 0.3,
            torch.full((n,), 2.0),
        ),
        dim=-1,
    )
    times = torch.cat((torch.zeros(n, 1), steps.cumsum(dim=-1)), dim=-1)
    tilt = c.hand_tilt_std_rad * torch.randn(n, 2, 3, generator=g)
    tilt[..., 1] += draw(c.fingers_down_rad)[:, None]
    return GraspScripts(
        box, size, mass, draw(c.box_friction), depth, times, centre, half, yaw, quat_from_rotvec(tilt),
        torch.zeros(n, 2, 7),
    )  # fmt: skip


def _solve(scripts: GraspScripts, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Start configuration of each episode, and whether every key pose is reachable."""
    n = len(scripts)
    start = (DEFAULT_ARM_POS + 0.1 * torch.randn(2 * n, 7, generator=generator)).clamp(LOWER, UPPER)
    reached = torch.ones(2 * n, dtype=torch.bool)
    first = start
    for point in (0, 2, 4, 6):
        pos, quat = scripts._pose(torch.full((n,), point), torch.zeros(n))
        start, pos_error, rot_error = inverse_kinematics(pos, quat, start, DEFAULT_ARM_POS, iterations=40)
        reached &= (pos_error < 0.004) & (rot_error < 0.04)
        first = start if point == 0 else first
    return first.reshape(n, 2, 7), reached.reshape(n, 2).all(dim=1)


def episode_time_s(steps: Int[Tensor, "M"]) -> Float[Tensor, "M"]:
    """Script time after some control periods."""
    return steps * CONTROL_PERIOD_S
