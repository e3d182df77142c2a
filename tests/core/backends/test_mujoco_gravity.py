"""Gravity that is set while the simulation runs."""

import torch

from core.backends.mujoco import MujocoBackend
from core.t1.model import DEFAULT_JOINT_POS, LEFT_ARM
from core.tasks.scene import Scene
from core.types import JointTarget, gripper_open


def _held_torque(gravity: torch.Tensor) -> torch.Tensor:
    """(2, 7) Nm of the left arm after a second of holding the default pose, in worlds with different gravity."""
    backend = MujocoBackend(Scene("fixed", robot="fixed_base", contacts="locomotion"), 2, 1)
    backend.set_gravity(gravity)
    position = torch.tensor(DEFAULT_JOINT_POS, dtype=torch.float32).repeat(2, 1)
    for _ in range(50):
        backend.step(JointTarget(position, gripper_open(2), torch.zeros(2, dtype=torch.bool)))
    torque = backend.read_state().joint_torque[:, LEFT_ARM].clone()
    backend.close()
    return torque


def test_that_each_world_feels_the_gravity_it_is_given():
    torque = _held_torque(torch.tensor([[0.0, 0.0, -9.81], [0.0, 0.0, 0.0]]))
    assert float(torque[0].abs().max()) > 2.0
    assert float(torque[1].abs().max()) < 0.05
