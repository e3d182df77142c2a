"""Few trials of the stops that matter most; the hundred are in `make bench ARGS=stops`."""

from pathlib import Path

import pytest

from tests.benchmarks.bench_stops import CASES, Case, Result, Trials, measure, write_table

pytest.importorskip("booster_robotics_sdk_python")
QUICK = [case for case in CASES if case.name in ("the same, calls dead", "agent killed", "window killed")]
BUSY_MS = 300.0
"""Allowance for a busy computer: that a stop works is tested here, how fast is measured by the benchmark."""


def run(case: Case, path: Path) -> None:
    file = Trials(path)
    measure(case, 2, file)
    result = file.result(case)
    assert result is not None
    assert len(result.times_ms) == 2
    assert not any(result.violations.values()), result.violations
    assert result.times_ms.max() < case.goal_ms + BUSY_MS


@pytest.mark.parametrize("case", QUICK, ids=lambda case: case.name)
def test_that_the_robot_goes_limp(case: Case, tmp_path: Path) -> None:
    run(case, tmp_path / "stops.jsonl")


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_that_every_fault_makes_the_robot_limp(case: Case, tmp_path: Path) -> None:
    run(case, tmp_path / "stops.jsonl")


def test_that_trials_add_up_and_enough_of_them_start_no_robot(tmp_path: Path) -> None:
    for ms in (1.0, 3.0):
        Trials(tmp_path / "stops.jsonl").add(CASES[0], ms, {"too fast": 1})
    Trials(tmp_path / "stops.jsonl").add(CASES[1], 7.0, {})
    file = Trials(tmp_path / "stops.jsonl")

    measure(CASES[0], 2, file)  # would take seconds if it began

    result = file.result(CASES[0])
    assert result is not None
    assert result.times_ms.tolist() == [1.0, 3.0]
    assert result.violations == {"too fast": 2}
    assert Trials(tmp_path / "stops.jsonl", fresh=True).result(CASES[0]) is None


def test_that_the_table_goes_between_its_markers(tmp_path) -> None:
    import numpy as np

    page = tmp_path / "page.md"
    page.write_text("before\n<!-- stops: begin -->\nold\n<!-- stops: end -->\nafter\n")

    write_table(page, [Result(CASES[0], np.array([1.0, 3.0]), {})])

    text = page.read_text()
    assert "| hard stop pressed in the window | call and frames | 2 | 2.0 |" in text
    assert "old" not in text
    assert text.startswith("before\n")
    assert text.endswith("after\n")
