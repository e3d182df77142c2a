import dataclasses
import math

import pytest
import torch

from core.rigid import quat_from_rotvec, quat_from_yaw, quat_mul, quat_rotate, wrap_angle, yaw_of
from core.t1.model import PALM_FACE_OFFSET_M
from core.tasks.base import Handling, observation_size, observation_vector
from core.tasks.box_pickup import BoxPickup
from core.tasks.box_pickup_scene import BoxPickupSettings
from core.tasks.catalogue import check_task_name, make_task
from core.tasks.randomised import DomainRanges, RandomisedTask
from core.tasks.starts import StartRanges
from core.types import BodyState, WorldState


def holding_state(n: int, time_s: float = 0.0, lift: float = 0.10) -> WorldState:
    """A robot that stands at the table and holds the nominal box between its palms."""
    geometry = BoxPickupSettings().geometry
    _, width, height = geometry.box_size_m
    box_pos = torch.tensor([*geometry.box_xy_m, geometry.table_top_m + 0.5 * height + lift])
    reach = 0.5 * width + PALM_FACE_OFFSET_M
    side = torch.tensor([[0.0, reach, 0.0], [0.0, -reach, 0.0]])
    unit = torch.tensor([1.0, 0.0, 0.0, 0.0])
    base = torch.tensor([box_pos[0] - 0.42, 0.0, 0.66])
    feet = torch.tensor([[base[0], 0.1, 0.0], [base[0], -0.1, 0.0]])
    return WorldState(
        time_s=torch.full((n,), time_s),
        base_pos_w=base.repeat(n, 1),
        base_quat_w=unit.repeat(n, 1),
        base_lin_vel_b=torch.zeros(n, 3),
        base_ang_vel_b=torch.zeros(n, 3),
        joint_pos=torch.zeros(n, 29),
        joint_vel=torch.zeros(n, 29),
        joint_torque=torch.zeros(n, 29),
        gripper_opening=torch.zeros(n, 2),
        hand_pos_w=(box_pos + side).repeat(n, 1, 1),
        hand_quat_w=unit.repeat(n, 2, 1),
        foot_pos_w=feet.repeat(n, 1, 1),
        foot_quat_w=unit.repeat(n, 2, 1),
        foot_force_w=torch.zeros(n, 2, 3),
        hand_force_w=torch.zeros(n, 2, 3),
        objects={"box": BodyState(box_pos.repeat(n, 1), unit.repeat(n, 1), torch.zeros(n, 3), torch.zeros(n, 3))},
    )


def at_time(state: WorldState, time_s: float) -> WorldState:
    return dataclasses.replace(state, time_s=torch.full_like(state.time_s, time_s))


def moved(state: WorldState, yaw: float, shift: torch.Tensor) -> WorldState:
    """The whole world turned about the vertical and shifted."""
    n = state.num_worlds
    turn = quat_from_yaw(torch.full((n,), yaw))

    def pos(p: torch.Tensor) -> torch.Tensor:
        return quat_rotate(turn.reshape(n, *[1] * (p.ndim - 2), 4), p) + shift

    def quat(q: torch.Tensor) -> torch.Tensor:
        return quat_mul(turn.reshape(n, *[1] * (q.ndim - 2), 4), q)

    box = state.objects["box"]
    return dataclasses.replace(
        state,
        base_pos_w=pos(state.base_pos_w),
        base_quat_w=quat(state.base_quat_w),
        hand_pos_w=pos(state.hand_pos_w),
        hand_quat_w=quat(state.hand_quat_w),
        foot_pos_w=pos(state.foot_pos_w),
        foot_quat_w=quat(state.foot_quat_w),
        objects={"box": dataclasses.replace(box, pos_w=pos(box.pos_w), quat_w=quat(box.quat_w))},
    )


