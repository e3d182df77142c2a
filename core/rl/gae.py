"""Generalised advantage estimation (Schulman et al., 2016), with terminations told from truncations."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def generalised_advantages(
    rewards: Float[Tensor, "T N"],
    values: Float[Tensor, "T N"],
    next_values: Float[Tensor, "T N"],
    terminated: Bool[Tensor, "T N"],
    truncated: Bool[Tensor, "T N"],
    gamma: float,
    lam: float,
) -> Float[Tensor, "T N"]:
    """Advantages (T, N).

    `next_values[t]` is the value of the observation that step t led to, *before* any reset: after a truncation the
    return goes on from there (bootstraps), after a termination nothing follows. Both cut the sum over later steps.
    """
    alive = (~terminated).to(values.dtype)
    unbroken = (~(terminated | truncated)).to(values.dtype)
    deltas = rewards + gamma * alive * next_values - values
    advantages = torch.empty_like(values)
    running = torch.zeros_like(values[0])
    for t in reversed(range(values.shape[0])):
        running = deltas[t] + gamma * lam * unbroken[t] * running
        advantages[t] = running
    return advantages
