"""A recorded operator as a device: the same samples before the same looks, by the recording's own clock."""

import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from core.teleop.clutch import ClutchConfig
from core.teleop.samples import OperatorSample
from core.teleop.xr_joints import XrJoints
from core.teleop.xr_operator import OperatorView, XrOperator
from core.teleop.xr_sample import XrSample
from core.teleop.xr_tape import Interrupted, Record, read_tape


class XrReplay:
    """Feeds an operator of its own with what was recorded, one look a command."""

    def __init__(
        self, path: Path, config: ClutchConfig | None = None, now: Callable[[], float] = time.monotonic
    ) -> None:
        """`now` is the clock of the loop, in which the samples keep the age that they had. Raises TapeError."""
        self.header, records = read_tape(path)
        self._all = tuple(records)
        self._now = now
        self._config = config
        self._begin()

    def _begin(self) -> None:
        self._left: deque[Record] = deque(self._all)
        self._tape_s = 0.0
        self.operator = XrOperator(self._config, lambda: self._tape_s)
        self.operator.scale = self.header.scale
        self._asked_s = self._now()

    @property
    def finished(self) -> bool:
        """Whether everything has been looked at; from then on the operator grows stale."""
        return not self._left

    def sample(self) -> OperatorSample:
        """What the operator asked for at the next look, with the age that it had, by the loop's clock."""
        while self._left:
            record = self._left.popleft()
            if isinstance(record, XrSample):
                self.operator.feed(record)
                continue
            if isinstance(record, XrJoints):
                self.operator.feed_joints(record)
                continue
            if isinstance(record, Interrupted):
                self.operator.interrupt(record.why)
                continue
            self._tape_s = record
            self._asked_s = self._now()
            break
        asked = self.operator.sample()
        return OperatorSample(
            self._asked_s - (self._tape_s - asked.time_s), asked.base, asked.left, asked.right,
            halt=asked.halt, home=asked.home,
        )  # fmt: skip

    def heard_s(self) -> float:
        """As old as it was, however slowly the loop runs; at the end of the recording it grows old."""
        asked_s = self._asked_s if self.finished else self._now()
        return asked_s - (self._tape_s - self.operator.newest.time_s)

    def release_all(self) -> None:
        """Nothing: the recording says what happened."""

    def new_episode(self) -> None:
        """The recording from its beginning."""
        self._begin()

    def view(self) -> OperatorView:
        """For the window."""
        return self.operator.view()
