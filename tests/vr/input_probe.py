"""An input process under test: everything that came from it, and waiting for what should come."""

import time
from collections.abc import Callable

from monado import Monado

from core.teleop.xr_input import Patience, XrInput
from core.teleop.xr_joints import XrJoints
from core.teleop.xr_link import XrState
from core.teleop.xr_sample import XrSample

PATIENCE_S = 60.0
"""For a computer that does other things as well; nothing waits that long when all is well."""


def wait_until(true: Callable[[], object], what: Callable[[], str] | str, patience_s: float = PATIENCE_S) -> None:
    """Poll a process that is not ours. Raises AssertionError that says what did not come."""
    until = time.monotonic() + patience_s
    while not true():
        late = time.monotonic() > until
        assert not late, f"{what if isinstance(what, str) else what()}: not within {patience_s:.0f} s"
        time.sleep(0.002)


PATIENT = Patience()


class Input:
    """An input process and what came from it."""

    def __init__(self, monado: Monado, headless: bool = True, patience: Patience = PATIENT) -> None:
        self.samples: list[XrSample] = []
        self.received_s: list[float] = []
        self.joints: list[XrJoints] = []
        self.source = XrInput(
            self._take, headless=headless, environment=monado.environment(), restart_s=0.05, patience=patience
        )
        self.source.start()

    def _take(self, heard: XrSample | XrJoints) -> None:
        if isinstance(heard, XrJoints):
            self.joints.append(heard)
            return
        self.received_s.append(time.monotonic())
        self.samples.append(heard)

    @property
    def newest(self) -> XrSample:
        return self.samples[-1] if self.samples else XrSample(0, 0.0)

    def wait_for_state(self, state: XrState) -> None:
        wait_until(lambda: self.source.status().state == state, lambda: f"state {state}, it is {self.source.status()}")

    def wait_for(self, true: Callable[[XrSample], object], what: str) -> XrSample:
        wait_until(lambda: true(self.newest), lambda: f"{what}; the newest sample is {self.newest}")
        return self.newest
