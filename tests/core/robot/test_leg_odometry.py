"""Leg odometry against the simulator's truth."""

import torch

from core.backends.initial import default_initial_state
from core.backends.mujoco import MujocoBackend
from core.control.whole_body import WholeBodyController
from core.robot.leg_odometry import LegOdometry
from core.t1.kinematics import frames_b
from core.t1.model import DEFAULT_JOINT_POS
from core.tasks.scene import Scene
from core.types import CONTROL_PERIOD_S, Command

VELOCITIES = torch.tensor([[0.0, 0.0, 0.0], [0.2, 0.0, 0.0], [0.0, 0.15, 0.0], [0.2, 0.0, 0.3]])
TICKS, SETTLE = 250, 50


def test_that_the_base_is_followed_while_it_walks() -> None:
    worlds = len(VELOCITIES)
    scene = Scene("walk", contacts="locomotion")
    backend = MujocoBackend(scene, worlds, 1)
    backend.reset(torch.arange(worlds), default_initial_state(scene, worlds))
    state = backend.read_state()
    controller = WholeBodyController.load_default(worlds)
    controller.reset(torch.arange(worlds), state)
    hands = frames_b(torch.tensor(DEFAULT_JOINT_POS, dtype=torch.float32).repeat(worlds, 1))
    command = Command(VELOCITIES, hands.hand_pos, hands.hand_quat, torch.zeros(worlds, 2))
    odometry = LegOdometry()
    odometry.reset(state.base_pos_w[:, :2])

    errors = []
    for tick in range(TICKS):
        backend.step(controller.act(state, command))
        state = backend.read_state()
        base, _ = odometry.update(
            state.joint_pos, state.joint_vel, state.base_quat_w, state.base_ang_vel_b, CONTROL_PERIOD_S
        )
        if tick >= SETTLE:
            errors.append(base.lin_vel_b - state.base_lin_vel_b)
    backend.close()

    rms = torch.stack(errors).square().mean(dim=0).sqrt()
    assert float(rms[:, :2].max()) < 0.04
    assert float((base.pos_w - state.base_pos_w)[:, :2].norm(dim=-1).max()) < 0.05
    assert float((base.pos_w - state.base_pos_w)[:, 2].abs().max()) < 0.01
    assert float((base.stance.sum(dim=-1) - 1).abs().max()) < 1e-5
