"""A running Monado for each module, or a skip that says why; where VR must be tested, its absence is a failure."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # helpers beside the tests

from monado import Monado, RemoteOperator, provided

from core.teleop.xr_input import Patience, XrInput
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


@pytest.fixture(scope="session")
def monado_files() -> dict[str, str]:
    found = provided()
    if found is None:
        why = "Monado is not here: run scripts/monado.sh once (it builds it, in about a minute of processor time)"
        if os.environ.get("REFINE_DP_REQUIRE_VR"):
            pytest.fail(why)
        pytest.skip(why)
    return found


@pytest.fixture(scope="module")
def monado(monado_files: dict[str, str]) -> Iterator[Monado]:
    service = Monado(monado_files)
    try:
        service.start()
        yield service
        assert service.violations() == []
    finally:
        service.close()


@pytest.fixture
def operator(monado: Monado) -> Iterator[RemoteOperator]:
    remote = RemoteOperator(monado.port)
    yield remote
    remote.close()


PATIENT = Patience()


class Input:
    """An input process and what came from it."""

    def __init__(self, monado: Monado, headless: bool = True, patience: Patience = PATIENT) -> None:
        self.samples: list[XrSample] = []
        self.received_s: list[float] = []
        self.source = XrInput(
            self._take, headless=headless, environment=monado.environment(), restart_s=0.05, patience=patience
        )
        self.source.start()

    def _take(self, sample: XrSample) -> None:
        self.received_s.append(time.monotonic())
        self.samples.append(sample)

    @property
    def newest(self) -> XrSample:
        return self.samples[-1] if self.samples else XrSample(0, 0.0)

    def wait_for_state(self, state: XrState) -> None:
        wait_until(lambda: self.source.status().state == state, lambda: f"state {state}, it is {self.source.status()}")

    def wait_for(self, true: Callable[[XrSample], object], what: str) -> XrSample:
        wait_until(lambda: true(self.newest), lambda: f"{what}; the newest sample is {self.newest}")
        return self.newest


@pytest.fixture
def xr_input(monado: Monado, operator: RemoteOperator) -> Iterator[Input]:
    made = Input(monado)
    try:
        made.wait_for_state("running")
        made.wait_for(lambda s: s.focused and s.left.tracked and s.right.tracked, "both controllers")
        yield made
    finally:
        made.source.close()
