"""pi_lower as deployed: shapes, the paper's action form, symmetry, saving and loading, its place in a backend."""

from pathlib import Path

import pytest
import torch

from core.backends.mujoco import MujocoBackend
from core.control import lower
from core.control.footsteps import FootstepPlanner
from core.control.leg_chain import swap_legs
from core.rl.checkpoint import CheckpointError, save_checkpoint
from core.rl.networks import Actor
from core.rl.ppo_config import ActorCriticConfig
from core.t1.model import DEFAULT_JOINT_POS, LEGS
from core.tasks.scene import Scene


def actor(seed: int = 0) -> Actor:
    torch.manual_seed(seed)
    made = Actor(lower.LAYOUT.obs_size, lower.LAYOUT.action_size, ActorCriticConfig(actor_hidden=(32, 16)))
    torch.nn.init.normal_(made.body[-1].weight, std=0.3)
    return made


@pytest.fixture
def standing():
    backend = MujocoBackend(Scene("walking", contacts="locomotion"), 3, 1)
    planner = FootstepPlanner(3)
    state = backend.read_state()
    planner.reset(torch.arange(3), state)
    yield state, planner
    backend.close()


def test_that_a_zero_action_is_the_default_pose():
    torch.testing.assert_close(
        lower.leg_targets(torch.zeros(2, 12)), torch.tensor(DEFAULT_JOINT_POS[LEGS]).float().repeat(2, 1)
    )


def test_that_actions_and_targets_are_inverse():
    action = 0.5 * torch.randn(4, 12)
    torch.testing.assert_close(lower.action_of(lower.leg_targets(action)), action)


def test_that_a_saved_controller_acts_the_same(tmp_path: Path, standing):
    state, planner = standing
    made = actor()
    timing = {"swing_s": 0.36, "double_support_s": 0.08}
    path = tmp_path / "controller.safetensors"
    save_checkpoint(path, made.state_dict(), lower.LAYOUT, {"actor_hidden": [32, 16], "timing": timing})
    loaded = lower.LowerController.load(path)
    direct = lower.LowerController(made, lower.StepTiming(**timing))
    command = planner.update(state, torch.tensor([[0.2, 0.0, 0.0], [0.0, 0.1, 0.0], [0.0, 0.0, 0.0]]))
    for _ in range(3):
        torch.testing.assert_close(loaded.act(state, command), direct.act(state, command))


def test_that_a_checkpoint_of_something_else_is_refused(tmp_path: Path):
    from dataclasses import replace

    path = tmp_path / "controller.safetensors"
    save_checkpoint(path, actor().state_dict(), replace(lower.LAYOUT, kind="other"), {})
    with pytest.raises(CheckpointError, match="kind"):
        lower.LowerController.load(path)


def test_that_stepping_left_and_stepping_right_are_mirror_images(standing):
    """From a symmetric stand, a step to the left and one to the right ask for mirrored legs."""
    state, planner = standing
    velocity = torch.tensor([[0.0, 0.15, 0.0], [0.0, -0.15, 0.0], [0.0, 0.0, 0.0]])
    command = planner.update(state, velocity)
    assert command.swing.tolist() == [0, 1, -1]
    controller = lower.LowerController(actor(), lower.StepTiming(0.36, 0.08))
    targets = controller.act(state, command)
    torch.testing.assert_close(targets[1], swap_legs(targets[0]), atol=2e-3, rtol=0)


def test_that_resetting_one_world_leaves_the_others_alone(standing):
    state, planner = standing
    command = planner.update(state, torch.tensor([[0.2, 0.0, 0.0]] * 3))
    controller = lower.LowerController(actor(), lower.StepTiming(0.36, 0.08))
    first = controller.act(state, command)
    second = controller.act(state, command)
    assert not torch.allclose(first, second)
    controller.reset(torch.tensor([1]))
    third = controller.act(state, command)
    torch.testing.assert_close(third[1], first[1])
    assert not torch.allclose(third[0], first[0])


def test_that_targets_never_leave_the_joint_limits_by_more_than_the_margin():
    targets = lower.leg_targets(50.0 * torch.randn(100, 12))
    assert bool((targets <= lower.LEGS_UPPER + lower.TARGET_MARGIN_RAD).all())
    assert bool((targets >= lower.LEGS_LOWER - lower.TARGET_MARGIN_RAD).all())
