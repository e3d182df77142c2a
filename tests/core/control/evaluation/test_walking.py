"""How walking is measured: intervals, distances, placements, falls; a robot that stands, and one that cannot."""

import math

import pytest
import torch

from core.control.evaluation.model_based import ModelBasedController
from core.control.evaluation.walking import DistanceMeter, WalkEvaluation, WalkEvaluationConfig, poisson_interval
from core.control.footsteps import compose_planar, planar_displacement
from core.control.lower import LEGS_DEFAULT
from core.control.training.motion_configs import ArmMotionConfig, WalkCommandConfig
from core.control.training.walk_commands import WalkCommands

SMALL = ArmMotionConfig(poses=20)


def test_that_poisson_intervals_are_the_textbook_ones():
    """Garwood's table: 0 events [0, 3.689], 3 events [0.619, 8.767], 10 events [4.795, 18.39]."""
    for events, low, high in ((0, 0.0, 3.689), (3, 0.619, 8.767), (10, 4.795, 18.39)):
        assert poisson_interval(events, 1.0) == pytest.approx((low, high), rel=1e-3)
    assert poisson_interval(3, 2.0)[1] == pytest.approx(8.767 / 2, rel=1e-3)


@pytest.mark.parametrize("velocity", [(0.3, 0.0, 0.0), (-0.2, 0.1, 0.0), (0.2, 0.0, 0.4), (0.0, -0.15, -0.3)])
@pytest.mark.parametrize("share", [1.0, 0.85])
def test_that_the_meter_finds_the_share_of_the_way_that_was_walked(velocity, share):
    """The robot reacts 0.5 s late, and goes on that much longer after the command ended."""
    meter = DistanceMeter(1)
    pose = torch.tensor([[1.0, -2.0, 0.7]])
    commands = [torch.zeros(1, 3)] * 50 + [torch.tensor([velocity])] * 150 + [torch.zeros(1, 3)] * 60
    for tick, command in enumerate(commands):
        late = commands[max(0, tick - 25)].clone()
        meter.update(pose, command, torch.tensor([bool(late.any())]))
        late[:, :2] *= share
        pose = compose_planar(pose, planar_displacement(late, torch.tensor([0.02])))
    assert meter.walks == 1
    assert meter.commanded_m > 0.4
    assert meter.walked_m / meter.commanded_m == pytest.approx(share, abs=2e-3)
    if velocity[2]:
        assert meter.turned_rad / meter.commanded_rad == pytest.approx(1.0, abs=1e-3)


def test_that_a_fall_drops_the_unfinished_walk():
    meter = DistanceMeter(1)
    pose, command = torch.zeros(1, 3), torch.tensor([[0.3, 0.0, 0.0]])
    for _ in range(100):
        meter.update(pose, command, torch.tensor([True]))
    meter.reset(torch.tensor([0]))
    meter.update(pose, torch.zeros(1, 3), torch.tensor([False]))
    assert meter.walks == 0


class Limp:
    """Straight legs that let the robot fall."""

    def reset(self, worlds: torch.Tensor) -> None:
        pass

    def act(self, state, command) -> torch.Tensor:
        return LEGS_DEFAULT.repeat(state.num_worlds, 1)


def test_that_a_robot_that_does_not_step_falls_and_every_fall_is_counted():
    config = WalkEvaluationConfig(num_worlds=4, walking_s=12.0, arms=SMALL, payload_kg=0.0)
    evaluation = WalkEvaluation(config)
    report = evaluation.run(Limp())
    evaluation.close()
    assert report.falls >= 3
    low, high = report.falls_interval
    assert low < report.falls_per_1000_s < high
    assert report.walking_s == pytest.approx(12.0, abs=0.2)
    assert report.simulated_s >= report.walking_s


def test_that_the_reference_with_feedback_places_feet_better_than_chance():
    commands = WalkCommandConfig(max_forward=0.1, max_lateral=0.05, max_turn=0.1)
    config = WalkEvaluationConfig(num_worlds=4, walking_s=6.0, arms=SMALL, payload_kg=0.0, commands=commands)
    evaluation = WalkEvaluation(config)
    report = evaluation.run(ModelBasedController(4))
    evaluation.close()
    assert report.steps > 4
    assert report.placement_median_m < 0.15
    assert math.isfinite(report.placement_yaw_p95_rad)


def test_that_commands_stay_in_their_ranges_and_some_are_zero():
    commands = WalkCommands(400, WalkCommandConfig(stand_share=0.25), torch.Generator().manual_seed(0))
    commands.reset(torch.arange(400))
    assert bool((commands.velocity.abs() <= torch.tensor([0.4, 0.2, 0.5])).all())
    zero = (commands.velocity == 0).all(dim=-1).float().mean()
    assert 0.15 < float(zero) < 0.35


def test_that_a_command_is_held_for_its_time_and_then_replaced():
    config = WalkCommandConfig(duration_range_s=(0.1, 0.1), stand_share=0.0)
    commands = WalkCommands(1, config, torch.Generator().manual_seed(0))
    commands.reset(torch.tensor([0]))
    first = commands.velocity.clone()
    for _ in range(4):
        torch.testing.assert_close(commands.update(), first)
    commands.update()
    assert not torch.allclose(commands.update(), first)
