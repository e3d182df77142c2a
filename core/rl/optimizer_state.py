"""Optimisers as flat tensors, for checkpoints that are data."""

import torch
from torch import Tensor


def optimizer_tensors(optimizer: torch.optim.Optimizer, prefix: str) -> dict[str, Tensor]:
    """`<prefix><parameter>.<slot>` -> tensor."""
    slots = optimizer.state_dict()["state"]
    return {f"{prefix}{i}.{name}": torch.as_tensor(v) for i, values in slots.items() for name, v in values.items()}


def load_optimizer_tensors(optimizer: torch.optim.Optimizer, state: dict[str, Tensor], prefix: str) -> None:
    """Inverse of `optimizer_tensors`; rates and other settings stay as they are."""
    slots: dict[int, dict[str, Tensor]] = {}
    for name, value in with_prefix(state, prefix).items():
        index, slot = name.split(".")
        slots.setdefault(int(index), {})[slot] = value
    optimizer.load_state_dict({"state": slots, "param_groups": optimizer.state_dict()["param_groups"]})


def with_prefix(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The entries under a prefix, without it."""
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
