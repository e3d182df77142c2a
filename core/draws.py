"""Random draws from ranges."""

import torch
from torch import Tensor

from core.ranges import Range


def uniform(value_range: Range, shape: int | tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Uniform samples of a closed range, of the shape asked for."""
    low, high = value_range
    return low + (high - low) * torch.rand(shape, generator=generator)
