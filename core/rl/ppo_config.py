"""Settings of PPO and sizes of its networks (no torch: forms and command lines read them)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PpoConfig:
    """Settings of PPO."""

    steps_per_iteration: int = 24
    "steps of every agent between updates"
    epochs: int = 3
    "passes over a rollout"
    minibatches: int = 4
    "parts of a pass"
    gamma: float = 0.98
    "discount per step"
    lam: float = 0.95
    "lambda of generalised advantage estimation"
    clip: float = 0.2
    "clip range of the probability ratio"
    value_coefficient: float = 1.0
    "weight of the value loss"
    entropy_coefficient: float = 0.002
    "weight of the entropy bonus"
    max_gradient_norm: float = 1.0
    "clip of the gradient norm"
    learning_rate: float = 1e-3
    "first learning rate (Adam)"
    min_learning_rate: float = 1e-5
    "lower end of the adaptive learning rate"
    max_learning_rate: float = 2e-3
    "upper end of the adaptive learning rate"
    target_kl: float = 0.018
    "KL divergence of a minibatch update above twice / below half of which the rate is divided / multiplied by 1.5"

    def __post_init__(self) -> None:
        for name in ("steps_per_iteration", "epochs", "minibatches", "target_kl", "max_gradient_norm", "clip"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")
        for name in ("gamma", "lam"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be in [0, 1], got {getattr(self, name)}")
        if not 0 < self.min_learning_rate <= self.learning_rate <= self.max_learning_rate:
            raise ValueError(
                "0 < min_learning_rate <= learning_rate <= max_learning_rate is needed, got "
                f"{self.min_learning_rate}, {self.learning_rate}, {self.max_learning_rate}"
            )


@dataclass(frozen=True)
class ActorCriticConfig:
    """Sizes of an actor and a critic."""

    actor_hidden: tuple[int, ...] = (256, 128)
    "hidden layers of the actor (ELU)"
    critic_hidden: tuple[int, ...] = (256, 128)
    "hidden layers of the critic (ELU)"
    initial_std: float = 0.5
    "standard deviation of the first actions"
    min_std: float = 0.02
    "floor of the standard deviation: exploration never dies"

    def __post_init__(self) -> None:
        if not 0 < self.min_std <= self.initial_std:
            raise ValueError(f"0 < min_std <= initial_std is needed, got {self.min_std} and {self.initial_std}")
        if not self.actor_hidden or not self.critic_hidden or min(self.actor_hidden + self.critic_hidden) < 1:
            raise ValueError(f"hidden layers need positive sizes, got {self.actor_hidden} and {self.critic_hidden}")
