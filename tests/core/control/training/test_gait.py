"""Laws of the reference gait, walked kinematically: feet that land on target, a pendulum that stays over them."""

import pytest
import torch

from core.control.footstep_config import FootstepConfig
from core.control.footsteps import STAND, FootstepPlanner
from core.control.lower import LEGS_LOWER, LEGS_UPPER
from core.control.training.gait import ReferenceGait, min_jerk, swing_height
from core.control.training.lower_bank import attitude, follow_reference, standing_state
from core.control.training.lower_config import GaitConfig
from core.rigid import quat_rotate_inv
from core.t1.kinematics import frames_b
from core.t1.model import ARMS, DEFAULT_JOINT_POS, LEGS

VELOCITIES = torch.tensor(
    [[0.3, 0.0, 0.0], [-0.3, 0.0, 0.0], [0.0, 0.15, 0.0], [0.0, 0.0, 0.4], [0.2, -0.1, -0.3], [0.0, 0.0, 0.0]]
)


class Walk:
    """A robot that follows the reference exactly."""

    def __init__(self, velocities: torch.Tensor, seconds: float) -> None:
        n = len(velocities)
        arms = torch.tensor(DEFAULT_JOINT_POS[ARMS], dtype=torch.float32).repeat(n, 1)
        state = standing_state(arms)
        planner, gait = FootstepPlanner(n), ReferenceGait(n)
        planner.reset(torch.arange(n), state)
        gait.reset(torch.arange(n), state)
        self.states, self.commands, self.references = [], [], []
        for tick in range(round(seconds * 50)):
            v = velocities if tick >= 50 else torch.zeros_like(velocities)
            command = planner.update(state, v)
            reference = gait.update(state, command)
            state = follow_reference(state, reference)
            self.states.append(state)
            self.commands.append(command)
            self.references.append(reference)


@pytest.fixture(scope="module")
def walk() -> Walk:
    return Walk(VELOCITIES, 7.0)


def test_that_feet_land_on_their_targets(walk):
    landings = 0
    for command, reference in zip(walk.commands, walk.references, strict=True):
        landing = (command.swing != STAND) & (command.countdown_s < 0.021)
        for i in landing.nonzero().flatten().tolist():
            side = int(command.swing[i])
            torch.testing.assert_close(reference.foot_w[i, side, :3], command.planned_w[i, 0, :3], atol=1e-3, rtol=0)
            landings += 1
    assert landings > 40


def test_that_inverse_kinematics_follows_the_feet_within_a_few_millimetres(walk):
    worst = 0.0
    for reference in walk.references[60:]:
        q = torch.tensor(DEFAULT_JOINT_POS, dtype=torch.float32).repeat(len(VELOCITIES), 1)
        q[:, LEGS] = reference.joint_pos
        offset = reference.foot_w[..., :3] - reference.base_pos_w[:, None]
        wanted = quat_rotate_inv(attitude(reference)[:, None], offset)
        worst = max(worst, float((frames_b(q).foot_pos - wanted).norm(dim=-1).max()))
    assert worst < 6e-3


def test_that_joint_targets_stay_inside_the_limits(walk):
    for reference in walk.references:
        assert bool((reference.joint_pos >= LEGS_LOWER - 1e-6).all())
        assert bool((reference.joint_pos <= LEGS_UPPER + 1e-6).all())


def test_that_the_pendulum_stays_near_the_feet(walk):
    for state, reference in zip(walk.states, walk.references, strict=True):
        feet = reference.foot_w[..., :2].mean(dim=1)
        com = state.base_pos_w[:, :2] - feet
        assert float(com.norm(dim=-1).max()) < 0.25
        assert float(reference.base_vel_w.norm(dim=-1).max()) < 0.9


def test_that_a_standing_robot_keeps_its_reference_still(walk):
    standing = walk.references[-1]
    assert float(standing.base_vel_w[-1].norm()) < 5e-3
    assert float(standing.joint_vel[-1].abs().max()) < 0.05
    assert float(standing.swing_phase[-1]) == 0.0


def test_that_the_reference_walks_at_the_commanded_speed(walk):
    start, end = walk.references[130], walk.references[130 + 22 * 8]  # whole pairs of steps
    moved = (end.base_pos_w - start.base_pos_w)[:3, :2]
    expected = VELOCITIES[:3, :2] * 22 * 8 * 0.02
    torch.testing.assert_close(moved, expected, atol=0.05, rtol=0.06)


def test_that_the_swing_foot_clears_the_ground_by_the_apex(walk):
    apex = max(float(reference.foot_w[0, :, 2].max()) for reference in walk.references)
    assert apex == pytest.approx(GaitConfig().apex_m, abs=3e-3)


def test_that_feed_forward_carries_the_weight_while_standing(walk):
    """Both knees stretch (negative torque) against the weight, equally."""
    torque = walk.references[40].feed_forward[0]
    assert float(torque[3]) == pytest.approx(float(torque[9]), abs=0.01)
    assert float(torque[3]) < -0.02


def test_that_a_minimum_jerk_path_starts_and_ends_at_rest():
    s = torch.linspace(0, 1, 1001)
    path = min_jerk(s)
    assert float(path[0]) == 0.0
    assert float(path[-1]) == pytest.approx(1.0)
    assert float(path.diff()[0]) < 1e-6
    assert float(path.diff()[-1]) < 1e-6
    assert bool((path.diff() >= -1e-6).all())


def test_that_the_swing_ends_at_the_height_of_the_target():
    s = torch.tensor([0.0, 0.5, 1.0])
    height = swing_height(s, torch.full((3,), 0.1), 0.06)
    torch.testing.assert_close(height, torch.tensor([0.0, 0.16, 0.1]), atol=1e-6, rtol=0)


def test_that_footstep_timing_is_shared():
    assert FootstepConfig().step_s == pytest.approx(0.44)
