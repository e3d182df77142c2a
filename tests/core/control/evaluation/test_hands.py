"""Hand errors of a standing robot: small with weight compensation, and nothing is counted as walking."""

import torch

from core.control.evaluation.hands import CommandedArms, evaluate_hands
from core.control.evaluation.model_based import ModelBasedController
from core.control.evaluation.walking import WalkEvaluationConfig
from core.control.ik_arms import IkArmController
from core.control.training.arm_motion import ArmMotion, collision_free_poses
from core.control.training.motion_configs import ArmMotionConfig, WalkCommandConfig
from core.t1.model import ARMS, LOWER_LIMIT, UPPER_LIMIT


def test_that_hands_of_a_standing_robot_are_told_from_those_of_a_walking_one():
    commands = WalkCommandConfig(max_forward=0.1, max_lateral=0.05, max_turn=0.1, stand_share=0.5)
    config = WalkEvaluationConfig(num_worlds=6, walking_s=8.0, payload_kg=0.0, commands=commands)
    hands, walk = evaluate_hands(ModelBasedController(6), IkArmController(gravity_compensation=True), config)
    assert walk.steps > 5
    median, p95 = hands.standing_m
    assert 0.0 < median < 0.02
    assert median <= p95
    assert hands.walking_m[0] > median


def test_that_a_command_at_rest_counts_only_after_it_has_settled():
    arms = CommandedArms(IkArmController(), 2, seed=0)
    start = arms.reset(torch.arange(2))
    assert start.shape == (2, 14)
    assert arms.standing == []


def test_that_arms_move_between_poses_of_the_bank_at_the_chosen_speed():
    config = ArmMotionConfig(poses=30, speed_range=(1.0, 1.0), hold_range_s=(0.1, 0.1))
    bank = collision_free_poses(30, seed=0)
    assert bool(
        ((bank >= torch.tensor(LOWER_LIMIT[ARMS]) - 1e-6) & (bank <= torch.tensor(UPPER_LIMIT[ARMS]) + 1e-6)).all()
    )
    motion = ArmMotion(8, bank, config, torch.Generator().manual_seed(0))
    motion.reset(torch.arange(8), still_share=0.0)
    before, fastest = motion.target.clone(), 0.0
    for _ in range(100):
        now = motion.update().clone()
        fastest = max(fastest, float((now - before).abs().max()) / 0.02)
        before = now
    assert 0.9 < fastest < 1.01


def test_that_still_arms_stay_where_they_are():
    motion = ArmMotion(4, collision_free_poses(10, seed=0), ArmMotionConfig(poses=10), torch.Generator().manual_seed(0))
    motion.reset(torch.arange(4), still_share=1.1)
    start = motion.target.clone()
    for _ in range(100):
        motion.update()
    torch.testing.assert_close(motion.target, start)
