"""What a late answer does to the arms: between a robot and its computer there is always some delay."""

import numpy as np
import pytest
import torch

from core.backends.initial import default_initial_state
from core.backends.mujoco import MujocoBackend
from core.control.choices import ControllerName
from core.control.evaluation.late_arms import LateArms
from core.control.whole_body import WholeBodyController
from core.t1.kinematics import frames_b
from core.t1.model import ARMS, DEFAULT_JOINT_POS
from core.tasks.scene import Scene
from core.types import CONTROL_PERIOD_S, Command
from trainer.session.parts import load_controller


def swing_of_arms(name: ControllerName, backend: str, late: float, ticks: int = 200) -> float:
    """Largest peak-to-peak angle of an arm joint while the robot stands with held hands, rad.

    late: of the arms' targets, in control periods.
    """
    scene = Scene("stand")
    simulator = MujocoBackend(scene, 1, 1)
    simulator.reset(torch.tensor([0]), default_initial_state(scene, 1))
    state = simulator.read_state()
    controller = load_controller(name, backend, 1)
    assert isinstance(controller, WholeBodyController)
    controller.upper = LateArms(controller.upper, late * CONTROL_PERIOD_S)
    controller.reset(torch.tensor([0]), state)
    hands = frames_b(torch.tensor(DEFAULT_JOINT_POS, dtype=torch.float32)[None])
    command = Command(torch.zeros(1, 3), hands.hand_pos, hands.hand_quat, torch.zeros(1, 2))
    angles = []
    for _ in range(ticks):
        simulator.step(controller.act(state, command))
        state = simulator.read_state()
        angles.append(state.joint_pos[0, ARMS].numpy().copy())
    simulator.close()
    return float(np.ptp(angles[ticks // 2 :], axis=0).max())


@pytest.mark.parametrize("name", ["learned", "ik_arms"])
@pytest.mark.parametrize("late", [0.0, 0.5, 1.0, 1.5])
def test_that_the_arms_of_a_robot_stay_quiet_with_up_to_30_ms_of_delay(name: ControllerName, late: float) -> None:
    assert swing_of_arms(name, "t1", late) < 0.15


def test_that_the_arms_of_the_simulator_are_not_for_a_robot() -> None:
    assert swing_of_arms("learned", "mujoco", late=0.0) < 0.15
    assert swing_of_arms("learned", "mujoco", late=1.0) > 1.0
