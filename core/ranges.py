"""Ranges of numbers that are drawn at random, and their check (no torch)."""

import math
from dataclasses import fields
from typing import Any

Range = tuple[float, float]
"""(low, high), both included; equal ends fix the number."""


def check_range(name: str, value: Range, at_least: float = -math.inf, above: float = -math.inf) -> None:
    """Raises ValueError unless both ends are finite, in order, not below `at_least` and above `above`."""
    low, high = value
    if math.isfinite(low) and math.isfinite(high) and at_least <= low <= high and low > above:
        return
    border = f"{at_least:g} <= " if at_least > above else f"{above:g} < " if above > -math.inf else ""
    raise ValueError(f"{name} must be (low, high) with {border}low <= high, both finite, got {value}")


def check_ranges(config: Any, positive: tuple[str, ...] = ()) -> None:
    """Check every field of a dataclass that is a `Range`; those named must lie above 0. Raises ValueError."""
    for field in fields(config):
        if field.type == Range:
            above = 0.0 if field.name in positive else -math.inf
            check_range(field.name, getattr(config, field.name), above=above)
