"""DPPO as a whole: it learns, it stops where it must, and it resumes exactly."""

import math
from dataclasses import replace

import pytest
import torch

from core.rl.chains import DiffusionChain
from core.rl.dppo import Dppo
from core.rl.finetune_config import DppoConfig
from tests.core.rl.plane import EXECUTED, Plane

CONFIG = DppoConfig(learning_rate=2e-4, batch_size=256, critic_hidden=(32, 32), target_kl=1.0, precision="fp32")


def make(planner, **changes):
    config = replace(CONFIG, **changes)
    return Dppo(DiffusionChain(planner, config), config, EXECUTED, seed=1)


def weights(learner):
    return torch.cat([p.detach().flatten() for p in learner.chain.parameters()])


def test_that_it_learns_to_walk_against_a_wind_that_no_demonstration_knew(planner):
    learner = make(planner)
    plane, successes = Plane(), []
    for iteration in range(9):
        decisions, reached = plane.explore(learner.chain, 100 + iteration)
        successes.append(reached / 128)
        learner.update(decisions)
    assert sum(successes[:2]) / 2 < 0.65
    assert sum(successes[-3:]) / 3 > sum(successes[:2]) / 2 + 0.2


def test_that_the_first_minibatch_finds_the_policy_where_it_explored(planner):
    learner = make(planner, critic_warmup=0, epochs=1, batch_size=1_000_000)
    decisions, _ = Plane(32).explore(learner.chain, 0)
    scalars = learner.update(decisions)
    assert scalars["updates"] == 1
    assert scalars["kl"] < 1e-9
    assert scalars["clip_fraction"] == 0.0


def test_that_the_critic_learns_first(planner):
    learner = make(planner, critic_warmup=1)
    before = weights(learner), learner.critic[0].weight.detach().clone()
    decisions, _ = Plane(32).explore(learner.chain, 0)
    assert learner.warming_up
    learner.update(decisions)
    assert torch.equal(weights(learner), before[0])
    assert not torch.equal(learner.critic[0].weight, before[1])
    assert not learner.warming_up
    learner.update(decisions)
    assert not torch.equal(weights(learner), before[0])


def test_that_the_update_ends_at_the_target_kl(planner):
    learner = make(planner, critic_warmup=0, target_kl=1e-4, batch_size=64, learning_rate=1e-2)
    decisions, _ = Plane(32).explore(learner.chain, 0)
    scalars = learner.update(decisions)
    assert scalars["kl"] > 1e-4
    assert scalars["updates"] < 5


def test_that_a_single_pass_sees_every_pair_once(planner):
    learner = make(planner, batch_size=50)
    parts = list(learner._minibatches(33))
    assert torch.cat(parts).unique().tolist() == list(range(33 * 5))
    assert sum(map(len, parts)) == 5 * 33 * 5
    assert min(map(len, parts)) > 40


def test_that_a_number_that_is_none_stops_the_step_that_made_it(planner):
    learner = make(planner, critic_warmup=0)
    decisions, _ = Plane(32).explore(learner.chain, 0)
    decisions.obs[3, 0, 0] = math.nan
    before = weights(learner)
    with pytest.raises(FloatingPointError, match="is nan: an observation, a reward or a learning rate"):
        learner.update(decisions)
    assert torch.equal(weights(learner), before)


def test_that_imitation_keeps_the_policy_near_its_base(planner, pretrained):
    decisions, _ = Plane(32).explore(make(planner).chain, 0)
    moved = []
    for coefficient in (0.0, 30.0):
        planner.load_state_dict(pretrained, strict=False)
        planner.tuned.load_state_dict(planner.base.state_dict())
        learner = make(planner, critic_warmup=0, bc_coefficient=coefficient, target_kl=1e9, epochs=3)
        before = weights(learner)
        learner.update(decisions)
        assert not torch.equal(weights(learner), before)
        obs, values = decisions.obs, learner.chain.sample_base(decisions.obs, noise(learner, len(decisions)))
        j = torch.full((len(obs),), 4)
        moved.append(float(learner.log_prob(obs, values, j).detach().mean()))
    assert moved[1] > moved[0]


def noise(learner, count):
    return torch.randn((learner.chain.noise_count, count, 4, 23), generator=torch.Generator().manual_seed(7))


@pytest.fixture
def one_thread():
    """Sums over several threads need not have the same bits twice: exact resume is promised for one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("one_thread")
def test_that_a_resumed_training_has_the_same_bits(planner, pretrained):
    learner = make(planner)
    for seed in range(2):
        learner.update(Plane(32).explore(learner.chain, seed)[0])
    state = learner.state_dict()
    learner.update(Plane(32).explore(learner.chain, 2)[0])
    planner.tuned, planner.tuned_steps = None, 0
    again = make(planner)
    again.load_state_dict(state)
    assert again.iterations == 2
    again.update(Plane(32).explore(again.chain, 2)[0])
    first, second = learner.state_dict(), again.state_dict()
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_that_bf16_learns_from_the_same_ratios(planner):
    config = replace(CONFIG, critic_warmup=0, epochs=1, batch_size=1_000_000)
    learner = Dppo(DiffusionChain(planner, config, bf16=True), config, EXECUTED, seed=1)
    decisions, _ = Plane(32).explore(learner.chain, 0)
    scalars = learner.update(decisions)  # sampled in fp32, scored and learned in bf16
    assert scalars["kl"] < 1e-6


def test_that_more_executed_steps_than_a_chunk_has_are_refused(planner):
    with pytest.raises(ValueError, match="between 1 and the chunk of 4, got 5"):
        Dppo(DiffusionChain(planner, CONFIG), CONFIG, 5, seed=0)
