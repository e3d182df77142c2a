"""Curves from events.jsonl: read in pieces, resumed runs, smoothing, thinning."""

import json
from pathlib import Path

import numpy as np
import pytest

from trainer import run_curves
from trainer.run_curves import RunCurves, smooth, thin


def write(path: Path, *events: dict) -> None:
    with path.open("a") as file:
        file.writelines(json.dumps(event) + "\n" for event in events)


def scalars(time_s: float, step: int, **values: float) -> dict:
    return {
        "time_s": time_s,
        "kind": "scalars",
        "step": step,
        "values": {k.replace("__", "/"): v for k, v in values.items()},
    }


def read_all(curves: RunCurves) -> RunCurves:
    while curves.read():
        pass
    return curves


def test_that_a_growing_file_is_read_on_and_a_torn_line_waits_for_its_end(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    curves = RunCurves(path)
    assert not curves.read()
    write(path, scalars(0, 1, loss=4.0))
    with path.open("a") as file:
        file.write('{"time_s": 60, "kind": "scalars", "st')
    read_all(curves)
    with path.open("a") as file:
        file.write('ep": 2, "values": {"loss": 3.0}}\n')
    read_all(curves)
    curve = curves.curve("loss")
    assert curve is not None
    assert curve.step.tolist() == [1, 2]
    assert curve.value.tolist() == [4.0, 3.0]
    assert curve.minutes.tolist() == [0.0, 1.0]
    assert curves.curve("none") is None


def test_that_pieces_give_the_same_as_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "events.jsonl"
    write(path, *(scalars(i, i, loss=float(i)) for i in range(300)))
    monkeypatch.setattr(run_curves, "PIECE_BYTES", 100)
    curve = read_all(RunCurves(path)).curve("loss")
    assert curve is not None
    assert curve.value.tolist() == list(range(300))


def test_that_a_resumed_run_forgets_the_steps_that_it_repeats_and_the_pause_is_no_work(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    write(path, *(scalars(60 * i, i, kl=i) for i in range(5)))
    write(path, {"time_s": 99_940, "kind": "status", "state": "running"}, scalars(100_000, 3, kl=30.0))
    curve = read_all(RunCurves(path)).curve("kl")
    assert curve is not None
    assert curve.step.tolist() == [0, 1, 2, 3]
    assert curve.value.tolist() == [0, 1, 2, 30.0]
    assert curve.minutes[-1] == 5.0


def test_that_steps_learned_are_the_sum_of_decisions_or_else_the_step(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    write(
        path,
        scalars(0, 0, explore__decisions=100),
        scalars(1, 1, explore__decisions=50),
        scalars(2, 2, explore__decisions=50),
    )
    curves = read_all(RunCurves(path))
    assert curves.steps_learned(np.array([0.0, 1.0, 2.0])).tolist() == [100, 150, 200]
    assert RunCurves(tmp_path / "none").steps_learned(np.array([7.0])).tolist() == [7]


def test_that_smoothing_is_the_debiased_exponential_average_and_skips_gaps() -> None:
    value = np.array([1.0, 3.0, np.nan, 5.0])
    expected = [1.0, (3 + 0.5) / 1.5, (1.5 + 0.25) / 0.75, (5 + 0.75 + 0.125) / 1.375]
    np.testing.assert_allclose(smooth(value, 0.5), expected)
    assert smooth(value, 0.0) is value
    with pytest.raises(ValueError, match=r"\[0, 1\), got 1"):
        smooth(value, 1.0)


def test_that_a_constant_stays_constant_however_much_it_is_smoothed() -> None:
    np.testing.assert_allclose(smooth(np.full(2000, 0.7), 0.99), 0.7)


def test_that_thinning_keeps_the_ends_and_every_peak() -> None:
    x = np.arange(10_000.0)
    y = np.zeros(10_000)
    y[4321], y[77] = 5.0, -3.0
    thin_x, thin_y = thin(x, y, 500)
    assert len(thin_x) <= 502
    assert {4321.0, 77.0, 0.0, 9999.0} <= set(thin_x.tolist())
    assert (thin_y.max(), thin_y.min()) == (5.0, -3.0)
    assert (np.diff(thin_x) > 0).all()
