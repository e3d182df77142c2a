"""The terms of DPPO by hand: clip ranges, discounts, loss, advantages across the ends of episodes, reward scale."""

import math

import pytest
import torch

from core.rl.chains import DiffusionChain
from core.rl.decisions import Decisions, Grid, next_values
from core.rl.dppo import Dppo, clip_ranges, normalized, policy_loss, step_discounts
from core.rl.finetune_config import DppoConfig
from core.rl.gae import generalised_advantages
from core.rl.reward_scale import RewardScaler
from tests.core.rl.plane import Plane, plane_planner


def test_that_clip_ranges_grow_exponentially():
    ranges = clip_ranges(3, 0.1, 0.4, 2.0)
    middle = 0.1 + 0.3 * (math.e - 1) / (math.e**2 - 1)
    assert ranges.tolist() == pytest.approx([0.1, middle, 0.4])


def test_that_a_single_fine_tuned_step_is_well_defined(planner):
    assert clip_ranges(1, 0.1, 0.4, 2.0).tolist() == pytest.approx([0.4])
    assert step_discounts(1, 0.9).tolist() == [1.0]
    config = DppoConfig(tuned_steps=1, critic_warmup=0, batch_size=256)
    learner = Dppo(DiffusionChain(planner, config), config, 3, seed=0)
    decisions, _ = Plane(32).explore(learner.chain, 0)
    scalars = learner.update(decisions)
    assert decisions.chain.shape[1] == 2
    assert all(math.isfinite(value) for value in scalars.values())


@pytest.mark.parametrize("moving", [2, 20])
@pytest.mark.parametrize("executed", [1, 4])
def test_that_the_clip_range_is_scaled_to_the_number_of_values(moving, executed):
    planner, _ = plane_planner(moving=moving)
    config = DppoConfig(clip_total=0.4)
    learner = Dppo(DiffusionChain(planner, config), config, executed, seed=0)
    assert learner.values_per_chunk == moving * executed  # what does not vary has no consequences and no say
    assert float(learner.clip[-1]) * moving * executed == pytest.approx(0.4)


def test_that_discounts_favour_the_last_step():
    assert step_discounts(3, 0.5).tolist() == [0.25, 0.5, 1.0]


def test_that_the_loss_is_ppos_with_a_range_for_each_sample():
    new = torch.tensor([0.5, 0.05, -0.5, -0.05], requires_grad=True)
    advantages = torch.tensor([1.0, -2.0, -1.0, 2.0])
    clip = torch.tensor([0.2, 0.1, 0.3, 0.1])
    result = policy_loss(new, torch.zeros(4), advantages, clip, values_per_chunk=10)
    terms = [-1.2, 2.0 * math.exp(0.05), 0.7, -2.0 * math.exp(-0.05)]
    assert float(result.loss.detach()) == pytest.approx(sum(terms) / 4)
    assert float(result.clip_fraction) == 0.5
    assert float(result.kl) == pytest.approx(0.5 * 100 * (0.5 + 0.005) / 4)
    result.loss.backward()
    # no gradient where the ratio has left its range for the better
    expected = torch.tensor([0.0, 2.0 * math.exp(0.05), 0.0, -2.0 * math.exp(-0.05)]) / 4
    assert torch.allclose(new.grad, expected)


def test_that_advantages_of_a_minibatch_are_normalised():
    result = normalized(torch.tensor([1.0, 2.0, 3.0]))
    assert result.tolist() == pytest.approx([-1.0, 0.0, 1.0])
    assert normalized(torch.tensor([5.0])).tolist() == [0.0]


def test_that_decisions_of_worlds_with_their_own_rhythm_are_put_in_columns():
    grid = Grid(torch.tensor([0, 2, 0, 1, 0]))
    assert grid.shape == (3, 3)
    assert grid.table(torch.arange(5.0), -1.0).tolist() == [[0, 3, 1], [2, -1, -1], [4, -1, -1]]
    assert grid.flat(grid.table(torch.arange(5.0), -1.0)).tolist() == [0, 1, 2, 3, 4]


