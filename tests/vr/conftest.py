"""A running Monado for each module, or a skip that says why; where VR must be tested, its absence is a failure."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # helpers beside the tests

from input_probe import Input
from monado import Monado, RemoteOperator, provided


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


@pytest.fixture
def xr_input(monado: Monado, operator: RemoteOperator) -> Iterator[Input]:
    made = Input(monado)
    try:
        made.wait_for_state("running")
        made.wait_for(lambda s: s.focused and s.left.tracked and s.right.tracked, "both controllers")
        yield made
    finally:
        made.source.close()
