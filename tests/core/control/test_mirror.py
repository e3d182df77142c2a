"""Mirroring observations: twice is nothing, and it agrees with mirroring the robot itself."""

import torch

from core.control import lower
from core.control.footsteps import LEFT, RIGHT, FootstepCommand
from core.control.leg_chain import swap_legs
from core.control.mirror import Mirror, Part
from core.control.training import lower_teacher
from core.control.training.lower_bank import kinematic_state
from core.control.training.lower_training import CRITIC_PARTS
from core.rigid import quat_from_rotvec
from core.t1.model import DEFAULT_JOINT_POS, LEGS
from core.types import WorldState


def test_that_mirroring_twice_changes_nothing():
    for parts in (lower.PARTS, lower_teacher.PARTS, CRITIC_PARTS):
        mirror = Mirror(parts)
        x = torch.randn(4, sum(part.size for part in parts))
        every = torch.ones(4, dtype=torch.bool)
        torch.testing.assert_close(mirror(mirror(x, every), every), x)
        torch.testing.assert_close(mirror(x, ~every), x)


def test_that_vectors_flip_y_and_axial_vectors_flip_x_and_z():
    mirror = Mirror((Part("v", 3, "vector"), Part("w", 3, "axial"), Part("p", 4, "pose"), Part("f", 6, "feet")))
    x = torch.arange(1.0, 17.0)[None]
    mirrored = mirror(x, torch.ones(1, dtype=torch.bool))[0].tolist()
    assert mirrored == [1, -2, 3, -4, 5, -6, 7, -8, 9, -10, 14, -15, 16, 11, -12, 13]


def random_state(n: int) -> WorldState:
    """A robot in odd postures, by forward kinematics."""
    generator = torch.Generator().manual_seed(0)
    q = torch.tensor(DEFAULT_JOINT_POS, dtype=torch.float32).repeat(n, 1)
    q[:, LEGS] += 0.2 * torch.randn(n, 12, generator=generator)
    quat = quat_from_rotvec(0.3 * torch.randn(n, 3, generator=generator))
    state = kinematic_state(torch.randn(n, 3, generator=generator), quat, q)
    state.joint_vel = torch.randn(n, 29, generator=generator)
    state.base_ang_vel_b = torch.randn(n, 3, generator=generator)
    return state


def mirrored_state(state: WorldState) -> WorldState:
    """The same robot seen in the plane y = 0."""
    flip, spin = torch.tensor([1.0, -1.0, 1.0]), torch.tensor([-1.0, 1.0, -1.0])
    q, qd = state.joint_pos.clone(), state.joint_vel.clone()
    q[:, LEGS], qd[:, LEGS] = swap_legs(q[:, LEGS]), swap_legs(qd[:, LEGS])
    quat = state.base_quat_w * torch.tensor([1.0, -1.0, 1.0, -1.0])
    mirrored = kinematic_state(state.base_pos_w * flip, quat, q)
    mirrored.joint_vel, mirrored.base_ang_vel_b = qd, state.base_ang_vel_b * spin
    return mirrored


def step(side: int, y: float, yaw: float, n: int) -> FootstepCommand:
    """A step in mid swing."""
    return FootstepCommand(
        swing=torch.full((n,), side),
        countdown_s=torch.full((n,), 0.2),
        target_stance=torch.tensor([[0.1, y, 0.0, yaw]]).repeat(n, 1),
        planned_w=torch.zeros(n, 4, 4),
        planned_side=torch.zeros(n, 4, dtype=torch.long),
        new_step=torch.zeros(n, dtype=torch.bool),
    )


def test_that_left_and_right_steps_look_the_same_to_the_network():
    state, action = random_state(6), torch.randn(6, 12)
    here = lower.observation(state, step(LEFT, 0.2, 0.1, 6), action, 0.36)
    there = lower.observation(mirrored_state(state), step(RIGHT, -0.2, -0.1, 6), swap_legs(action), 0.36)
    torch.testing.assert_close(here, there, atol=1e-5, rtol=0)


def test_that_the_teacher_sees_mirrored_feet_the_same_way():
    state, mirrored = random_state(6), mirrored_state(random_state(6))
    here = lower_teacher.swing_in_stance(state, step(LEFT, 0.2, 0.1, 6))
    there = lower_teacher.swing_in_stance(mirrored, step(RIGHT, -0.2, -0.1, 6))
    torch.testing.assert_close(here * torch.tensor([1.0, -1.0, 1.0, -1.0]), there, atol=2e-3, rtol=0)
