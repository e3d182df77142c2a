"""A pre-trained planner of the plane, trained once."""

import pytest

from tests.core.rl.plane import imitate, plane_planner


@pytest.fixture(scope="session")
def pretrained():
    """Weights of a pre-trained planner of the plane."""
    planner, _ = plane_planner()
    return {name: value.clone() for name, value in imitate(planner).state_dict().items()}


@pytest.fixture
def planner(pretrained):
    planner, _ = plane_planner()
    planner.load_state_dict(pretrained)
    return planner
