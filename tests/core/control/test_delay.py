"""What a late answer does to the arms: between a robot and its computer there is always some delay."""

from dataclasses import replace

import numpy as np
import torch

from core.backends.initial import default_initial_state
from core.backends.mujoco import MujocoBackend
from core.rollout import Controller
from core.t1.kinematics import frames_b
from core.t1.model import ARMS, DEFAULT_JOINT_POS
from core.tasks.scene import Scene
from core.types import Command
from trainer.session.parts import load_controller


def swing_of_arms(controller: Controller, late: int, ticks: int = 200) -> float:
    """Largest peak-to-peak angle of an arm joint while the robot stands with held hands, rad."""
    scene = Scene("stand")
    backend = MujocoBackend(scene, 1, 1)
    backend.reset(torch.tensor([0]), default_initial_state(scene, 1))
    state = backend.read_state()
    controller.reset(torch.tensor([0]), state)
    hands = frames_b(torch.tensor(DEFAULT_JOINT_POS, dtype=torch.float32)[None])
    command = Command(torch.zeros(1, 3), hands.hand_pos, hands.hand_quat, torch.zeros(1, 2))
    targets, angles = [], []
    for tick in range(ticks):
        targets.append(controller.act(state, command))
        delayed = targets[-1].position.clone()
        delayed[:, ARMS] = targets[max(0, tick - late)].position[:, ARMS]
        backend.step(replace(targets[-1], position=delayed))
        state = backend.read_state()
        angles.append(state.joint_pos[0, ARMS].numpy().copy())
    backend.close()
    return float(np.ptp(angles[ticks // 2 :], axis=0).max())


def test_that_the_arms_of_a_robot_stay_quiet_with_two_periods_of_delay() -> None:
    controller = load_controller("learned", "t1", 1)
    assert swing_of_arms(controller, late=0) < 0.15
    assert swing_of_arms(controller, late=2) < 0.15
