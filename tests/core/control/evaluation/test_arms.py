"""The measurements of arm controllers, on controllers whose answer is known."""

import pytest
import torch

from core.backends.mujoco import default_initial_state
from core.control.evaluation import arms as upper_evaluation
from core.control.evaluation.arms import TrackingCondition, UpperEvaluationConfig
from core.control.ik_arms import IkArmController
from core.control.training.grasp_scripts import grasp_scene, sample_scripts
from core.control.training.motion_configs import GraspConfig
from core.control.upper import DEFAULT_ARM_POS
from core.rigid import quat_from_rotvec, quat_rotate_inv

SMALL = UpperEvaluationConfig(tracking_worlds=4, tracking_s=5.0, blocked_worlds=4, grasp_episodes=6, threads=1)


class Limp:
    """Targets that never change: the ready pose."""

    def reset(self, worlds: torch.Tensor) -> None:
        """Nothing to forget."""

    def act(self, state, hand_pos_b, hand_quat_b) -> torch.Tensor:
        return upper_evaluation.join_arms(DEFAULT_ARM_POS.repeat(2 * state.num_worlds, 1))


def test_that_known_weight_is_carried_and_unknown_weight_is_seen():
    arms = IkArmController(gravity_compensation=True)
    nominal = upper_evaluation.tracking_errors(arms, TrackingCondition(), SMALL, seed=7)
    assert nominal["hold_cm_median"] < 0.2
    assert nominal["hold_cm_median"] <= nominal["hold_cm_p95"]
    loaded = upper_evaluation.tracking_errors(arms, TrackingCondition(payload_kg=(1.0, 1.0)), SMALL, seed=7)
    assert loaded["hold_cm_median"] > 1.0
    idle = upper_evaluation.tracking_errors(Limp(), TrackingCondition(), SMALL, seed=7)
    assert idle["hold_cm_median"] > 5.0


def test_that_a_spring_presses_harder_the_deeper_it_is_commanded():
    shallow, deep = (
        upper_evaluation.blocked_force(IkArmController(gravity_compensation=True), depth, SMALL, seed=7)
        for depth in (0.02, 0.05)
    )
    assert 5.0 < shallow["force_n_median"] < 20.0
    assert deep["force_n_median"] > 1.8 * shallow["force_n_median"]


@pytest.mark.slow
def test_that_boxes_are_lifted_by_squeezing_and_not_by_standing_by():
    lifted = upper_evaluation.grasp_success(IkArmController(gravity_compensation=True), 0.045, SMALL, seed=7)
    assert lifted["success"] >= 3
    assert lifted["low"] <= lifted["success"] / lifted["episodes"] <= lifted["high"]
    assert upper_evaluation.grasp_success(Limp(), 0.045, SMALL, seed=7)["success"] == 0


def test_that_a_tilted_view_keeps_the_hands_in_the_base():
    scripts = sample_scripts(3, GraspConfig(), torch.Generator().manual_seed(0))
    initial, _ = scripts.initial()
    assert initial.joint_pos.shape == default_initial_state(grasp_scene(), 3).joint_pos.shape
    rig = upper_evaluation._FixedBase(grasp_scene(), 3, Limp(), False, 0, 1)
    state = rig.backend.read_state().clone()
    orientation = quat_from_rotvec(torch.tensor([[0.1, -0.2, 0.0]]).repeat(3, 1))
    seen = upper_evaluation.tilted(state, orientation)
    rig.backend.close()
    before = state.hand_pos_w - state.base_pos_w[:, None]
    after = quat_rotate_inv(orientation[:, None], seen.hand_pos_w - seen.base_pos_w[:, None])
    torch.testing.assert_close(after, before, atol=1e-6, rtol=0)


@pytest.mark.slow
def test_that_touching_without_pressing_lifts_nothing():
    result = upper_evaluation.grasp_success(IkArmController(gravity_compensation=True), 0.0, SMALL, seed=7)
    assert result["success"] <= 1
