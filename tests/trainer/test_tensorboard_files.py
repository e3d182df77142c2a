"""The TensorBoard files beside a run say what events.jsonl says."""

from pathlib import Path

import pytest

from trainer.jobs.collect import Config
from trainer.run_curves import RunCurves
from trainer.runs import Run


def read_tensorboard(run: Run) -> dict[str, list[tuple[int, float]]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    files = EventAccumulator(str(run.path / "tensorboard"), size_guidance={"scalars": 0})
    files.Reload()
    return {tag: [(e.step, e.value) for e in files.Scalars(tag)] for tag in files.Tags()["scalars"]}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_that_tensorboard_reads_every_scalar_of_a_run_also_of_a_resumed_one(tmp_path: Path) -> None:
    run = Run.create(tmp_path, "pretrain", Config(Path("x.hdf5")), 0)
    for step in range(30):
        run.scalars(step, train__loss=1.0 / (1 + step), explore__success_rate=0.5)
    run.close()
    resumed = Run.open(run.path)
    for step in range(30, 40):
        resumed.scalars(step, train__loss=1.0 / (1 + step))
    resumed.close()

    told = read_tensorboard(resumed)
    curves = RunCurves(run.path / "events.jsonl")
    while curves.read():
        pass
    assert set(told) == set(curves.names) == {"train/loss", "explore/success_rate"}
    for name, points in told.items():
        curve = curves.curve(name)
        assert curve is not None
        assert [step for step, _ in points] == curve.step.tolist()
        assert [value for _, value in points] == pytest.approx(curve.value.tolist())
