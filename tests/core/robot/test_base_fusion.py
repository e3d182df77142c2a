"""The base by motion capture, leg odometry and IMU: against the simulator's truth, and by hand-made cases."""

import math

import numpy as np
import pytest
import torch

from core.backends.initial import default_initial_state
from core.backends.mujoco import MujocoBackend
from core.control.whole_body import WholeBodyController
from core.mocap.track import Sample
from core.mocap.turns import as_quaternion, as_vector
from core.rigid import quat_rotate, yaw_of
from core.robot.base_fusion import BaseFusion
from core.robot.leg_odometry import LegOdometry
from core.t1.kinematics import frames_b
from core.t1.model import DEFAULT_JOINT_POS
from core.tasks.scene import Scene
from core.types import CONTROL_PERIOD_S, Command

UPRIGHT = (1.0, 0.0, 0.0, 0.0)
SLIDE = 1.1
"""Leg odometry that believes in 10 % more way than there was: sliding feet."""


def test_that_a_walking_base_is_known_to_millimetres_in_spite_of_noise_delay_and_sliding_feet() -> None:
    scene, count = Scene("walk", contacts="locomotion"), 1
    backend = MujocoBackend(scene, count, 1)
    backend.reset(torch.arange(count), default_initial_state(scene, count))
    state = backend.read_state()
    controller = WholeBodyController.load_default(count, "ik_arms")
    controller.reset(torch.arange(count), state)
    hands = frames_b(torch.tensor(DEFAULT_JOINT_POS, dtype=torch.float32)[None])
    command = Command(torch.tensor([[0.2, 0.0, 0.2]]), hands.hand_pos, hands.hand_quat, torch.zeros(count, 2))
    legs, fusion, random = LegOdometry(), BaseFusion(), np.random.default_rng(0)
    legs.reset(state.base_pos_w[:, :2])
    waiting: list[Sample] = []
    errors: dict[str, list[np.ndarray]] = {"pos": [], "fused": [], "legs": []}

    for tick in range(300):
        backend.step(controller.act(state, command))
        state = backend.read_state()
        now_s = CONTROL_PERIOD_S * (tick + 1)
        base, _ = legs.update(
            state.joint_pos, state.joint_vel, state.base_quat_w, state.base_ang_vel_b, CONTROL_PERIOD_S
        )
        believed_w = SLIDE * quat_rotate(state.base_quat_w, base.lin_vel_b)[0].numpy()
        fusion.predict(now_s, as_vector(believed_w), float(yaw_of(state.base_quat_w)) - 0.3)
        seen = state.base_pos_w[0].numpy() + 0.003 * random.standard_normal(3)
        waiting.append(Sample(now_s, as_vector(seen), as_quaternion(state.base_quat_w[0].numpy())))
        if len(waiting) > 1:  # 20 ms late
            fusion.correct(waiting.pop(0))
        if tick > 100:
            true_w = quat_rotate(state.base_quat_w, state.base_lin_vel_b)[0].numpy()
            errors["pos"].append(np.subtract(fusion.pos_w, state.base_pos_w[0].numpy()))
            errors["fused"].append((believed_w + fusion.velocity_error_w - true_w)[:2])
            errors["legs"].append((believed_w - true_w)[:2])
    backend.close()
    rms = {name: float(np.sqrt(np.mean(np.square(values)))) for name, values in errors.items()}

    assert rms["pos"] < 0.003, "below the noise of one sample"
    assert rms["fused"] < rms["legs"]
    assert rms["fused"] < 0.03
    assert fusion.yaw_offset == pytest.approx(0.3, abs=0.01)


def test_that_a_late_sample_is_compared_with_the_past() -> None:
    fusion = BaseFusion()
    for tick in range(51):
        fusion.predict(0.02 * tick, (1.0, 0.0, 0.0), 0.0)
    fusion.correct(Sample(0.9, (0.9, 0.0, 0.0), UPRIGHT))
    before = fusion.pos_w
    fusion.correct(Sample(0.95, (0.95, 0.0, 0.0), UPRIGHT))

    assert before[0] == pytest.approx(1.0, abs=0.021)
    assert fusion.pos_w == pytest.approx(before, abs=1e-9), "what was predicted then was right"


def test_that_a_constant_error_of_the_velocity_is_found() -> None:
    fusion = BaseFusion()
    for tick in range(300):
        time_s = 0.02 * tick
        fusion.predict(time_s, (0.2, 0.0, 0.0), 0.0)
        fusion.correct(Sample(time_s, (0.15 * time_s, 0.0, 0.0), UPRIGHT))

    assert fusion.velocity_error_w[0] == pytest.approx(-0.05, abs=0.002)
    assert fusion.pos_w[0] == pytest.approx(0.15 * 299 * 0.02, abs=0.002)


def test_that_a_robot_that_was_moved_is_where_it_is_seen() -> None:
    fusion = BaseFusion()
    fusion.predict(0.0, (0.0, 0.0, 0.0), 0.0)
    fusion.predict(0.02, (0.0, 0.0, 0.0), 0.0)
    fusion.correct(Sample(0.01, (3.0, 1.0, 0.6), (math.cos(0.5), 0.0, 0.0, math.sin(0.5))))

    assert fusion.pos_w == pytest.approx((3.0, 1.0, 0.6))
    assert fusion.yaw_offset == pytest.approx(1.0)
    fusion.correct(Sample(0.02, (5.0, 1.0, 0.6), (math.cos(0.5), 0.0, 0.0, math.sin(0.5))))
    assert fusion.pos_w == pytest.approx((5.0, 1.0, 0.6))


def test_that_samples_from_before_the_first_prediction_are_left_out() -> None:
    fusion = BaseFusion()
    fusion.correct(Sample(0.0, (1.0, 0.0, 0.0), UPRIGHT))
    fusion.predict(1.0, (0.0, 0.0, 0.0), 0.0)
    fusion.correct(Sample(0.5, (1.0, 0.0, 0.0), UPRIGHT))
    assert fusion.pos_w == (0.0, 0.0, 0.0)
