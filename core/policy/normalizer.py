"""Each dimension of the data to [-1, 1] by its smallest and largest value; fitted once, stored with the planner."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

MIN_RANGE = 1e-3
"""A column that varies less than this (m, rad, m/s) is constant: noise must not be blown up to [-1, 1]."""


class Normalizer(nn.Module):
    """Maps [low, high] of each column to [-1, 1]. A constant column becomes 0, and comes back as its middle."""

    low: Tensor
    high: Tensor
    clip: Tensor

    def __init__(self, low: Float[Tensor, "D"], high: Float[Tensor, "D"], clip: float = math.inf) -> None:
        """`clip` bounds the normalised values to [-clip, clip]; infinity leaves them. Raises ValueError."""
        super().__init__()
        if not bool((low <= high).all()):
            raise ValueError("a normaliser needs low <= high in every column")
        if not clip >= 1.0:
            raise ValueError(f"clip must be at least 1, the range of the data it was fitted on; got {clip}")
        self.register_buffer("low", low.clone())
        self.register_buffer("high", high.clone())
        self.register_buffer("clip", torch.tensor(clip))

    @classmethod
    def fit(
        cls, data: Float[Tensor, "M D"], clip: float = math.inf, floor: Float[Tensor, "D"] | None = None
    ) -> "Normalizer":
        """From rows of data. Raises ValueError without rows or when a value is not finite.

        A column that varies, but less than its `floor`, is scaled by the floor: it stays inside [-1, 1], and what
        hardly matters does not weigh as much as what does.
        """
        if data.shape[0] == 0:
            raise ValueError("a normaliser cannot be fitted on no data")
        if not bool(data.isfinite().all()):
            columns = (~data.isfinite().all(dim=0)).nonzero()[:, 0].tolist()
            raise ValueError(f"the data are not finite in columns {columns}: check the data set")
        low, high = data.amin(dim=0), data.amax(dim=0)
        if floor is not None:
            missing = torch.where(high - low < MIN_RANGE, 0.0, (floor - (high - low)).clamp_min(0.0))
            low, high = low - 0.5 * missing, high + 0.5 * missing
        return cls(low, high, clip)

    @classmethod
    def identity(cls, size: int) -> "Normalizer":
        """Leaves values as they are; also the shape into which a stored one is loaded."""
        return cls(-torch.ones(size), torch.ones(size))

    @property
    def size(self) -> int:
        """D."""
        return self.low.shape[0]

    @property
    def is_constant(self) -> Bool[Tensor, "D"]:
        """(D,) columns that did not vary."""
        return self.high - self.low < MIN_RANGE

    def constant_columns(self, names: Sequence[str]) -> tuple[str, ...]:
        """Names of the columns that did not vary, to be shown: the planner cannot react to them."""
        return tuple(name for name, constant in zip(names, self.is_constant.tolist(), strict=True) if constant)

    def normalize(self, x: Float[Tensor, "*n D"]) -> Float[Tensor, "*n D"]:
        """(..., D) to [-1, 1] within the range of the data."""
        scale = torch.where(self.is_constant, 0.0, 2.0 / (self.high - self.low).clamp_min(MIN_RANGE))
        return ((x - self._middle) * scale).clamp(-self.clip, self.clip)

    def unnormalize(self, x: Float[Tensor, "*n D"]) -> Float[Tensor, "*n D"]:
        """Inverse of `normalize`; constant columns come back as the constant whatever x says."""
        half = torch.where(self.is_constant, 0.0, 0.5 * (self.high - self.low))
        return self._middle + half * x

    @property
    def _middle(self) -> Tensor:
        return 0.5 * (self.low + self.high)
