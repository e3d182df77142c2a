"""The shipped controllers together: a robot that is told to stand does not tremble."""

import torch

from core.backends.initial import default_initial_state
from core.backends.mujoco import MujocoBackend
from core.control.whole_body import WholeBodyController
from core.t1.kinematics import frames_b
from core.t1.model import DEFAULT_JOINT_POS
from core.tasks.scene import Scene
from core.types import Command

SETTLE_TICKS, TICKS = 200, 300
WORLDS = 4


def test_that_a_standing_robot_does_not_tremble() -> None:
    """Without the low-pass of pi_upper's targets the yaw rate is 0.57 rad/s rms: arms and base excite each other."""
    scene = Scene("standing", contacts="locomotion")
    backend = MujocoBackend(scene, WORLDS, 1)
    worlds = torch.arange(WORLDS)
    backend.reset(worlds, default_initial_state(scene, WORLDS))
    state = backend.read_state()
    controller = WholeBodyController.load_default(WORLDS)
    controller.reset(worlds, state)
    hands = frames_b(torch.tensor(DEFAULT_JOINT_POS, dtype=torch.float32).repeat(WORLDS, 1))
    command = Command(torch.zeros(WORLDS, 3), hands.hand_pos, hands.hand_quat, torch.zeros(WORLDS, 2))

    rates = []
    for tick in range(TICKS):
        backend.step(controller.act(state, command))
        state = backend.read_state()
        if tick >= SETTLE_TICKS:
            rates.append(state.base_ang_vel_b.clone())
    backend.close()

    assert float(torch.stack(rates).square().mean().sqrt()) < 0.05