def random_state(n: int) -> WorldState:
    state = holding_state(n)
    g = torch.Generator().manual_seed(3)

    def noisy(x: torch.Tensor, scale: float) -> torch.Tensor:
        return x + scale * torch.randn(x.shape, generator=g)

    def turned(q: torch.Tensor) -> torch.Tensor:
        return quat_mul(quat_from_rotvec(0.5 * torch.randn(*q.shape[:-1], 3, generator=g)), q)

    box = state.objects["box"]
    return dataclasses.replace(
        state,
        base_pos_w=noisy(state.base_pos_w, 0.1),
        base_quat_w=turned(state.base_quat_w),
        hand_pos_w=noisy(state.hand_pos_w, 0.1),
        hand_quat_w=turned(state.hand_quat_w),
        foot_pos_w=noisy(state.foot_pos_w, 0.1),
        foot_quat_w=turned(state.foot_quat_w),
        gripper_opening=torch.rand(n, 2, generator=g),
        objects={"box": dataclasses.replace(box, pos_w=noisy(box.pos_w, 0.1), quat_w=turned(box.quat_w))},
    )


def test_that_holding_the_lifted_box_succeeds_only_after_the_hold_time():
    task = BoxPickup(2)
    state = holding_state(2)

    early = task.update(at_time(state, 3.0))
    almost = task.update(at_time(state, 3.9))
    late = task.update(at_time(state, 4.0))

    assert early.reason == almost.reason == ["running", "running"]
    assert late.success.all()
    assert not late.failed.any()
    assert late.reward.tolist() == [1.0, 1.0]


def test_that_a_break_restarts_the_hold_time():
    task = BoxPickup(1)
    state = holding_state(1)

    task.update(at_time(state, 3.0))
    task.update(at_time(holding_state(1, lift=0.02), 3.5))
    task.update(at_time(state, 3.6))
    before = task.update(at_time(state, 4.5))
    after = task.update(at_time(state, 4.6))

    assert not before.success.any()
    assert after.success.all()


def box_on_table(state: WorldState) -> WorldState:
    box = state.objects["box"]
    low = box.pos_w - torch.tensor([0.0, 0.0, 0.06])
    return dataclasses.replace(state, objects={"box": dataclasses.replace(box, pos_w=low)})


def box_tilted(state: WorldState) -> WorldState:
    box = state.objects["box"]
    tilt = quat_from_rotvec(torch.tensor([0.0, 0.6, 0.0])).repeat(state.num_worlds, 1)
    return dataclasses.replace(state, objects={"box": dataclasses.replace(box, quat_w=tilt)})


def hand_off_the_box(state: WorldState) -> WorldState:
    hands = state.hand_pos_w.clone()
    hands[:, 0, 1] += 0.08
    return dataclasses.replace(state, hand_pos_w=hands)


def both_hands_at_one_side(state: WorldState) -> WorldState:
    hands = state.hand_pos_w.clone()
    hands[:, 1] = hands[:, 0]
    return dataclasses.replace(state, hand_pos_w=hands)


def robot_crouched(state: WorldState) -> WorldState:
    return dataclasses.replace(state, base_pos_w=state.base_pos_w - torch.tensor([0.0, 0.0, 0.18]))


def robot_leaning(state: WorldState) -> WorldState:
    lean = quat_from_rotvec(torch.tensor([0.0, 0.6, 0.0])).repeat(state.num_worlds, 1)
    return dataclasses.replace(state, base_quat_w=lean)


@pytest.mark.parametrize(
    "spoil", [box_on_table, box_tilted, hand_off_the_box, both_hands_at_one_side, robot_crouched, robot_leaning]
)
def test_that_each_condition_of_success_is_needed(spoil):
    task = BoxPickup(1)
    assert task.is_held(holding_state(1)).all()

    assert not task.is_held(spoil(holding_state(1))).any()


def test_that_a_fall_a_drop_and_the_time_limit_fail_with_their_reasons():
    task = BoxPickup(4)
    state = holding_state(4)
    state.base_pos_w[0, 2] = 0.3
    state.objects["box"].pos_w[1, 2] = 0.12
    state.objects["box"].pos_w[2, 2] -= 0.1

    status = task.update(at_time(state, task.time_limit_s - 1.0))
    end = task.update(at_time(state, task.time_limit_s))

    assert status.reason == ["robot fell", "box dropped", "running", "running"]
    assert end.reason == ["robot fell", "box dropped", "time limit", "success"]
    assert end.failed.tolist() == [True, True, True, False]
    assert end.done.all()


