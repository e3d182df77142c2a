"""Rewards divided by the standard deviation of a running discounted return, so that one critic rate fits all tasks."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


class RewardScaler:
    """Statistics over all iterations; a call's own rewards count in the scale that they get."""

    def __init__(self, gamma: float = 0.99, clip: float = 10.0) -> None:
        self.gamma = gamma
        self.clip = clip
        self.mean = 0.0
        self.variance = 1.0
        self.count = 1e-4

    def __call__(
        self, reward: Float[Tensor, "T N"], first: Bool[Tensor, "T N"], valid: Bool[Tensor, "T N"]
    ) -> Float[Tensor, "T N"]:
        """Scaled rewards (T, N). `first`: an episode begins there; rows that are not `valid` are padding."""
        returns = torch.empty_like(reward)
        running = torch.zeros_like(reward[0])
        for t in range(len(reward)):
            running = reward[t] + torch.where(first[t], 0.0, self.gamma) * running
            returns[t] = running
        self._take(returns[valid].double())
        return (reward / (self.variance + 1e-8) ** 0.5).clamp(-self.clip, self.clip)

    def _take(self, values: Float[Tensor, "M"]) -> None:
        """Parallel update of mean and variance (Chan et al., 1979)."""
        if len(values) < 2:
            return
        count, delta = len(values), float(values.mean()) - self.mean
        total = self.count + count
        spread = (
            self.variance * self.count
            + float(values.var(unbiased=False)) * count
            + delta**2 * self.count * count / total
        )
        self.mean += delta * count / total
        self.variance = spread / (total - 1)
        self.count = total

    def state_dict(self) -> dict[str, Tensor]:
        """The statistics."""
        return {"statistics": torch.tensor((self.mean, self.variance, self.count), dtype=torch.float64)}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Inverse of `state_dict`."""
        self.mean, self.variance, self.count = state["statistics"].tolist()
