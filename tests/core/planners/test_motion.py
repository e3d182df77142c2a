import pytest
import torch

from core.planners.motion import bounded, move_towards, slew, speed_towards, turn_towards
from core.rigid import quat_from_rotvec, rotation_error


def test_that_a_hand_moves_at_bounded_speed_and_arrives():
    pos, goal = torch.tensor([[0.0, 0.0, 0.0]]), torch.tensor([[0.3, -0.4, 0.0]])
    steps = []

    for _ in range(60):
        following = move_towards(pos, goal, torch.tensor([0.03]))
        steps.append(float((following - pos).norm()))
        pos = following

    assert max(steps) == pytest.approx(0.03)
    assert steps[0] == pytest.approx(0.03)
    torch.testing.assert_close(pos, goal, atol=1e-6, rtol=0)


def test_that_a_hand_slows_down_before_its_goal():
    pos, goal, step = torch.zeros(1, 3), torch.tensor([[0.04, 0.0, 0.0]]), torch.tensor([0.03])

    first = move_towards(pos, goal, step)
    second = move_towards(first, goal, step)

    assert first[0, 0] == pytest.approx(0.02)
    assert second[0, 0] == pytest.approx(0.03)


def test_that_a_hand_turns_at_bounded_rate_the_short_way_and_arrives():
    start = quat_from_rotvec(torch.tensor([[0.0, 0.0, 3.0]]))
    goal = quat_from_rotvec(torch.tensor([[0.0, 0.0, -3.0]]))
    quat, angles = start, []

    for _ in range(30):
        following = turn_towards(quat, goal, torch.tensor([0.1]))
        angles.append(float(rotation_error(quat, following).norm()))
        quat = following

    assert max(angles) == pytest.approx(0.1, abs=1e-4)
    assert sum(angles) == pytest.approx(2 * torch.pi - 6.0, abs=1e-3)
    assert rotation_error(quat, goal).norm() < 1e-4


def test_that_bounding_keeps_directions_and_short_vectors():
    vectors = torch.tensor([[3.0, 4.0, 0.0], [0.3, 0.4, 0.0], [0.0, 0.0, 0.0]])

    result = bounded(vectors, torch.tensor([1.0]))

    torch.testing.assert_close(result, torch.tensor([[0.6, 0.8, 0.0], [0.3, 0.4, 0.0], [0.0, 0.0, 0.0]]))


def test_that_walking_speed_is_proportional_bounded_and_zero_in_place():
    error = torch.tensor([1.0, -1.0, 0.2, 0.03, 0.01])

    speed = speed_towards(error, gain=0.8, low=0.04, high=torch.tensor(0.3), tolerance=0.02)

    torch.testing.assert_close(speed, torch.tensor([0.3, -0.3, 0.16, 0.04, 0.0]))


def test_that_slewing_changes_each_component_by_its_bound():
    result = slew(torch.zeros(1, 3), torch.tensor([[1.0, -0.02, 0.1]]), torch.tensor([0.05, 0.05, 0.15]))

    torch.testing.assert_close(result, torch.tensor([[0.05, -0.02, 0.1]]))
