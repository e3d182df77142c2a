"""The training environment of pi_upper: commands, compliance, rows, exact resume."""

from dataclasses import replace

import pytest
import torch

from core.control import upper
from core.control.arm_chain import LOWER, UPPER, VECTOR_MIRROR, forward_kinematics, split_arms
from core.control.training.arm_bank import build_bank, self_contact
from core.control.training.grasp_scripts import sample_scripts
from core.control.training.hand_commands import FreeCommands
from core.control.training.motion_configs import CommandConfig, DisturbanceConfig, GraspConfig
from core.control.training.upper_config import EpisodeConfig, UpperEnvConfig, UpperLearnerConfig
from core.control.training.upper_disturbances import BaseMotion, HandForces
from core.control.training.upper_learner import UpperLearner
from core.control.training.upper_training import UpperTraining
from core.control.upper import UpperController
from core.control.whole_body import CONTROLLERS
from core.rl.ppo_config import PpoConfig
from core.t1.model import ARMS, PALM_FACE_OFFSET_M

SMALL_ENV = UpperEnvConfig(
    EpisodeConfig(3, 2, 2, free_episode_s=0.6, grasp_episode_s=0.6, walk_episode_s=0.6, scripts=8)
)
LATE_ENV = replace(
    SMALL_ENV, episodes=replace(SMALL_ENV.episodes, disturbances=DisturbanceConfig(target_delay_s=(0.02, 0.04)))
)
SMALL = replace(UpperLearnerConfig(), steps=200, env=LATE_ENV, ppo=PpoConfig(steps_per_iteration=8, epochs=2))


@pytest.fixture(scope="module")
def bank():
    return build_bank(200, seed=3)


def test_that_bank_configurations_touch_nothing_and_keep_the_limits(bank):
    assert len(bank) == 200
    assert not self_contact(bank.joint_pos).any()
    assert ((bank.joint_pos >= LOWER) & (bank.joint_pos <= UPPER)).all()
    near = forward_kinematics(bank.joint_pos[bank.in_workspace].reshape(-1, 7)).pos
    assert bool((near[:, 0] > 0.23).all())
    assert bool((near[:, 1] > 0.09).all())


def test_that_arms_pushed_into_the_trunk_count_as_self_contact():
    pair = upper.DEFAULT_ARM_POS.repeat(1, 2, 1).clone()
    pair[0, 0, 1] = -1.57  # upper arm down
    pair[0, 0, 3] = -2.14  # forearm in
    pair[0, 0, 0] = 1.1
    assert self_contact(torch.cat((pair, upper.DEFAULT_ARM_POS.repeat(1, 2, 1)))).tolist() == [True, False]


def test_that_commands_are_continuous_reachable_and_mostly_moving(bank):
    generator = torch.Generator().manual_seed(0)
    commands = FreeCommands(bank, 16, CommandConfig(staircase_share=0.0), generator)
    start = commands.reset(torch.arange(16))
    last = forward_kinematics(start.reshape(-1, 7)).pos
    moved = 0.0
    for _ in range(150):
        pos, quat = commands.advance()
        step = (pos - last).norm(dim=-1)
        assert float(step.max()) < 0.04  # 2 m/s: the fastest joint-space motions swing the whole arm
        assert torch.allclose(quat.norm(dim=-1), torch.ones(32), atol=1e-4)
        moved += float((step > 1e-4).float().mean())
        last = pos.clone()
    assert 0.2 < moved / 150 < 0.95


def test_that_staircase_commands_change_at_the_planner_rate_only(bank):
    commands = FreeCommands(
        bank, 8, CommandConfig(staircase_share=1.0, hold_s=(0.05, 0.1)), torch.Generator().manual_seed(1)
    )
    commands.reset(torch.arange(8))
    shown = torch.stack([commands.advance()[0] for _ in range(40)]).reshape(40, 8, 2, 3)
    changed = (shown[1:] != shown[:-1]).any(dim=-1).any(dim=-1)  # (39, 8)
    for world in range(8):
        ticks = changed[:, world].nonzero().squeeze(1)
        assert bool(((ticks - ticks[0]) % 5 == 0).all())


