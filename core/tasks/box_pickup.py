"""Task 1 of the paper (B77): walk to a table, squeeze a box between the palms, lift it and hold it."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from core.backends.base import InitialState, Physics
from core.draws import uniform
from core.rigid import quat_from_yaw
from core.t1 import model
from core.tasks import terms
from core.tasks.base import Handling, ObservationTerm, TaskParameters, TaskStatus
from core.tasks.box_pickup_scene import BOX, PEDESTAL, TABLE, BoxPickupRanges, BoxPickupSettings, build_scene
from core.tasks.scene import Scene
from core.tasks.start_draws import draw_starts
from core.tasks.starts import StartRanges
from core.types import BodyState, WorldState, gripper_open

REASONS = ("running", "success", "robot fell", "box dropped", "time limit")
RUNNING, SUCCESS, FELL, DROPPED, TIMED_OUT = range(5)

REACH_M = 0.10
"""Palms this near the box are at it."""
LIFTED_M = 0.02
"""A box between the palms whose centre is this far above its rest has left the table."""

OBSERVATION_TERMS = (
    ObservationTerm("hand_pos_b", 6, "m", "left and right hand frames in the base frame"),
    ObservationTerm("hand_rot_b", 12, "1", "their rotations: two matrix columns each"),
    ObservationTerm("foot_pos_b", 6, "m", "left and right soles in the base frame"),
    ObservationTerm("foot_rot_b", 12, "1", "their rotations: two matrix columns each"),
    ObservationTerm("gripper_opening", 2, "m", "left and right grippers, measured"),
    ObservationTerm("box_pos_b", 3, "m", "centre of the box in the base frame"),
    ObservationTerm("box_rot_b", 6, "1", "rotation of the box: two matrix columns"),
    ObservationTerm("box_size", 3, "m", "edge lengths of the box: depth, width between the palms, height"),
)


class BoxPickup:
    """Box pick-up in N worlds."""

    name = "box_pickup"
    title = "Pick up a box"
    observation_terms = OBSERVATION_TERMS

    def __init__(
        self, num_worlds: int, settings: BoxPickupSettings | None = None, starts: StartRanges | None = None
    ) -> None:
        self.num_worlds = num_worlds
        self.settings = settings or BoxPickupSettings()
        self.starts = starts or StartRanges()
        self.time_limit_s = self.settings.verdict.time_limit_s
        geometry = self.settings.geometry
        self.parameters: TaskParameters = {
            "box_size": torch.tensor(geometry.box_size_m).repeat(num_worlds, 1),
            "table_top": torch.full((num_worlds, 1), geometry.table_top_m),
        }
        self._outcome = torch.full((num_worlds,), RUNNING)
        self._held_since_s = torch.full((num_worlds,), torch.inf)

    def scene(self) -> Scene:
        """Floor, robot, table, box."""
        return build_scene(self.settings.geometry)

    def sample_initial(self, count: int, generator: torch.Generator) -> tuple[InitialState, Physics, TaskParameters]:
        """Random box, table height and robot start."""
        ranges = self.settings.ranges
        size = torch.stack(
            [uniform(r, (count,), generator) for r in (ranges.box_depth_m, ranges.box_width_m, ranges.box_height_m)], -1
        )
        table_top = uniform(ranges.table_top_m, (count,), generator)
        box, box_yaw = self._sample_box(size, table_top, generator)
        base_xy, base_yaw = draw_starts(self.starts, box.pos_w[:, :2], box_yaw, generator)
        initial = _robot_start(base_xy, base_yaw, ranges, generator)
        initial.objects[BOX] = box
        physics = self._sample_physics(size, table_top, generator)
        return initial, physics, {"box_size": size, "table_top": table_top[:, None]}

    def _sample_box(
        self, size: Float[Tensor, "M 3"], table_top: Float[Tensor, "M"], generator: torch.Generator
    ) -> tuple[BodyState, Float[Tensor, "M"]]:
        ranges, middle = self.settings.ranges, self.settings.geometry.box_xy_m
        count = len(size)
        x = middle[0] + uniform(ranges.box_shift_x_m, (count,), generator)
        y = middle[1] + uniform(ranges.box_shift_y_m, (count,), generator)
        yaw = uniform(ranges.box_yaw_rad, (count,), generator)
        pos = torch.stack((x, y, table_top + 0.5 * size[:, 2]), dim=-1)
        zero = torch.zeros(count, 3)
        return BodyState(pos, quat_from_yaw(yaw), zero, zero.clone()), yaw

    def _sample_physics(
        self, size: Float[Tensor, "M 3"], table_top: Float[Tensor, "M"], generator: torch.Generator
    ) -> Physics:
        ranges, geometry = self.settings.ranges, self.settings.geometry
        count = len(size)
        physics = Physics.nominal(count)
        physics.floor_friction = uniform(ranges.floor_friction, (count,), generator)
        physics.object_mass[BOX] = uniform(ranges.box_mass_kg, (count,), generator)
        physics.object_friction[BOX] = uniform(ranges.box_friction, (count,), generator)
        physics.object_size[BOX] = size
        drop = table_top - geometry.table_top_m
        for item in self.scene().objects:
            if item.name in (TABLE, PEDESTAL):
                pos = torch.tensor(item.pos).repeat(count, 1)
                pos[:, 2] += drop
                physics.fixed_object_pos[item.name] = pos
        return physics

    def reset(self, worlds: Int[Tensor, "M"], parameters: TaskParameters) -> None:
        """Start new episodes in some worlds."""
        for name, values in parameters.items():
            self.parameters[name][worlds] = values
        self._outcome[worlds] = RUNNING
        self._held_since_s[worlds] = torch.inf

    def observation(self, state: WorldState) -> dict[str, Tensor]:
        """The planner's view: what joint encoders and motion capture give on the robot, in the base frame."""
        box = state.objects[BOX]
        return {
            "hand_pos_b": terms.positions_b(state, state.hand_pos_w),
            "hand_rot_b": terms.rotations_b(state, state.hand_quat_w),
            "foot_pos_b": terms.positions_b(state, state.foot_pos_w),
            "foot_rot_b": terms.rotations_b(state, state.foot_quat_w),
            "gripper_opening": state.gripper_opening.clone(),
            "box_pos_b": terms.positions_b(state, box.pos_w[:, None]),
            "box_rot_b": terms.rotations_b(state, box.quat_w[:, None]),
            "box_size": self.parameters["box_size"].clone(),
        }

    def update(self, state: WorldState) -> TaskStatus:
        """Latch success after an unbroken hold, failure on a fall, a lost box or the time limit."""
        verdict = self.settings.verdict
        held = self.is_held(state)
        self._held_since_s = torch.where(held, torch.minimum(self._held_since_s, state.time_s), torch.inf)
        # a little slack: the time is a sum of control periods in single precision
        held_long = state.time_s - self._held_since_s >= verdict.hold_time_s - 1e-4
        outcome = torch.full_like(self._outcome, RUNNING)
        outcome[state.time_s >= self.time_limit_s - 1e-4] = TIMED_OUT
        outcome[held_long] = SUCCESS
        outcome[self._is_dropped(state)] = DROPPED
        outcome[self._is_fallen(state)] = FELL
        self._outcome = torch.where(self._outcome == RUNNING, outcome, self._outcome)
        success = self._outcome == SUCCESS
        return TaskStatus(success, (self._outcome != RUNNING) & ~success, self._outcome.clone(), REASONS)

    def handling(self, state: WorldState) -> Int[Tensor, "N"]:
        """Palms at the box; box between them and off the table."""
        verdict, box, size = self.settings.verdict, state.objects[BOX], self.parameters["box_size"]
        rest = self.parameters["table_top"][:, 0] + 0.5 * size[:, 2]
        lifted = terms.height_gain(box, rest) >= LIFTED_M
        held = lifted & terms.hands_hold_box(state, box, size, verdict.hand_tolerance_m)
        reached = held | terms.hands_near_box(state, box, size, REACH_M)
        return torch.where(held, int(Handling.HELD), torch.where(reached, int(Handling.REACHED), int(Handling.AWAY)))

    def is_held(self, state: WorldState) -> Bool[Tensor, "N"]:
        """Box lifted and upright, a palm at each side of it, robot standing: success when it lasts."""
        verdict, box, size = self.settings.verdict, state.objects[BOX], self.parameters["box_size"]
        rest = self.parameters["table_top"][:, 0] + 0.5 * size[:, 2]
        return (
            (terms.height_gain(box, rest) >= verdict.lift_height_m)
            & (terms.upright_cosine(box.quat_w) >= verdict.box_upright_cosine)
            & terms.hands_hold_box(state, box, size, verdict.hand_tolerance_m)
            & terms.is_standing(state, verdict.standing_height_m, verdict.standing_cosine)
        )

    def _is_dropped(self, state: WorldState) -> Bool[Tensor, "N"]:
        below = self.parameters["table_top"][:, 0] - state.objects[BOX].pos_w[:, 2]
        return below > self.settings.verdict.dropped_below_m

    def _is_fallen(self, state: WorldState) -> Bool[Tensor, "N"]:
        verdict = self.settings.verdict
        return ~terms.is_standing(state, verdict.fallen_height_m, verdict.fallen_cosine)


