"""Roll, pitch and yaw as IMUs report them."""

import math

import torch

from core.rigid import quat_from_rpy, quat_from_yaw, quat_rotate


def test_that_yaw_alone_is_a_turn_about_z() -> None:
    yaw = torch.linspace(-3.0, 3.0, 7)
    rpy = torch.stack((torch.zeros(7), torch.zeros(7), yaw), dim=-1)

    torch.testing.assert_close(quat_from_rpy(rpy), quat_from_yaw(yaw))


def test_that_roll_comes_first_and_yaw_last() -> None:
    """A nose that pitches down by 90 degrees points down, whatever the roll; the yaw turns what is left."""
    rpy = torch.tensor([[0.3, math.pi / 2, 0.0], [0.0, 0.0, math.pi / 2], [math.pi / 2, 0.0, 0.0]])

    nose = quat_rotate(quat_from_rpy(rpy), torch.tensor([[1.0, 0.0, 0.0]]).repeat(3, 1))
    left = quat_rotate(quat_from_rpy(rpy), torch.tensor([[0.0, 1.0, 0.0]]).repeat(3, 1))

    torch.testing.assert_close(
        nose, torch.tensor([[0.0, 0.0, -1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]), atol=1e-6, rtol=0
    )
    torch.testing.assert_close(left[2], torch.tensor([0.0, 0.0, 1.0]), atol=1e-6, rtol=0)
