"""A small planner layout for the tests."""

import pytest

from core.policy.layout import PlannerLayout
from core.types import Command


@pytest.fixture
def layout() -> PlannerLayout:
    return PlannerLayout("toy", (("hand", 3), ("box", 2)), Command.component_names(), 4, 6)
