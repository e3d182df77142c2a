"""PPO on a control problem small enough to know the answer: drive a noisy 2-D point to a goal it is shown."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from core.rl.checkpoint import Layout, load_checkpoint, save_checkpoint
from core.rl.env import EnvStep, Observation
from core.rl.networks import ActorCritic
from core.rl.ppo import Ppo
from core.rl.ppo_config import ActorCriticConfig, PpoConfig

CONFIG = PpoConfig(steps_per_iteration=16, epochs=4, learning_rate=2e-3, gamma=0.9)
LAYOUT = Layout("toy", 1, (("point", 2), ("goal", 2)), ("vx", "vy"))


class PointToGoal:
    """Point at x, action moves it by 0.3 a; ends after 20 steps (truncation) or beyond 3 m (termination)."""

    def __init__(self, num_agents: int, seed: int) -> None:
        self.num_agents = num_agents
        self.generator = torch.Generator().manual_seed(seed)
        self.point = torch.zeros(num_agents, 2)
        self.goal = torch.zeros(num_agents, 2)
        self.age = torch.zeros(num_agents, dtype=torch.int64)

    def _start(self, rows: torch.Tensor) -> None:
        n = int(rows.sum())
        self.point[rows] = torch.rand(n, 2, generator=self.generator) * 2 - 1
        self.goal[rows] = torch.rand(n, 2, generator=self.generator) * 2 - 1
        self.age[rows] = torch.randint(0, 10, (n,), generator=self.generator)

    def _observe(self) -> Observation:
        return Observation(torch.cat((self.point, self.goal), -1), torch.cat((self.point, self.goal - self.point), -1))

    def reset(self) -> Observation:
        self._start(torch.ones(self.num_agents, dtype=torch.bool))
        return self._observe()

    def step(self, action: torch.Tensor) -> EnvStep:
        self.point = self.point + 0.3 * action.clamp(-1, 1)
        self.age += 1
        distance = (self.point - self.goal).norm(dim=-1)
        terminated = self.point.norm(dim=-1) > 3
        truncated = (self.age >= 20) & ~terminated
        final = self._observe()
        self._start(terminated | truncated)
        log = {"distance": distance.mean()}
        return EnvStep(self._observe(), -distance, terminated, truncated, final.critic, log)


def _ppo(seed: int = 0) -> Ppo:
    torch.manual_seed(seed)
    return Ppo(ActorCritic(4, 4, 2, ActorCriticConfig((32, 32), (32, 32))), CONFIG, seed)


def _train(ppo: Ppo, iterations: int) -> list[float]:
    env = PointToGoal(64, seed=1)
    observation, distances = env.reset(), []
    for _ in range(iterations):
        rollout, observation = ppo.collect(env, observation)
        ppo.update(rollout)
        distances.append(rollout.log["distance"])
    return distances


def test_that_a_point_learns_to_reach_its_goal():
    distances = _train(_ppo(), 60)
    assert distances[0] > 0.8
    assert distances[-1] < 0.35  # an oracle that moves 0.3 a step averages 0.17 with no exploration noise


def test_that_the_same_seed_gives_the_same_weights():
    first, second = _ppo(), _ppo()
    _train(first, 3)
    _train(second, 3)
    assert all(torch.equal(a, b) for a, b in zip(first.state_dict().values(), second.state_dict().values()))


def test_that_a_resumed_training_continues_bit_for_bit(tmp_path: Path):
    whole = _ppo()
    env, state = PointToGoal(64, seed=1), None
    observation = env.reset()
    for i in range(6):
        if i == 3:
            save_checkpoint(tmp_path / "c.safetensors", whole.state_dict(), LAYOUT, {})
            state = (env.point, env.goal.clone(), env.age.clone(), env.generator.get_state(), observation)
        rollout, observation = whole.collect(env, observation)
        whole.update(rollout)

    resumed = _ppo(seed=99)
    resumed.load_state_dict(load_checkpoint(tmp_path / "c.safetensors", LAYOUT)[0])
    assert state is not None
    env.point, env.goal, env.age, observation = state[0], state[1], state[2], state[4]
    env.generator.set_state(state[3])
    for _ in range(3):
        rollout, observation = resumed.collect(env, observation)
        resumed.update(rollout)
    expected, found = whole.state_dict(), resumed.state_dict()
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_that_the_learning_rate_follows_the_divergence():
    ppo = _ppo()
    ppo._adapt_learning_rate(kl=CONFIG.target_kl * 3)
    assert ppo.learning_rate == pytest.approx(2e-3 / 1.5)
    ppo._adapt_learning_rate(kl=CONFIG.target_kl)
    assert ppo.learning_rate == pytest.approx(2e-3 / 1.5)
    ppo._adapt_learning_rate(kl=CONFIG.target_kl / 3)
    assert ppo.optimizer.param_groups[0]["lr"] == pytest.approx(2e-3)
    ppo.learning_rate_cap = 1e-4
    ppo._adapt_learning_rate(kl=CONFIG.target_kl / 3)
    assert ppo.optimizer.param_groups[0]["lr"] == pytest.approx(1e-4)


def test_that_a_nan_reward_stops_the_update():
    ppo, env = _ppo(), PointToGoal(8, seed=0)
    rollout, _ = ppo.collect(env, env.reset())
    rollout.rewards[3, 2] = torch.nan
    with pytest.raises(FloatingPointError, match="reward"):
        ppo.update(rollout)


def test_that_impossible_settings_are_refused():
    with pytest.raises(ValueError, match=r"gamma must be in \[0, 1\], got 1.2"):
        replace(CONFIG, gamma=1.2)
    with pytest.raises(ValueError, match="learning_rate"):
        replace(CONFIG, learning_rate=1.0)
