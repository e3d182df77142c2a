"""The training environment and the phases of pi_lower's training, at toy size."""

import pytest
import torch

from core.control import lower
from core.control.footsteps import STAND
from core.control.training import lower_rewards
from core.control.training.lower_config import LowerLearnerConfig, LowerTrainingConfig
from core.control.training.lower_distillation import SampleBuffer, residual_of
from core.control.training.lower_learner import LowerLearner, small
from core.control.training.lower_teacher import residual_targets
from core.control.training.lower_training import LowerTraining, kick
from core.control.training.motion_configs import ArmMotionConfig
from core.rigid import quat_rotate
from core.rl.env import VectorEnv

WORLDS = 24


@pytest.fixture(scope="module")
def env():
    config = LowerTrainingConfig(num_worlds=WORLDS, arms=ArmMotionConfig(poses=40), bank=(40, 3.0))
    made = LowerTraining(config, "residual", seed=3)
    made.reset()
    yield made
    made.close()


def test_that_the_environment_is_a_vector_environment(env):
    assert isinstance(env, VectorEnv)
    step = env.step(torch.zeros(WORLDS, 12))
    actor_size, critic_size = env.observation_sizes
    assert step.observation.actor.shape == (WORLDS, actor_size)
    assert step.observation.critic.shape == (WORLDS, critic_size)
    assert bool(step.observation.critic.isfinite().all())


def test_that_a_walk_from_the_bank_starts_on_its_reference(env):
    env._reset(torch.arange(WORLDS))
    feet, yaw = env._foot_errors()
    # the reference is one period ahead of the state: a swing foot moves up to 4 cm in that time
    assert float(feet.median()) < 0.02
    assert float(feet.max()) < 0.08
    assert float(yaw.abs().max()) < 0.15


def test_that_both_walking_and_standing_episodes_start(env):
    env._reset(torch.arange(WORLDS))
    swinging = env.command.swing != STAND
    assert int(swinging.sum()) > 0
    assert env.steps.sum() == 0


def test_that_the_residual_of_given_targets_reproduces_them(env):
    targets = residual_targets(env.reference, 0.3 * torch.randn(WORLDS, 12))
    torch.testing.assert_close(residual_targets(env.reference, residual_of(env, targets)), targets, atol=1e-5, rtol=0)


def test_that_an_episode_ends_by_the_clock_without_being_terminated(env):
    env._reset(torch.arange(WORLDS))
    env.steps[:] = round(env.config.episode_s / 0.02) - 1
    step = env.step(torch.zeros(WORLDS, 12))
    assert bool((step.truncated | step.terminated).all())
    assert int(step.truncated.sum()) > WORLDS // 2
    assert not bool((step.truncated & step.terminated).any())


def test_that_nothing_disturbs_before_the_ramp_and_everything_does_after_it(env):
    env.progress = 0.0
    env.hand_force_b[:] = 0.0
    for _ in range(20):
        env._disturb()
    assert float(env.hand_force_b.abs().max()) == 0.0
    env.progress = 1.0
    for _ in range(300):
        env._draw_hand_forces(torch.arange(WORLDS), env.ramp)
        squeeze = env.hand_force_b[:, 0, 1] - env.hand_force_b[:, 1, 1]
    assert float(squeeze.max()) > 0.0
    assert float(env.hand_force_b.abs().max()) <= 35.0
    env.progress = 0.0


def test_that_a_kick_changes_the_horizontal_velocity_of_the_chosen_worlds_only(env):
    before = env.backend.read_state().clone()
    chosen = torch.tensor([2, 5])
    kick(env.backend, chosen, 0.25, torch.Generator().manual_seed(0))
    after = env.backend.read_state()
    change = quat_rotate(after.base_quat_w, after.base_lin_vel_b) - quat_rotate(
        before.base_quat_w, before.base_lin_vel_b
    )
    assert 0.0 < float(change[chosen, :2].abs().max()) <= 0.2501
    assert float(change[chosen, 2].abs().max()) < 1e-5
    others = torch.ones(WORLDS, dtype=torch.bool)
    others[chosen] = False
    assert float(change[others].abs().max()) < 1e-5


def test_that_kernels_are_one_at_the_goal_and_fall_with_the_error():
    torch.testing.assert_close(lower_rewards.kernel(torch.tensor([0.0, 0.05**2]), 0.05), torch.tensor([1.0, 0.36788]))


def test_that_only_what_exceeds_a_limit_is_punished():
    value, limit = torch.tensor([[1.0, -3.0, 0.5]]), torch.tensor([2.0, 2.0, 1.0])
    assert float(lower_rewards.excess(value, limit)) == 1.0
    assert float(lower_rewards.outside(value, -limit, limit)) == 1.0
    heights = torch.tensor([0.5, 0.65, 0.8])
    torch.testing.assert_close(lower_rewards.height_outside(heights), torch.tensor([0.01, 0.0, 0.01]))


def test_that_contacts_at_the_wrong_time_are_counted():
    loaded = torch.tensor([[True, True], [False, True], [False, False]])
    flying = torch.tensor([[True, False]] * 3)
    standing = torch.tensor([[False, True]] * 3)
    assert lower_rewards.wrong_contact(loaded, flying, standing).tolist() == [1.0, 0.0, 1.0]


def test_that_a_full_buffer_forgets_the_oldest_samples():
    buffer = SampleBuffer(5, 1, 1)
    for value in range(4):
        buffer.add(torch.full((2, 1), float(value)), torch.zeros(2, 1))
    assert buffer.filled == 5
    assert sorted(buffer.obs.flatten().tolist()) == [1.0, 2.0, 2.0, 3.0, 3.0]


@pytest.mark.parametrize("method", ["teacher-student", "scratch"])
def test_that_every_phase_runs_and_the_result_can_be_deployed(method):
    config = small(LowerLearnerConfig(method=method), worlds=16, steps=16 * 24)
    learner = LowerLearner(config, seed=1)
    seen = []
    while not learner.done:
        seen.append(learner.phase_name)
        log = learner.iterate()
        assert all(value == value for value in log.values()), log
    learner.close()
    assert seen == [name for name, _ in config.phases()]
    assert learner.progress == 1.0
    actor, metadata = learner.deployed()
    assert metadata["timing"] == {"swing_s": 0.36, "double_support_s": 0.08}
    assert actor(torch.zeros(1, lower.LAYOUT.obs_size)).shape == (1, 12)


def test_that_a_phase_ends_when_its_share_of_the_time_is_spent():
    config = small(LowerLearnerConfig(), worlds=8, steps=10**9)
    learner = LowerLearner(config, seed=1)
    learner.iterate(time_share=0.1)
    assert learner.phase_name == "teacher"
    learner.iterate(time_share=0.34)
    assert learner.phase_name == "student"
    assert learner.total_steps == 2 * 8 * 24  # what was done, not what was planned
    assert learner.progress == pytest.approx(1 / 3, abs=1e-6)
    learner.close()


def test_that_a_resumed_training_has_the_same_weights_and_counters():
    config = small(LowerLearnerConfig(), worlds=8, steps=8 * 24 * 2)
    learner = LowerLearner(config, seed=1)
    for _ in range(5):  # into the last phase
        learner.iterate()
    state = learner.state_dict()
    learner.close()
    resumed = LowerLearner(config, seed=1)
    resumed.load_state_dict(state)
    assert (resumed.phase_name, resumed.steps) == (learner.phase_name, learner.steps)
    again = resumed.state_dict()
    assert again.keys() == state.keys()
    for name, value in state.items():
        torch.testing.assert_close(again[name], value, msg=name)
    resumed.iterate()
    resumed.close()
