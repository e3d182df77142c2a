import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "core" / "teleop"))  # rehearsal.py: an operator made of numbers
sys.path.insert(0, str(Path(__file__).parent))  # helpers beside the tests

from vr_stage import Stage


@pytest.fixture
def make_stage():
    stages: list[Stage] = []

    def make(**settings) -> Stage:
        stages.append(Stage(**settings))
        return stages[-1]

    yield make
    for stage in stages:
        stage.session.close()
        assert all(made.closed for made in stage.inputs)