def test_that_a_truncation_bootstraps_from_its_final_observation_and_cuts_the_trace():
    # one world: two decisions cut off, then two of a new episode that ends in a success
    world = torch.zeros(4, dtype=torch.long)
    values = torch.tensor([1.0, 2.0, 3.0, 4.0])
    truncated = torch.tensor([False, True, False, False])
    terminated = torch.tensor([False, False, False, True])
    grid = Grid(world)
    following = next_values(grid, values, truncated, torch.tensor([10.0]))
    assert following[:2, 0].tolist() == [2.0, 10.0]  # not 3, the value of another episode's first observation
    columns = [grid.table(torch.tensor([0.0, 0.0, 0.0, 1.0]), 0.0), grid.table(values, 0.0), following]
    flags = (grid.table(terminated, True), grid.table(truncated, False))
    advantages = generalised_advantages(*columns, *flags, 0.5, 0.5)[:, 0]
    last = 1.0 - 4.0
    third = 0.5 * 4.0 - 3.0 + 0.25 * last
    second = 0.5 * 10.0 - 2.0
    assert advantages.tolist() == pytest.approx([0.5 * 2.0 - 1.0 + 0.25 * second, second, third, last])


def test_that_the_learner_uses_what_truncations_led_to(planner):
    config = DppoConfig()
    learner = Dppo(DiffusionChain(planner, config), config, 3, seed=0)
    decisions, _ = Plane(32, wind=5.0).explore(learner.chain, 0)
    assert len(decisions.final_obs) == 32
    first, _, _ = learner._advantages(decisions, decisions.obs)
    decisions.final_obs[0] += 1.0
    second, _, _ = learner._advantages(decisions, decisions.obs)
    world = decisions.world[decisions.truncated][0]
    assert torch.equal((first != second).nonzero()[:, 0], (decisions.world == world).nonzero()[:, 0])


def test_that_a_decision_ends_in_one_way_and_a_truncation_leads_somewhere():
    obs, chain = torch.zeros(1, 2, 2), torch.zeros(1, 2, 4, 23)
    world, reward, yes = torch.zeros(1, dtype=torch.long), torch.zeros(1), torch.ones(1, dtype=torch.bool)
    with pytest.raises(ValueError, match="not both"):
        Decisions(obs, chain, world, reward, yes, yes, yes, obs)
    with pytest.raises(ValueError, match="1 truncated decisions need as many final observations, got 0"):
        Decisions(obs, chain, world, reward, yes, ~yes, yes, obs[:0])


def test_that_rewards_are_scaled_by_the_running_return():
    scaler = RewardScaler(gamma=0.5, clip=10.0)
    reward = torch.tensor([[0.0, 1.0], [4.0, 1.0], [0.0, 7.0]])
    first = torch.tensor([[True, True], [False, True], [False, False]])
    valid = torch.tensor([[True, True], [True, True], [True, False]])
    scaled = scaler(reward, first, valid)
    returns = torch.tensor([0.0, 1.0, 4.0, 1.0, 2.0], dtype=torch.float64)  # padding is not counted
    assert scaler.variance == pytest.approx(float(returns.var()), rel=1e-3)
    assert torch.allclose(scaled[:2], reward[:2] / float(returns.std()), rtol=1e-3)
    copy = RewardScaler(0.5)
    copy.load_state_dict(scaler.state_dict())
    assert torch.equal(copy(reward, first, valid), scaler(reward, first, valid))


def test_that_scaled_rewards_are_clipped():
    scaler = RewardScaler(gamma=0.0, clip=2.0)
    reward = torch.zeros(100, 1)
    reward[0] = 1.0
    every = torch.ones(100, 1, dtype=torch.bool)
    assert float(scaler(reward, every, every).max()) == 2.0