def test_that_grasp_scripts_press_as_deep_as_they_say():
    ranges = GraspConfig(squeeze_depth_m=(0.03, 0.03), depth_noise_m=0.0, deep_share=0.0)
    scripts = sample_scripts(16, ranges, torch.Generator().manual_seed(0))
    pos, _ = scripts.hands(scripts.times_s[:, 3])  # squeezed; yaw is still 0
    face = 0.5 * scripts.box_size[:, 1] + PALM_FACE_OFFSET_M
    sides = pos.reshape(16, 2, 3)[..., 1]  # both left-canonical: the right hand's y is mirrored
    centre = torch.stack((scripts.box_pos_b[:, 1], -scripts.box_pos_b[:, 1]), dim=1)
    torch.testing.assert_close(face[:, None] - (sides - centre), torch.full((16, 2), 0.03), atol=1e-5, rtol=0)
    outside, _ = scripts.hands(torch.zeros(16))
    assert bool((outside.reshape(16, 2, 3)[..., 1] - centre > face[:, None] + 0.029).all())


def test_that_a_still_base_feels_gravity_along_what_its_sensor_shows():
    motion = BaseMotion(50, DisturbanceConfig(still_share=1.0), torch.Generator().manual_seed(0))
    motion.reset(torch.arange(50))
    down, felt = motion.advance()
    torch.testing.assert_close(felt, 9.81 * down)
    assert 0.02 < float(down[:, :2].norm(dim=-1).mean()) < 0.2


def test_that_squeeze_forces_are_opposite_on_the_two_hands():
    config = DisturbanceConfig(shares=(0.0, 1.0, 0.0), wrench_s=(0.1, 0.2))
    forces = HandForces(40, config, torch.Generator().manual_seed(0))
    forces.reset(torch.arange(40))
    for _ in range(30):
        force = forces.advance(1.0)
    rows = force * torch.stack((torch.ones(3), VECTOR_MIRROR))  # left-canonical
    assert float(force.abs().max()) <= 36.0
    strong = rows[:, :, 1].abs().min(dim=1).values > 6.0
    assert bool((rows[strong, 0, 1] * rows[strong, 1, 1] > 0).all())
    assert bool(strong.any())


def test_that_the_compliant_target_follows_the_horizontal_force_only_in_contact():
    env = UpperTraining(SMALL_ENV, seed=0, num_threads=1)
    group = env.groups[0]
    error = torch.tensor([[0.0, -0.03, 0.0], [0.0, -0.20, 0.0], [0.0, -0.20, 0.0]])
    wall = torch.tensor([[0.0, 21.0, 0.0], [0.0, 35.0, 0.0], [0.0, 0.0, 0.0]])
    found = group._compliant_error(error, wall)
    env.close()
    # 0.03 m at 700 N/m is 21 N; beyond 0.05 m the wanted force stays 35 N; a free hand has its whole error
    torch.testing.assert_close(found, torch.tensor([[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, -0.20, 0.0]]))


def test_that_the_environment_has_one_agent_an_arm_and_restarts_episodes():
    env = UpperTraining(SMALL_ENV, seed=0, num_threads=1)
    observation = env.reset()
    assert observation.actor.shape == (14, upper.LAYOUT.obs_size)
    truncated = torch.zeros(14)
    for _ in range(31):
        step = env.step(torch.zeros(14, 7))
        truncated += step.truncated
        assert bool(step.observation.actor.isfinite().all())
        assert bool(step.reward.isfinite().all())
        assert not step.terminated.any()
    env.close()
    assert bool((truncated >= 1).all())


