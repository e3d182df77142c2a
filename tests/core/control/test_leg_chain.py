"""Legs as chains: against the whole-body kinematics, finite differences, mirror symmetry, inverse kinematics."""

import torch

from core.control.leg_chain import (
    DEFAULT,
    LOWER,
    UPPER,
    forward_kinematics,
    join_legs,
    split_legs,
    step_towards,
    swap_legs,
)
from core.rigid import matrix_from_quat
from core.t1.kinematics import frames_b
from core.t1.model import DEFAULT_JOINT_POS, LEGS


def random_legs(n: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return LOWER + (UPPER - LOWER) * torch.rand(n, 6, generator=generator)


def test_that_both_soles_are_where_the_whole_body_kinematics_has_them():
    q = torch.tensor(DEFAULT_JOINT_POS, dtype=torch.float32).repeat(20, 1)
    rows = torch.cat((random_legs(20), random_legs(20, seed=1)))
    q[:, LEGS] = join_legs(rows)
    frames = frames_b(q)
    sole = forward_kinematics(rows)
    left, right = sole.pos.chunk(2)
    torch.testing.assert_close(left, frames.foot_pos[:, 0], atol=1e-5, rtol=0)
    # the vendor's right ankle lies 0.25 mm the other way, as its mirror image does
    torch.testing.assert_close(right * torch.tensor([1.0, -1.0, 1.0]), frames.foot_pos[:, 1], atol=1e-5, rtol=0)
    torch.testing.assert_close(sole.matrix[:20], matrix_from_quat(frames.foot_quat[:, 0]), atol=1e-5, rtol=0)


def test_that_the_jacobian_is_the_derivative_of_the_sole():
    q = random_legs(8).double()
    sole = forward_kinematics(q)
    jacobian = sole.jacobian(sole.pos)
    for j in range(6):
        step = torch.zeros(6, dtype=torch.float64)
        step[j] = 1e-6
        slope = (forward_kinematics(q + step).pos - forward_kinematics(q - step).pos) / 2e-6
        torch.testing.assert_close(jacobian[:, :, j], slope, atol=1e-6, rtol=0)


def test_that_splitting_and_joining_legs_are_inverse_and_swapping_twice_changes_nothing():
    legs = torch.randn(5, 12)
    torch.testing.assert_close(join_legs(split_legs(legs)), legs)
    torch.testing.assert_close(swap_legs(swap_legs(legs)), legs)
    rows = split_legs(legs)
    swapped = split_legs(swap_legs(legs))
    torch.testing.assert_close(swapped, torch.cat((rows[5:], rows[:5])))


def test_that_repeated_steps_reach_a_sole_pose():
    goal = DEFAULT + 0.2 * torch.randn(16, 6, generator=torch.Generator().manual_seed(2))
    goal = goal.clamp(LOWER + 0.1, UPPER - 0.1)
    target = forward_kinematics(goal)
    q = DEFAULT.repeat(16, 1)
    for _ in range(30):
        q, _ = step_towards(q, target.pos, target.matrix)
    reached = forward_kinematics(q)
    assert float((reached.pos - target.pos).norm(dim=-1).max()) < 1e-3
    assert float((reached.matrix - target.matrix).abs().max()) < 1e-2
