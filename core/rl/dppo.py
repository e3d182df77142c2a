"""Diffusion policy policy optimisation (Ren et al., 2024; paper, section III-C): PPO over chains of Gaussian steps.

One sample is a pair of decision and denoising step. Also serves the baselines, whose chains are other ones.
"""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from core.rl.chains import Chain, DiffusionChain
from core.rl.decisions import Decisions, Grid, next_values
from core.rl.finetune_config import DppoConfig
from core.rl.gae import generalised_advantages
from core.rl.networks import mlp
from core.rl.optimizer_state import load_optimizer_tensors, optimizer_tensors, with_prefix
from core.rl.reward_scale import RewardScaler


def clip_ranges(length: int, first: float, last: float, rate: float) -> Float[Tensor, "J"]:
    """Clip range of each step: `first` in the noisiest one, growing exponentially to `last`, which a single one has."""
    if length == 1:
        return torch.tensor([last])
    share = torch.arange(length) / (length - 1)
    return first + (last - first) * torch.expm1(rate * share) / math.expm1(rate)


def step_discounts(length: int, gamma: float) -> Float[Tensor, "J"]:
    """gamma to the number of denoising steps that still follow: 1 in the last step."""
    return gamma ** torch.arange(length - 1, -1, -1).float()


def normalized(advantages: Float[Tensor, "B"]) -> Float[Tensor, "B"]:
    """Zero mean and unit deviation; zeros where there is nothing to compare with."""
    if len(advantages) < 2:
        return torch.zeros_like(advantages)
    return (advantages - advantages.mean()) / (advantages.std() + 1e-8)


@dataclass(frozen=True)
class PolicyLoss:
    """The clipped surrogate and how far the policy has moved."""

    loss: Float[Tensor, ""]
    kl: Float[Tensor, ""]
    "nats per chunk: half the mean square of the summed log-ratio (the k2 estimate, bounded where k3 is not)"
    clip_fraction: Float[Tensor, ""]


def policy_loss(
    log_prob: Float[Tensor, "B"],
    old_log_prob: Float[Tensor, "B"],
    advantages: Float[Tensor, "B"],
    clip: Float[Tensor, "B"],
    values_per_chunk: int,
) -> PolicyLoss:
    """PPO's clipped loss with a clip range for each sample; log-probabilities are means over `values_per_chunk`."""
    log_ratio = log_prob - old_log_prob
    ratio = log_ratio.exp()
    clipped = torch.minimum(torch.maximum(ratio, 1 - clip), 1 + clip)
    loss = torch.maximum(-advantages * ratio, -advantages * clipped).mean()
    moved = log_ratio.detach()
    kl = 0.5 * (values_per_chunk * moved).square().mean()
    return PolicyLoss(loss, kl, ((ratio.detach() - 1).abs() > clip).float().mean())


