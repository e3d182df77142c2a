"""Few trials of the stops that matter most; the hundred are in `make bench ARGS=stops`."""

import pytest

from tests.benchmarks.bench_stops import CASES, Case, Result, measure, write_table

pytest.importorskip("booster_robotics_sdk_python")
QUICK = [case for case in CASES if case.name in ("pressed, calls dead", "agent killed")]
BUSY_MS = 300.0
"""Allowance for a busy computer: that a stop works is tested here, how fast is measured by the benchmark."""


def run(case: Case) -> Result:
    result = measure(case, 2)
    assert result.violations == {}
    assert result.times_ms.max() < case.goal_ms + BUSY_MS
    return result


@pytest.mark.parametrize("case", QUICK, ids=lambda case: case.name)
def test_that_the_robot_goes_limp(case: Case) -> None:
    run(case)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_that_every_fault_makes_the_robot_limp(case: Case) -> None:
    run(case)


def test_that_the_table_goes_between_its_markers(tmp_path) -> None:
    import numpy as np

    page = tmp_path / "page.md"
    page.write_text("before\n<!-- stops: begin -->\nold\n<!-- stops: end -->\nafter\n")

    write_table(page, [Result(CASES[0], np.array([1.0, 3.0]), {})])

    text = page.read_text()
    assert "| hard stop pressed | call and frames | 2 | 2.0 |" in text
    assert "old" not in text
    assert text.startswith("before\n")
    assert text.endswith("after\n")
