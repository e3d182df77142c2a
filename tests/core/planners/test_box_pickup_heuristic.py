import pytest
import torch

from core.planners.base import SPEEDS
from core.planners.box_pickup import HOLD, OPEN, STAGES, BoxPickupHeuristic, BoxPickupPlannerConfig
from core.rigid import yaw_of
from core.tasks.box_pickup import BoxPickup


def run(world, planner, seconds, disturb=None):
    """Commands, and the set of stages each world went through."""
    commands, seen = [], [set() for _ in range(world.task.num_worlds)]
    status = world.task.update(world.state)
    for tick in range(round(seconds * 10)):
        commands.append(planner.act(world.state))
        world.step(commands[-1])
        if disturb is not None:
            disturb(tick, world)
        status = world.task.update(world.state)
        for stages, stage in zip(seen, planner.stage.tolist()):
            stages.add(stage)
        if status.done.all():
            break
    return commands, seen, status


@pytest.fixture
def scene(kinematic_world):
    def make(n=16, seed=0, **config):
        task = BoxPickup(n)
        task.time_limit_s = 60.0  # the tests end the episodes
        world = kinematic_world.start(task, seed)
        planner = BoxPickupHeuristic(task, BoxPickupPlannerConfig(**config), seed)
        planner.reset(torch.arange(n), world.state)
        return world, planner

    return make


def test_that_every_world_without_dynamics_succeeds_through_the_stages_in_order(scene):
    world, planner = scene(32)

    _, seen, status = run(world, planner, 35)

    assert status.success.all(), (status.reason, [STAGES[s] for s in planner.stage.tolist()])
    assert all(stages == set(range(HOLD + 1)) for stages in seen)
    assert (planner.attempts == 1).all()


def test_that_commands_keep_the_speed_limits(scene):
    limits = SPEEDS["hardware"]
    world, planner = scene(8, speeds=limits)

    commands, _, _ = run(world, planner, 30)

    velocity = torch.stack([c.base_velocity for c in commands])
    assert velocity[..., 0].max() <= limits.walk_m_s + 1e-6
    assert velocity[..., 0].max() > 0.7 * limits.walk_m_s
    assert velocity[..., :2].norm(dim=-1).max() <= limits.walk_m_s + 1e-6
    assert (velocity[1:] - velocity[:-1])[..., :2].abs().max() <= 0.1 * limits.walk_m_s2 + 1e-6
    assert velocity[..., 1].abs().max() <= limits.sidestep_m_s + 1e-6
    assert velocity[..., 2].abs().max() <= limits.turn_rad_s + 1e-6
    hands = torch.stack([c.hand_pos_b for c in commands])
    speed = (hands[1:] - hands[:-1]).norm(dim=-1) / 0.1
    assert 0.5 * limits.hand_m_s < speed.max() <= limits.hand_m_s + 1e-5


def test_that_it_follows_a_box_that_is_moved_while_it_walks(scene):
    world, planner = scene(8)

    def push(tick, world):
        if tick == 40:
            world.state.objects["box"].pos_w += torch.tensor([0.05, 0.12, 0.0])

    _, _, status = run(world, planner, 39, push)

    assert status.success.all(), status.reason


def test_that_a_box_that_slips_is_opened_and_gripped_again(scene):
    world, planner = scene(8)
    slippery, world.grip_m = world.grip_m.clone(), torch.full((8,), 0.5)

    def dry(tick, world):
        if tick == 220:
            world.grip_m = slippery

    _, seen, status = run(world, planner, 39, dry)

    assert all(OPEN in stages for stages in seen)
    assert (planner.attempts >= 2).all()
    assert status.success.all(), status.reason


def test_that_a_box_that_is_taken_away_from_between_the_palms_is_approached_again(scene):
    world, planner = scene(8)
    taken = torch.zeros(8, dtype=torch.bool)

    def take(tick, world):
        now = (planner.stage == STAGES.index("squeeze")) & ~taken
        world.state.objects["box"].pos_w[now] += torch.tensor([0.15, 0.10, 0.0])
        taken.logical_or_(now)

    _, _, status = run(world, planner, 39, take)

    assert taken.all()
    assert status.success.all(), (status.reason, [STAGES[s] for s in planner.stage.tolist()])


def test_that_episodes_differ_in_style_and_repeat_with_the_seed(scene):
    def paths(seed):
        world, planner = scene(4, seed=1)
        planner.seed(torch.arange(4), [seed + 10 * world for world in range(4)])
        planner.reset(torch.arange(4), world.state)
        return torch.stack([c.to_vector() for c in run(world, planner, 4)[0]])

    first, again, other = paths(0), paths(0), paths(1)

    torch.testing.assert_close(first, again, atol=0, rtol=0)
    assert (first - other).abs().amax(dim=(0, 2)).min() > 0.02


def test_that_a_reset_world_starts_over_and_the_others_go_on(scene):
    world, planner = scene(2)
    run(world, planner, 12)
    stage = planner.stage.clone()
    assert stage[0] > 0

    planner.reset(torch.tensor([0]), world.state)

    assert planner.stage.tolist() == [0, int(stage[1])]
    assert planner.attempts[0] == 0
    command = planner.act(world.state)
    assert command.base_velocity[0].norm() < 0.2


def test_that_it_turns_to_the_nearer_face_of_a_box_that_was_turned_round(scene):
    world, planner = scene(4)
    box = world.state.objects["box"]
    box.quat_w = torch.stack((-box.quat_w[:, 3], *box.quat_w[:, 1:3].T, box.quat_w[:, 0]), dim=-1)

    _, _, status = run(world, planner, 35)

    assert status.success.all(), status.reason
    assert (yaw_of(world.state.base_quat_w).abs() < 0.45).all()
