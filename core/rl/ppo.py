"""Proximal policy optimisation (Schulman et al., 2017) with a learning rate that follows the KL divergence."""

from collections import defaultdict
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from core.rl.env import Observation, VectorEnv
from core.rl.gae import generalised_advantages
from core.rl.networks import ActorCritic, gaussian_entropy, gaussian_kl, gaussian_log_prob
from core.rl.ppo_config import PpoConfig


@dataclass
class Rollout:
    """T steps of N agents, as the policy that acted saw them."""

    obs: Float[Tensor, "T N Do"]
    critic_obs: Float[Tensor, "T N Dc"]
    actions: Float[Tensor, "T N Da"]
    means: Float[Tensor, "T N Da"]
    std: Float[Tensor, "Da"]
    values: Float[Tensor, "T N"]
    next_values: Float[Tensor, "T N"]
    rewards: Float[Tensor, "T N"]
    terminated: Bool[Tensor, "T N"]
    truncated: Bool[Tensor, "T N"]
    log: dict[str, float]
    "the environment's scalars, averaged over the steps"


@dataclass
class _Minibatch:
    obs: Tensor
    critic_obs: Tensor
    actions: Tensor
    means: Tensor
    log_prob: Tensor
    advantages: Tensor
    returns: Tensor


class Ppo:
    """Collects rollouts with an actor-critic and improves it. All randomness comes from one generator."""

    def __init__(self, model: ActorCritic, config: PpoConfig, seed: int) -> None:
        self.model = model
        self.config = config
        self.device = next(model.parameters()).device
        self.optimizer = torch.optim.Adam(model.parameters(), lr=config.learning_rate)
        self.learning_rate = config.learning_rate
        self.learning_rate_cap = config.max_learning_rate
        "upper end of the learning rate now: a training may lower it towards its end"
        self.generator = torch.Generator(self.device).manual_seed(seed)

    @torch.no_grad()
    def collect(self, env: VectorEnv, observation: Observation) -> tuple[Rollout, Observation]:
        """Act for `steps_per_iteration` steps from `observation`; also returns where the next rollout starts."""
        columns: dict[str, list[Tensor]] = defaultdict(list)
        sums: dict[str, float] = defaultdict(float)
        std = self.model.actor.std()
        for _ in range(self.config.steps_per_iteration):
            mean = self.model.actor(observation.actor)
            noise = torch.randn(mean.shape, generator=self.generator, device=self.device)
            action = mean + std * noise
            step = env.step(action)
            row = {
                "obs": observation.actor,
                "critic_obs": observation.critic,
                "actions": action,
                "means": mean,
                "values": self.model.value(observation.critic),
                "next_values": self.model.value(step.final_critic),
                "rewards": step.reward,
                "terminated": step.terminated,
                "truncated": step.truncated,
            }
            for name, value in row.items():
                columns[name].append(value)
            for name, value in step.log.items():
                sums[name] += float(value) / self.config.steps_per_iteration
            observation = step.observation
        stacked = {name: torch.stack(values) for name, values in columns.items()}
        return Rollout(**stacked, std=std, log=dict(sums)), observation

    def update(self, rollout: Rollout) -> dict[str, float]:
        """Improve the model on a rollout, then take its observations into the normalisers. Returns scalars.

        Raises FloatingPointError when a loss is not finite.
        """
        batch = self._flatten(rollout)
        total: dict[str, float] = defaultdict(float)
        updates = self.config.epochs * self.config.minibatches
        for _ in range(self.config.epochs):
            order = torch.randperm(batch.obs.shape[0], generator=self.generator, device=self.device)
            for rows in order.chunk(self.config.minibatches):
                for name, value in self._step(_take(batch, rows), rollout.std).items():
                    total[name] += value / updates
        self.model.update_normalizers(rollout.obs, rollout.critic_obs)
        total["std"] = self.model.actor.std().mean().item()
        total["learning_rate"] = self.learning_rate
        total["reward"] = float(rollout.rewards.mean())
        return dict(total)

    def _flatten(self, rollout: Rollout) -> _Minibatch:
        c = self.config
        advantages = generalised_advantages(
            rollout.rewards,
            rollout.values,
            rollout.next_values,
            rollout.terminated,
            rollout.truncated,
            c.gamma,
            c.lam,
        )
        returns = advantages + rollout.values
        advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
        return _Minibatch(
            obs=rollout.obs.flatten(0, 1),
            critic_obs=rollout.critic_obs.flatten(0, 1),
            actions=rollout.actions.flatten(0, 1),
            means=rollout.means.flatten(0, 1),
            log_prob=gaussian_log_prob(rollout.actions, rollout.means, rollout.std).flatten(),
            advantages=advantages.flatten(),
            returns=returns.flatten(),
        )

    def _step(self, batch: _Minibatch, std_old: Tensor) -> dict[str, float]:
        c = self.config
        mean, std = self.model.actor(batch.obs), self.model.actor.std()
        with torch.no_grad():
            kl = float(gaussian_kl(batch.means, std_old, mean, std).mean())
        self._adapt_learning_rate(kl)

        ratio = (gaussian_log_prob(batch.actions, mean, std) - batch.log_prob).exp()
        clipped = ratio.clamp(1 - c.clip, 1 + c.clip)
        policy_loss = -torch.min(ratio * batch.advantages, clipped * batch.advantages).mean()
        value_loss = (self.model.value(batch.critic_obs) - batch.returns).square().mean()
        entropy = gaussian_entropy(std)
        loss = policy_loss + c.value_coefficient * value_loss - c.entropy_coefficient * entropy
        if not loss.isfinite():
            raise FloatingPointError(
                f"PPO loss is not finite (policy {policy_loss.item()}, value {value_loss.item()}): "
                "an observation, a reward or the learning rate is out of bounds"
            )
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), c.max_gradient_norm)
        self.optimizer.step()
        return {"policy_loss": float(policy_loss.detach()), "value_loss": float(value_loss.detach()), "kl": kl}

    def _adapt_learning_rate(self, kl: float) -> None:
        c = self.config
        if kl > 2 * c.target_kl:
            self.learning_rate = max(c.min_learning_rate, self.learning_rate / 1.5)
        elif 0 < kl < 0.5 * c.target_kl:
            self.learning_rate = self.learning_rate * 1.5
        self.learning_rate = min(self.learning_rate, self.learning_rate_cap)
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate

    def state_dict(self) -> dict[str, Tensor]:
        """Everything that an exact resume needs, as flat tensors: weights, normalisers, Adam, rate, generator."""
        state = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        for i, slots in self.optimizer.state_dict()["state"].items():
            state |= {f"adam.{i}.{name}": torch.as_tensor(value) for name, value in slots.items()}
        state["learning_rate"] = torch.tensor(self.learning_rate, dtype=torch.float64)
        state["generator"] = self.generator.get_state()
        return {name: value.detach().clone() for name, value in state.items()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Inverse of `state_dict`."""
        self.model.load_state_dict(
            {k.removeprefix("model."): v for k, v in state.items() if k.startswith("model.")}, strict=True
        )
        adam: dict[int, dict[str, Tensor]] = defaultdict(dict)
        for key, value in state.items():
            if key.startswith("adam."):
                _, index, name = key.split(".")
                adam[int(index)][name] = value
        self.learning_rate = float(state["learning_rate"])
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": dict(adam), "param_groups": groups})
        self.generator.set_state(state["generator"].cpu())


def _take(batch: _Minibatch, rows: Tensor) -> _Minibatch:
    return _Minibatch(**{name: value[rows] for name, value in vars(batch).items()})
