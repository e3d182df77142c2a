"""Actor and critic networks and the observation normaliser that travels with them."""

import itertools
import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from core.rl.ppo_config import ActorCriticConfig

LOG_2PI = math.log(2 * math.pi)


class RunningNormalizer(nn.Module):
    """Mean and variance of everything it was shown (parallel Welford); output clipped to +-10 standard deviations."""

    CLIP = 10.0
    mean: Tensor
    variance: Tensor
    count: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("variance", torch.ones(size))
        self.register_buffer("count", torch.zeros((), dtype=torch.float64))

    @torch.no_grad()
    def update(self, x: Float[Tensor, "*n D"]) -> None:
        """Take a batch (..., D) into the statistics."""
        x = x.reshape(-1, x.shape[-1])
        count = x.shape[0]
        total = self.count + count
        share = (count / total).to(x.dtype)
        delta = x.mean(dim=0) - self.mean
        spread = (1 - share) * self.variance + share * x.var(dim=0, unbiased=False)
        self.variance.copy_(spread + share * (1 - share) * delta.square() if self.count > 0 else x.var(0, False))
        self.mean.add_(share * delta)
        self.count.copy_(total)

    def forward(self, x: Float[Tensor, "*n D"]) -> Float[Tensor, "*n D"]:
        """(..., D) with zero mean and unit variance."""
        return ((x - self.mean) * (self.variance + 1e-4).rsqrt()).clamp(-self.CLIP, self.CLIP)


def mlp(inputs: int, hidden: Sequence[int], outputs: int, last_gain: float) -> nn.Sequential:
    """ELU perceptron with orthogonal weights; a small `last_gain` makes the first outputs small."""
    sizes = [inputs, *hidden]
    layers: list[nn.Module] = []
    for a, b in itertools.pairwise(sizes):
        layers += [_linear(a, b, math.sqrt(2)), nn.ELU()]
    return nn.Sequential(*layers, _linear(sizes[-1], outputs, last_gain))


def _linear(inputs: int, outputs: int, gain: float) -> nn.Linear:
    layer = nn.Linear(inputs, outputs)
    nn.init.orthogonal_(layer.weight, gain)
    nn.init.zeros_(layer.bias)
    return layer


class Actor(nn.Module):
    """Gaussian policy: mean of the normalised observation, standard deviation independent of the state."""

    def __init__(self, obs_size: int, action_size: int, config: ActorCriticConfig) -> None:
        super().__init__()
        self.normalizer = RunningNormalizer(obs_size)
        self.body = mlp(obs_size, config.actor_hidden, action_size, last_gain=0.01)
        self.log_std = nn.Parameter(torch.full((action_size,), math.log(config.initial_std)))
        self._min_log_std = math.log(config.min_std)

    def forward(self, obs: Float[Tensor, "*n Do"]) -> Float[Tensor, "*n Da"]:
        """Mean action, (..., Do) -> (..., Da): what is deployed."""
        return self.body(self.normalizer(obs))

    def std(self) -> Float[Tensor, "Da"]:
        """(Da,) standard deviation, not below the configured floor."""
        return self.log_std.clamp_min(self._min_log_std).exp()


class ActorCritic(nn.Module):
    """An actor and a critic that may see more than the actor (asymmetric)."""

    def __init__(
        self, obs_size: int, critic_obs_size: int, action_size: int, config: ActorCriticConfig | None = None
    ) -> None:
        super().__init__()
        self.config = config or ActorCriticConfig()
        self.actor = Actor(obs_size, action_size, self.config)
        self.critic_normalizer = RunningNormalizer(critic_obs_size)
        self.critic = mlp(critic_obs_size, self.config.critic_hidden, 1, last_gain=1.0)

    def value(self, critic_obs: Float[Tensor, "*n Dc"]) -> Float[Tensor, "*n"]:
        """Expected return, (..., Dc) -> (...)."""
        return self.critic(self.critic_normalizer(critic_obs)).squeeze(-1)

    def update_normalizers(self, obs: Float[Tensor, "*n Do"], critic_obs: Float[Tensor, "*n Dc"]) -> None:
        """Take a rollout's observations into both normalisers."""
        self.actor.normalizer.update(obs)
        self.critic_normalizer.update(critic_obs)


def gaussian_log_prob(
    x: Float[Tensor, "*n D"], mean: Float[Tensor, "*n D"], std: Float[Tensor, "D"]
) -> Float[Tensor, "*n"]:
    """Log density of a diagonal Gaussian, (..., D) -> (...)."""
    return (-0.5 * ((x - mean) / std).square() - std.log() - 0.5 * LOG_2PI).sum(dim=-1)


def gaussian_entropy(std: Float[Tensor, "D"]) -> Float[Tensor, ""]:
    """Entropy of a diagonal Gaussian, nats."""
    return (std.log() + 0.5 * (1 + LOG_2PI)).sum()


def gaussian_kl(
    mean_old: Float[Tensor, "*n D"],
    std_old: Float[Tensor, "D"],
    mean: Float[Tensor, "*n D"],
    std: Float[Tensor, "D"],
) -> Float[Tensor, "*n"]:
    """KL(old || new) of diagonal Gaussians, (..., D) -> (...)."""
    ratio = (std_old / std).square()
    return 0.5 * (ratio - 1 - ratio.log() + ((mean - mean_old) / std).square()).sum(dim=-1)
