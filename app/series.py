"""Ring buffers behind the live plots: the last seconds of a few quantities, in fixed memory."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from trainer.session.messages import Telemetry

HISTORY_SAMPLES = 3600
"Two minutes at the display rate"


class RingBuffer:
    """The last `capacity` rows of time and K values, readable in order without copying twice."""

    def __init__(self, columns: int, capacity: int = HISTORY_SAMPLES) -> None:
        if capacity < 1:
            raise ValueError(f"a ring buffer holds at least 1 row, got {capacity}")
        # every row is written twice, `capacity` apart, so that the newest rows are always one contiguous slice
        self._rows = np.full((2 * capacity, columns + 1), np.nan)
        self._capacity = capacity
        self._written = 0

    def append(self, time_s: float, values: np.ndarray) -> None:
        """Add a row."""
        index = self._written % self._capacity
        for row in (index, index + self._capacity):
            self._rows[row, 0] = time_s
            self._rows[row, 1:] = values
        self._written += 1

    def clear(self) -> None:
        """Forget everything."""
        self._written = 0

    def __len__(self) -> int:
        return min(self._written, self._capacity)

    def window(self, seconds: float) -> tuple[np.ndarray, np.ndarray]:
        """Times (T,) and values (T, K) of the last seconds, oldest first: views, valid until the next append."""
        count = len(self)
        if count == 0:
            return self._rows[:0, 0], self._rows[:0, 1:]
        end = (self._written - 1) % self._capacity + self._capacity + 1
        rows = self._rows[end - count : end]
        first = int(np.searchsorted(rows[:, 0], rows[-1, 0] - seconds))
        return rows[first:, 0], rows[first:, 1:]


@dataclass(frozen=True)
class Quantity:
    """One live plot: what it shows and where its values come from."""

    key: str
    title: str
    unit: str
    names: tuple[str, ...]
    read: Callable[[Telemetry], np.ndarray]
    "values (K,), one for each name"
    dashed: tuple[int, ...] = ()
    "indices of names drawn dashed (commands)"
    colours: tuple[int, ...] = ()
    "index into the theme's series for each name; default 0, 1, ..."
    decimals: int = 2
    limit: float | None = None
    "a horizontal line: a target or a budget"


def _velocity(t: Telemetry) -> np.ndarray:
    return np.stack((t.velocity_command[:2], t.velocity_actual[:2]), axis=1).ravel()


def _turn_rate(t: Telemetry) -> np.ndarray:
    return np.array([t.velocity_command[2], t.velocity_actual[2]])


def _hand_position_error_mm(t: Telemetry) -> np.ndarray:
    return 1e3 * np.asarray(t.hand_pos_error_m)


def _hand_rotation_error_deg(t: Telemetry) -> np.ndarray:
    return np.rad2deg(t.hand_rot_error_rad)


def _foot_error_mm(t: Telemetry) -> np.ndarray:
    return np.array([1e3 * t.foot_error_m])


def _loop_ms(t: Telemetry) -> np.ndarray:
    return np.array([t.loop.backend_ms, t.loop.controller_ms, t.loop.source_ms + t.loop.safety_ms, t.loop.slack_ms])


QUANTITIES: tuple[Quantity, ...] = (
    Quantity(
        "velocity", "Base velocity", "m/s", ("vx cmd", "vx", "vy cmd", "vy"), _velocity,
        dashed=(0, 2), colours=(0, 0, 1, 1),
    ),
    Quantity("turn_rate", "Turn rate", "rad/s", ("wz cmd", "wz"), _turn_rate, dashed=(0,), colours=(2, 2)),
    Quantity("hand_position", "Hand position error", "mm", ("left", "right"), _hand_position_error_mm, decimals=1),
    Quantity("hand_rotation", "Hand angle error", "°", ("left", "right"), _hand_rotation_error_deg, decimals=1),
    Quantity(
        "foot", "Foot placement error", "mm", ("last step",), _foot_error_mm, colours=(2,), decimals=0, limit=20.0,
    ),
    Quantity(
        "loop", "Loop", "ms", ("backend", "control", "source", "slack"), _loop_ms,
        colours=(0, 1, 2, 7), dashed=(3,), decimals=1, limit=20.0,
    ),
)  # fmt: skip


class LiveSeries:
    """Everything that is plotted live."""

    def __init__(self, quantities: tuple[Quantity, ...] = QUANTITIES) -> None:
        self.quantities = quantities
        self._buffers = {q.key: RingBuffer(len(q.names)) for q in quantities}
        self._clock_s = 0.0
        self._last_tick = -1

    def add(self, telemetry: Telemetry, period_s: float) -> None:
        """Add a sample, once for each control tick; the time axis is the loop's own clock and never runs back."""
        if telemetry.tick < self._last_tick:
            self.clear()
        if telemetry.tick == self._last_tick:
            return
        self._last_tick, self._clock_s = telemetry.tick, telemetry.tick * period_s
        for quantity in self.quantities:
            self._buffers[quantity.key].append(self._clock_s, quantity.read(telemetry))

    def clear(self) -> None:
        """Forget everything: another session."""
        self._last_tick = -1
        for buffer in self._buffers.values():
            buffer.clear()

    def window(self, key: str, seconds: float) -> tuple[np.ndarray, np.ndarray]:
        """Times and values of a quantity."""
        return self._buffers[key].window(seconds)