def test_that_late_targets_are_obeyed_late_but_remembered_as_sent():
    env = UpperTraining(LATE_ENV, seed=0, num_threads=1)
    env.reset()
    group = env.groups[0]
    group._late.delay_s[:] = 0.02
    start = group._sent.clone()
    first = upper.sent_action(start, start + 0.3)
    held = split_arms(group.backend.read_state().joint_pos[:, ARMS])
    group._sent = first
    arrived = [split_arms(group._target().position[:, ARMS])]
    seen = group.look()[:, 17:24]
    group._sent = upper.sent_action(first, start + 0.3)
    arrived.append(split_arms(group._target().position[:, ARMS]))
    env.close()
    torch.testing.assert_close(seen, first)
    torch.testing.assert_close(arrived[0], held)
    torch.testing.assert_close(arrived[1], split_arms(upper.arm_targets(first)))


def test_that_late_targets_stay_within_the_joint_limits_as_an_agent_keeps_them():
    found = {}
    for config in (SMALL_ENV, LATE_ENV):
        env = UpperTraining(config, seed=0, num_threads=1)
        env.reset()
        group = env.groups[0]
        group._late.delay_s[:] = 0.0
        group._sent[:] = upper.ACTION_LIMIT_RAD
        found[config is LATE_ENV] = split_arms(group._target().position[:, ARMS])
        env.close()
    torch.testing.assert_close(found[False], (UPPER + upper.TARGET_MARGIN_RAD).expand(6, 7), atol=0.01, rtol=0)
    torch.testing.assert_close(found[True], UPPER.expand(6, 7), atol=0.01, rtol=0)


def test_that_a_policy_that_is_brought_along_waits_until_the_critic_knows_something():
    path = CONTROLLERS / "upper.safetensors"
    learner = UpperLearner(replace(SMALL, begin_with=path, steps=7 * 8 * 100), seed=0, num_threads=1)
    given = UpperController.load(path).actor.body.state_dict()
    critic = learner.ppo.model.critic[0].weight.detach().clone()  # type: ignore[union-attr]  # a linear layer
    for _ in range(3):  # 1 % each
        learner.iterate()
    kept = {name: value.clone() for name, value in learner.ppo.model.actor.body.state_dict().items()}
    learner.iterate()
    changed = learner.ppo.model.actor.body.state_dict()
    learner.close()
    assert all(torch.equal(kept[name], given[name]) for name in given)
    assert not torch.equal(critic, learner.ppo.model.critic[0].weight)  # type: ignore[arg-type]  # a linear layer
    assert any(not torch.equal(changed[name], given[name]) for name in given)


def test_that_delays_are_drawn_anew_and_targets_in_time_draw_nothing():
    for env, late in ((UpperTraining(c, seed=0, num_threads=1), c is LATE_ENV) for c in (SMALL_ENV, LATE_ENV)):
        env.reset()
        group = env.groups[0]
        before = group._late.delay_s.clone()
        group._start(torch.tensor([1]))
        changed = group._late.delay_s != before
        env.close()
        assert changed.tolist() == [False, late, False]


def test_that_a_default_action_holds_the_default_pose():
    arms = upper.arm_targets(torch.zeros(2, 7))
    torch.testing.assert_close(split_arms(arms), upper.DEFAULT_ARM_POS.repeat(2, 1))
    assert arms.shape == (1, len(ARMS))


def test_that_a_resumed_training_continues_bit_for_bit():
    whole = UpperLearner(SMALL, seed=5, num_threads=1)
    for _ in range(2):
        whole.iterate()
    saved = whole.state_dict()
    last = [whole.iterate() for _ in range(2)][-1]
    resumed = UpperLearner(SMALL, seed=5, num_threads=1)  # the seed makes bank and scripts
    resumed.load_state_dict(saved)
    again = [resumed.iterate() for _ in range(2)][-1]
    expected, found = whole.state_dict(), resumed.state_dict()
    whole.close()
    resumed.close()
    assert last == again
    assert expected.keys() == found.keys()
    assert [name for name in expected if not torch.equal(expected[name], found[name])] == []