class Dppo:
    """Improves a chain from decisions. All randomness comes from one generator; resume on a CPU is exact to the bit."""

    def __init__(self, chain: Chain, config: DppoConfig, executed_steps: int, seed: int) -> None:
        """Raises ValueError when more steps are executed than a chunk has, or none of them can vary."""
        planner, layout = chain.planner, chain.planner.layout
        if not 1 <= executed_steps <= layout.action_chunk:
            raise ValueError(
                f"executed_steps must lie between 1 and the chunk of {layout.action_chunk}, got {executed_steps}"
            )
        self.chain = chain
        self.config = config
        self.executed_steps = executed_steps
        self.iterations = 0
        self.device = planner.device
        # what never varied in the data is not passed on by the normaliser: its noise has no consequences
        self._columns = (~planner.actions.is_constant).nonzero()[:, 0]
        self.values_per_chunk = executed_steps * len(self._columns)
        if self.values_per_chunk == 0:
            raise ValueError("no component of the commands varies in this planner's data: there is nothing to learn")
        self.generator = torch.Generator(self.device).manual_seed(seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            inputs = layout.observation_horizon * layout.observation_size
            self.critic = mlp(inputs, config.critic_hidden, 1, last_gain=0.1).to(self.device)
        self._parameters = chain.parameters()
        self.optimizer = torch.optim.AdamW(self._parameters, lr=config.learning_rate, weight_decay=0.0, fused=True)
        self.critic_optimizer = torch.optim.AdamW(
            self.critic.parameters(), lr=config.critic_learning_rate, weight_decay=0.0, fused=True
        )
        self.scaler = RewardScaler(config.reward_gamma, config.reward_clip)
        # of the mean log-probability: the change of the sum is bounded whatever the number of values
        totals = clip_ranges(chain.length, config.clip_total_first, config.clip_total, config.clip_rate)
        self.clip = (totals / self.values_per_chunk).to(self.device)
        self.discounts = step_discounts(chain.length, config.gamma_denoising).to(self.device)

    @property
    def warming_up(self) -> bool:
        """Whether only the critic learns as yet."""
        return self.iterations < self.config.critic_warmup

    def values(self, obs: Float[Tensor, "B To Do"]) -> Float[Tensor, "B"]:
        """Expected scaled return after observations."""
        return self.critic(obs.flatten(1)).squeeze(-1)

    def log_prob(
        self, obs: Float[Tensor, "B To Do"], chain: Float[Tensor, "B J1 Tp Da"], j: Int[Tensor, "B"]
    ) -> Float[Tensor, "B"]:
        """Mean log density of the values that are executed, of step j of each row."""
        rows = torch.arange(len(j), device=j.device)
        dense = self.chain.log_prob(obs, chain[rows, j], chain[rows, j + 1], j)
        return dense[:, : self.executed_steps][..., self._columns].mean(dim=(1, 2))

    # ------------------------------------------------------------------ an iteration

    def update(self, decisions: Decisions) -> dict[str, float]:
        """Learn from an iteration's decisions. Returns scalars.

        Raises FloatingPointError, with the weights as they were before the step that failed, when a loss or a
        gradient is not finite.
        """
        started_s = time.perf_counter()
        obs, chain = decisions.obs.to(self.device), decisions.chain.to(self.device)
        advantages, returns, explained = self._advantages(decisions, obs)
        old = self._old_log_probs(obs, chain)  # (M, J)
        scored_s = time.perf_counter()
        log: list[dict[str, float]] = []
        for pairs in self._minibatches(len(decisions)):
            m, j = pairs // self.chain.length, pairs % self.chain.length
            log.append(self._step(obs[m], chain[m], j, old[m, j], advantages[m], returns[m]))
            if log[-1]["kl"] > self.config.target_kl:
                break
        self.iterations += 1
        return {
            **{name: sum(scalars[name] for scalars in log) / len(log) for name in log[-1]},
            "kl": log[-1]["kl"],
            "explained_variance": explained,
            "updates": len(log),
            "reward_scale": (self.scaler.variance + 1e-8) ** -0.5,
            "log_prob_s": scored_s - started_s,
            "update_s": time.perf_counter() - scored_s,
        }

    @torch.no_grad()
    def _advantages(self, d: Decisions, obs: Tensor) -> tuple[Tensor, Tensor, float]:
        """Advantages and returns (M,) of decisions, and the share of the returns' variance that the critic foresaw."""
        values = self.values(obs).cpu()
        final = self.values(d.final_obs.to(self.device)).cpu() if len(d.final_obs) else torch.zeros(0)
        grid = Grid(d.world)
        rewards = self.scaler(grid.table(d.reward, 0.0), grid.table(d.first, False), grid.valid)
        table = generalised_advantages(
            rewards,
            grid.table(values, 0.0),
            next_values(grid, values, d.truncated, final),
            grid.table(d.terminated, True),
            grid.table(d.truncated, False),
            self.config.gamma,
            self.config.lam,
        )
        advantages = grid.flat(table)
        returns = advantages + values
        spread = float(returns.var(unbiased=False))
        explained = 1 - float(advantages.var(unbiased=False)) / spread if spread > 0 else math.nan
        return advantages.to(self.device), returns.to(self.device), explained

    @torch.no_grad()
    def _old_log_probs(self, obs: Tensor, chain: Tensor) -> Tensor:
        """(M, J) by the network and in the precision of the update, not as sampled."""
        length = self.chain.length
        pairs = torch.arange(len(obs) * length, device=self.device)
        parts = []
        for part in pairs.split(self.config.batch_size):
            m = part // length
            parts.append(self.log_prob(obs[m], chain[m], part % length))
        return torch.cat(parts).view(len(obs), length)

    def _minibatches(self, decisions: int) -> Iterator[Tensor]:
        """Every epoch, all pairs in a random order in parts of about the batch size, none of them tiny."""
        pairs = decisions * self.chain.length
        for _ in range(self.config.epochs):
            order = torch.randperm(pairs, generator=self.generator, device=self.device)
            yield from order.chunk(max(1, round(pairs / self.config.batch_size)))

    def _step(
        self, obs: Tensor, chain: Tensor, j: Tensor, old: Tensor, advantages: Tensor, returns: Tensor
    ) -> dict[str, float]:
        c = self.config
        value_loss = 0.5 * (self.values(obs) - returns).square().mean()
        _check_finite("value loss", value_loss)
        if self.warming_up:
            self._descend(self.critic_optimizer, value_loss)
            return {"value_loss": float(value_loss.detach()), "policy_loss": 0.0, "kl": 0.0, "clip_fraction": 0.0}
        weighted = normalized(advantages) * self.discounts[j]
        policy = policy_loss(self.log_prob(obs, chain, j), old, weighted, self.clip[j], self.values_per_chunk)
        loss = policy.loss
        imitation = self._imitation_loss(obs) if c.bc_coefficient > 0 else torch.zeros(())
        loss = loss + c.bc_coefficient * imitation.to(loss.device)
        _check_finite("policy loss", loss)
        self.optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self._parameters, c.gradient_clip)
        _check_finite("gradient of the policy", norm)
        self.optimizer.step()
        self._descend(self.critic_optimizer, value_loss)
        return {
            "value_loss": float(value_loss.detach()),
            "policy_loss": float(policy.loss.detach()),
            "kl": float(policy.kl),
            "clip_fraction": float(policy.clip_fraction),
            "gradient_norm": float(norm),
            **({"imitation_loss": float(imitation.detach())} if c.bc_coefficient > 0 else {}),
        }

    @staticmethod
    def _descend(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    def _imitation_loss(self, obs: Float[Tensor, "B To Do"]) -> Float[Tensor, ""]:
        """How unlikely the frozen planner's chains on these observations are for the one that learns."""
        chain = self.chain
        if not isinstance(chain, DiffusionChain):
            raise ValueError("bc_coefficient is for diffusion planners; set it to 0")
        layout = chain.planner.layout
        shape = (chain.noise_count, len(obs), layout.action_chunk, layout.action_size)
        noise = torch.randn(shape, generator=self.generator, device=self.device)
        own = chain.sample_base(obs, noise)
        length = chain.length
        rows = torch.arange(len(obs), device=self.device).repeat_interleave(length)
        j = torch.arange(length, device=self.device).repeat(len(obs))
        return -self.log_prob(obs[rows], own[rows], j).mean()

    # ------------------------------------------------------------------ resume

    def state_dict(self) -> dict[str, Tensor]:
        """Weights that learn, critic, both optimisers, reward scale, generator and iteration, as flat tensors."""
        state = {f"parameter.{i}": p for i, p in enumerate(self._parameters)}
        state |= {f"critic.{name}": value for name, value in self.critic.state_dict().items()}
        state |= optimizer_tensors(self.optimizer, "adam.")
        state |= optimizer_tensors(self.critic_optimizer, "critic_adam.")
        state |= {f"scaler.{name}": value for name, value in self.scaler.state_dict().items()}
        state["generator"] = self.generator.get_state()
        state["iterations"] = torch.tensor(self.iterations)
        return {name: value.detach().clone() for name, value in state.items()}

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Inverse of `state_dict`, for the same planner and config."""
        for i, parameter in enumerate(self._parameters):
            parameter.copy_(state[f"parameter.{i}"])
        self.critic.load_state_dict(with_prefix(state, "critic."))
        load_optimizer_tensors(self.optimizer, state, "adam.")
        load_optimizer_tensors(self.critic_optimizer, state, "critic_adam.")
        self.scaler.load_state_dict(with_prefix(state, "scaler."))
        self.generator.set_state(state["generator"].cpu())
        self.iterations = int(state["iterations"])


def _check_finite(what: str, value: Tensor) -> None:
    if not bool(value.isfinite().all()):
        raise FloatingPointError(
            f"the {what} is {value.detach().item()}: an observation, a reward or a learning rate is out of bounds"
        )