def test_that_a_verdict_stays_until_the_reset_of_its_world():
    task = BoxPickup(2)
    fallen = holding_state(2)
    fallen.base_pos_w[:, 2] = 0.3
    task.update(fallen)

    task.reset(torch.tensor([1]), {"box_size": torch.tensor([[0.2, 0.3, 0.2]]), "table_top": torch.tensor([[0.5]])})
    status = task.update(holding_state(2))

    assert status.reason == ["robot fell", "running"]
    assert task.parameters["box_size"][1].tolist() == pytest.approx([0.2, 0.3, 0.2])


def test_that_the_observation_has_the_announced_names_and_sizes():
    task = BoxPickup(3)

    observation = task.observation(random_state(3))

    assert [(k, v.shape[1]) for k, v in observation.items()] == [(t.name, t.size) for t in task.observation_terms]
    assert observation_vector(observation).shape == (3, observation_size(task.observation_terms)) == (3, 50)


def test_that_moving_the_whole_world_leaves_the_observation_unchanged():
    task = BoxPickup(5)
    state = random_state(5)

    here = observation_vector(task.observation(state))
    there = observation_vector(task.observation(moved(state, 2.3, torch.tensor([4.0, -7.0, 0.3]))))

    torch.testing.assert_close(here, there, atol=2e-6, rtol=1e-5)


def test_that_the_observation_of_a_known_state_is_the_hand_computed_one():
    task = BoxPickup(1)
    state = holding_state(1)
    state.base_quat_w = quat_from_yaw(torch.tensor([math.pi / 2]))

    observation = task.observation(state)

    # the box is 0.42 m ahead in the world, the base looks to +y: the box is to its right
    height = float(state.objects["box"].pos_w[0, 2]) - 0.66
    torch.testing.assert_close(observation["box_pos_b"], torch.tensor([[0.0, -0.42, height]]), atol=1e-6, rtol=0)
    torch.testing.assert_close(
        observation["box_rot_b"], torch.tensor([[0.0, -1.0, 0.0, 1.0, 0.0, 0.0]]), atol=1e-6, rtol=0
    )


def test_that_starts_stay_in_their_ranges_and_repeat_with_the_seed():
    task = BoxPickup(1)
    ranges, starts = task.settings.ranges, task.starts

    initial, physics, parameters = task.sample_initial(400, torch.Generator().manual_seed(5))
    again, _, _ = task.sample_initial(400, torch.Generator().manual_seed(5))
    other, _, _ = task.sample_initial(400, torch.Generator().manual_seed(6))

    torch.testing.assert_close(initial.base_pos_w, again.base_pos_w, atol=0, rtol=0)
    torch.testing.assert_close(initial.joint_pos, again.joint_pos, atol=0, rtol=0)
    assert not torch.equal(initial.base_pos_w, other.base_pos_w)
    box = initial.objects["box"]
    size, top = parameters["box_size"], parameters["table_top"][:, 0]
    for values, (low, high) in [
        (size[:, 0], ranges.box_depth_m),
        (size[:, 1], ranges.box_width_m),
        (size[:, 2], ranges.box_height_m),
        (physics.object_mass["box"], ranges.box_mass_kg),
        (physics.object_friction["box"], ranges.box_friction),
        (top, ranges.table_top_m),
    ]:
        assert low <= values.min() < low + 0.1 * (high - low)
        assert high >= values.max() > high - 0.1 * (high - low)
    torch.testing.assert_close(box.pos_w[:, 2], top + 0.5 * size[:, 2])
    torch.testing.assert_close(physics.object_size["box"], size)
    offset = initial.base_pos_w[:, :2] - box.pos_w[:, :2]
    assert (offset.norm(dim=-1) >= starts.radial_m[0] - 1e-5).all()
    assert (offset.norm(dim=-1) <= starts.radial_m[1] + 1e-5).all()
    facing = torch.atan2(-offset[:, 1], -offset[:, 0])
    heading = wrap_angle(yaw_of(initial.base_quat_w) - facing)
    assert heading.abs().max() <= starts.heading_rad[1] + 1e-5
    polar = wrap_angle(facing - yaw_of(box.quat_w))
    assert 0.5 < polar.abs().max() <= starts.polar_rad[1] + 1e-5


