"""Exploring on the one loop: which decisions are kept, how they end, which episodes count."""

import itertools
from dataclasses import fields

import pytest
import torch

from core.backends.base import Physics
from core.backends.fake import FakeBackend
from core.backends.initial import default_initial_state
from core.policy.build import build_planner
from core.policy.config import MlpConfig, PlannerConfig, SamplerConfig
from core.policy.layout import PlannerLayout
from core.policy.normalizer import Normalizer
from core.rl.chains import DiffusionChain
from core.rl.finetune_config import DppoConfig
from core.rl.planner_env import PlannerEnv
from core.tasks.base import ObservationTerm, TaskStatus
from core.tasks.scene import Scene
from core.types import JointTarget

SLOW, FAST = 0.1, 0.8
"""m/s: not there in time; there after 1.26 s, noticed by the command at 1.3 s."""


class CoastTask:
    """The trunk coasts; success beyond 1 m, 3 s are allowed. The seed, an index, says how fast."""

    name = "coast"
    title = "Coast"
    time_limit_s = 3.0
    observation_terms = (ObservationTerm("x", 1, "m", "trunk"),)

    def __init__(self, speeds):
        self.num_worlds = 2
        self.speeds = speeds
        self.parameters = {"speed": torch.zeros(2, 1)}

    def scene(self):
        return Scene("empty")

    def sample_initial(self, count, generator):
        initial = default_initial_state(self.scene(), count)
        speed = self.speeds[generator.initial_seed()]
        initial.base_lin_vel_b = torch.tensor([[speed, 0.0, 0.0]]).repeat(count, 1)
        return initial, Physics.nominal(count), {"speed": torch.full((count, 1), speed)}

    def reset(self, worlds, parameters):
        self.parameters["speed"][worlds] = parameters["speed"]

    def observation(self, state):
        return {"x": state.base_pos_w[:, :1].clone()}

    def update(self, state):
        success = state.base_pos_w[:, 0] > 1.0
        late = (state.time_s >= self.time_limit_s - 1e-4) & ~success
        code = torch.where(success, 1, torch.where(late, 2, 0))
        return TaskStatus(success, late, code, ("running", "success", "time limit"))


class Holding:
    """Joints stay where they are."""

    def reset(self, worlds, state):
        pass

    def act(self, state, command, stop=None):
        free = torch.zeros(state.num_worlds, dtype=torch.bool)
        return JointTarget(state.joint_pos.clone(), command.gripper_opening.clone(), free)


def make_env(speeds=(SLOW, *[FAST] * 9), **changes):
    task = CoastTask(speeds)
    return PlannerEnv(task, FakeBackend(task.scene(), 2), Holding(), executed_steps=4, **changes)


@pytest.fixture
def chain():
    layout = PlannerLayout.of_task(CoastTask(()))
    config = PlannerConfig("mlp-diffusion", mlp=MlpConfig(16, 1), denoising_steps=10, sampler=SamplerConfig(steps=5))
    planner = build_planner(layout, config, Normalizer.identity(1), Normalizer(-0.1 * torch.ones(23), torch.ones(23)))
    return DiffusionChain(planner, DppoConfig())


def of_world(decisions, world, values):
    return values[decisions.world == world]


def test_that_success_is_counted_over_the_first_episode_of_every_world(chain):
    experience = make_env().collect(chain, iter(range(10)))
    assert [end.success for end in experience.ends] == [True, True, False]  # two short ones of the same world
    assert (experience.successes, len(experience.first_ends)) == (1, 2)
    assert {end.world for end in experience.first_ends} == {0, 1}


def test_that_every_decision_is_paid_for_what_its_chunk_did(chain):
    decisions = make_env().collect(chain, iter(range(10))).decisions
    slow, fast = ([of_world(decisions, w, v).tolist() for v in columns(decisions)] for w in (0, 1))
    # 30 commands in chunks of 4 until the time is up
    assert slow[0] == [0.0] * 8
    assert slow[1] == [True] + [False] * 7
    assert slow[2] == [False] * 8
    assert slow[3] == [False] * 7 + [True]
    # two episodes of 13 commands, then one that was cut off after its first chunk
    assert fast[0] == [0.0, 0.0, 0.0, 1.0] * 2 + [0.0]
    assert fast[1] == [True, False, False, False] * 2 + [True]
    assert fast[2] == [False, False, False, True] * 2 + [False]
    assert fast[3] == [False] * 8 + [True]


def columns(decisions):
    return decisions.reward, decisions.first, decisions.terminated, decisions.truncated


def test_that_truncations_know_what_they_led_to(chain):
    decisions = make_env().collect(chain, iter(range(10))).decisions
    worlds = decisions.world[decisions.truncated].tolist()
    newest = dict(zip(worlds, decisions.final_obs[:, -1, 0].tolist()))
    assert newest[0] == pytest.approx(SLOW * 3.0, abs=1e-4)
    assert newest[1] == pytest.approx(FAST * 0.4, abs=1e-4)  # before the next chunk, which was not executed
    history = decisions.final_obs[worlds.index(0), :, 0]
    assert torch.allclose(history.diff(), torch.full((7,), 0.1 * SLOW), atol=1e-5)


def test_that_observations_are_those_of_the_decision(chain):
    decisions = make_env().collect(chain, iter(range(10))).decisions
    newest = of_world(decisions, 1, decisions.obs)[:, -1, 0]
    expected = FAST * torch.tensor([0.0, 0.4, 0.8, 1.2] * 2 + [0.0])
    assert torch.allclose(newest, expected, atol=1e-4)


def test_that_running_out_of_time_can_count_as_a_failure(chain):
    decisions = make_env(time_limit_truncates=False).collect(chain, iter(range(10))).decisions
    assert of_world(decisions, 0, decisions.terminated).tolist() == [False] * 7 + [True]
    assert of_world(decisions, 0, decisions.reward).sum() == 0
    assert len(decisions.final_obs) == 1


def test_that_only_success_is_rewarded(chain):
    experience = make_env().collect(chain, iter(range(10)))
    assert experience.decisions.reward.sum() == sum(end.success for end in experience.ends)
    assert set(experience.decisions.reward.tolist()) == {0.0, 1.0}


def test_that_the_same_seeds_give_the_same_bits_whatever_was_before(chain):
    env = make_env()
    first = env.collect(chain, iter(range(10))).decisions
    env.collect(chain, iter(range(3, 10)))
    again = env.collect(chain, iter(range(10))).decisions
    other = make_env().collect(chain, iter(range(10))).decisions
    for name in (f.name for f in fields(first)):
        assert torch.equal(getattr(first, name), getattr(again, name))
        assert torch.equal(getattr(first, name), getattr(other, name))


def test_that_chunks_are_explored_by_the_chain(chain):
    decisions = make_env().collect(chain, iter(range(10))).decisions
    assert decisions.chain.shape[1:] == (6, 12, 23)
    j = torch.full((len(decisions),), 4)
    score = chain.log_prob(decisions.obs, decisions.chain[:, 4], decisions.chain[:, 5], j)
    # drawn with deviation 0.04, scored with 0.1
    assert float(score.detach().mean()) == pytest.approx(1.384 - 0.5 * 0.16, abs=0.02)


def test_that_a_stop_leaves_nothing_half_done(chain):
    looks = itertools.count()
    assert make_env().collect(chain, iter(range(10)), stop_requested=lambda: next(looks) == 40) is None