def _robot_start(
    base_xy: Float[Tensor, "M 2"], base_yaw: Float[Tensor, "M"], ranges: BoxPickupRanges, generator: torch.Generator
) -> InitialState:
    """Standing still in the default pose with a little joint noise, grippers open."""
    count = len(base_yaw)
    noise = torch.full((model.NUM_JOINTS,), ranges.leg_joint_noise_rad)
    noise[torch.as_tensor([*model.HEAD, *model.ARMS])] = ranges.arm_joint_noise_rad
    spread = uniform((-1.0, 1.0), (count, model.NUM_JOINTS), generator) * noise
    joint_pos = torch.as_tensor(model.DEFAULT_JOINT_POS, dtype=torch.float32) + spread
    limits = [torch.as_tensor(x, dtype=torch.float32) for x in (model.LOWER_LIMIT, model.UPPER_LIMIT)]
    height = torch.full((count, 1), model.DEFAULT_BASE_HEIGHT_M)
    return InitialState(
        base_pos_w=torch.cat((base_xy, height), dim=-1),
        base_quat_w=quat_from_yaw(base_yaw),
        joint_pos=joint_pos.clamp(*limits),
        joint_vel=torch.zeros(count, model.NUM_JOINTS),
        base_lin_vel_b=torch.zeros(count, 3),
        base_ang_vel_b=torch.zeros(count, 3),
        gripper_opening=gripper_open(count),
    )