def test_that_the_box_starts_well_on_the_table_and_at_most_a_corner_stands_over_its_edge():
    task = BoxPickup(1)
    geometry = task.settings.geometry

    initial, physics, parameters = task.sample_initial(300, torch.Generator().manual_seed(1))

    box, size = initial.objects["box"], parameters["box_size"]
    reach = 0.5 * (size[:, 0] + size[:, 1] * yaw_of(box.quat_w).abs())
    near_edge = geometry.box_xy_m[0] - geometry.edge_to_box_m
    assert (box.pos_w[:, 0] - reach >= near_edge - 0.07).all()
    assert (box.pos_w[:, 0] >= near_edge + 0.4 * size[:, 0]).all()
    table_top = physics.fixed_object_pos["table"][:, 2] + 0.5 * geometry.table_thickness_m
    torch.testing.assert_close(table_top, parameters["table_top"][:, 0])


def test_that_the_curriculum_widens_the_start_ranges_to_the_papers_factors():
    ranges = StartRanges()

    full = ranges.scaled(1.0)
    half = ranges.scaled(0.5)

    def width(r: tuple[float, float]) -> float:
        return r[1] - r[0]

    assert ranges.scaled(0.0) == ranges
    assert width(full.radial_m) == pytest.approx(3.2 * width(ranges.radial_m))
    assert width(full.polar_rad) == pytest.approx(1.25 * width(ranges.polar_rad))
    assert width(full.heading_rad) == pytest.approx(6.0 * width(ranges.heading_rad))
    assert width(half.heading_rad) == pytest.approx(3.5 * width(ranges.heading_rad))
    assert sum(full.radial_m) == pytest.approx(sum(ranges.radial_m))


def test_that_impossible_ranges_are_refused():
    with pytest.raises(ValueError, match="radial_m must begin"):
        StartRanges(radial_m=(0.2, 1.0))
    with pytest.raises(ValueError, match="fraction"):
        StartRanges().scaled(-0.1)


def test_that_the_catalogue_makes_tasks_and_names_them_when_one_is_unknown():
    assert make_task("box_pickup", 2).num_worlds == 2
    with pytest.raises(ValueError, match="known: box_pickup"):
        check_task_name("juggling")


def test_that_the_task_tells_how_far_the_robot_is_with_the_box():
    task = BoxPickup(5)
    state = holding_state(5)
    state.hand_pos_w[1, 0, 1] += 0.06  # palms 6 cm off the faces:
    state.hand_pos_w[1, 1, 1] -= 0.06  # further than a hold, near enough to grasp
    state.hand_pos_w[2, 0, 1] += 0.3  # one hand is elsewhere
    state.objects["box"].pos_w[3, 2] -= 0.10  # still on the table,
    state.hand_pos_w[3, :, 2] -= 0.10  # between the palms
    state.hand_pos_w[4, :, 1] *= -1.0  # crossed hands are at opposite faces too

    assert task.handling(state).tolist() == [Handling.HELD, Handling.REACHED, Handling.AWAY, Handling.REACHED, 2]
    assert RandomisedTask(task, DomainRanges()).handling(state).tolist() == task.handling(state).tolist()


def test_that_a_task_that_says_nothing_about_handling_is_unknown():
    class Silent(BoxPickup):
        handling = None

    silent = RandomisedTask(Silent(2), DomainRanges())
    assert silent.handling(holding_state(2)).tolist() == [Handling.UNKNOWN] * 2
