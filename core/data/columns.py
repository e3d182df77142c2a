"""The arrays of an episode: from packed samples, derived, trimmed."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

PER_EPISODE = ("initial_state/", "physics/", "task_parameters/")
"""Arrays without one row a sample."""


def unpacked(rows: Sequence[bytes], dtype: np.dtype) -> dict[str, np.ndarray]:
    """(T, ...) arrays by field of T packed samples."""
    table = np.frombuffer(b"".join(rows), dtype)
    assert dtype.names is not None
    return {name: table[name] for name in dtype.names}


def derived_fields(count: int, success: bool) -> dict[str, np.ndarray]:
    """DERIVED_FIELDS of an episode of `count` samples."""
    rewards, dones = np.zeros(count, np.float32), np.zeros(count, np.uint8)
    rewards[-1], dones[-1] = float(success), 1
    return {"rewards": rewards, "dones": dones}


def trimmed(arrays: Mapping[str, np.ndarray], start: int, stop: int) -> dict[str, np.ndarray]:
    """Samples start <= t < stop of an episode; the initial state becomes the state of the first."""
    result = {name: array if name.startswith(PER_EPISODE) else array[start:stop] for name, array in arrays.items()}
    for name in arrays:
        if name.startswith("initial_state/"):
            result[name] = arrays[name.replace("initial_state/", "states/", 1)][start : start + 1]
    return result


def as_stored(value: Any) -> np.ndarray:
    """A parameter as it is stored: floats in single precision."""
    array = np.asarray(value)
    return array.astype(np.float32) if array.dtype.kind == "f" else array
