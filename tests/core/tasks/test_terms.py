import math

import pytest
import torch

from core.rigid import quat_from_rotvec, quat_from_yaw, quat_rotate, yaw_of
from core.tasks.starts import widened
from core.tasks.terms import rotate_2d, upright_cosine


def test_that_the_upright_cosine_is_that_of_the_tilt_whatever_the_heading():
    tilt = torch.tensor([0.0, 0.3, 1.2])
    axis = torch.stack((tilt, torch.zeros(3), torch.zeros(3)), dim=-1)
    quat = quat_from_rotvec(axis)

    torch.testing.assert_close(upright_cosine(quat), torch.cos(tilt))
    torch.testing.assert_close(upright_cosine(quat_from_yaw(torch.tensor([0.5, 2.0]))), torch.ones(2))


def test_that_plane_rotation_agrees_with_the_quaternion_of_the_same_yaw():
    angle, v = torch.tensor([0.7, -2.0]), torch.tensor([[1.0, 2.0], [-0.5, 0.3]])

    flat = torch.cat((v, torch.zeros(2, 1)), dim=-1)
    expected = quat_rotate(quat_from_yaw(angle), flat)[:, :2]

    torch.testing.assert_close(rotate_2d(v, angle), expected)
    torch.testing.assert_close(yaw_of(quat_from_yaw(angle)), angle)


def test_that_widening_keeps_the_centre():
    low, high = widened((1.2, 1.7), 3.2)

    assert high - low == pytest.approx(1.6)
    assert math.isclose(0.5 * (low + high), 1.45)
