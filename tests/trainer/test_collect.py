"""`refine-dp collect` on a world without physics, where every episode fails at its (shortened) time limit."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import trainer.collecting
from core.data.dataset import Dataset
from core.data.episodes import DatasetWriter
from core.data.schema import EpisodeStart
from core.tasks.box_pickup import BoxPickup
from trainer.collecting import Seeds, collect, opened
from trainer.jobs.collect import Config, main
from trainer.runs import Run, list_runs


@pytest.fixture(autouse=True)
def _short_episodes(monkeypatch):
    def make_task(name: str, num_worlds: int) -> BoxPickup:
        task = BoxPickup(num_worlds)
        task.time_limit_s = 1.2
        return task

    monkeypatch.setattr(trainer.collecting, "make_task", make_task)


def config(folder: Path, **changes) -> Config:
    values = {"dataset": folder / "d.hdf5", "episodes": 5, "worlds": 3, "backend": "fake", "runs": folder / "runs"}
    return Config(**{**values, **changes})


def seeds_in(path: Path) -> list[int]:
    return sorted(e.info.seed for e in Dataset(path))


def test_that_exactly_as_many_episodes_are_recorded_as_asked_for(tmp_path, capsys):
    assert main(config(tmp_path)) == 0
    assert seeds_in(tmp_path / "d.hdf5") == [0, 1, 2, 3, 4]
    assert all(e.info.num_samples == 12 for e in Dataset(tmp_path / "d.hdf5"))
    assert "success 0.0 % [0.0, 43.4] (n = 5)" in capsys.readouterr().out
    (run,) = list_runs(tmp_path / "runs")
    assert run.read_status().state == "finished"
    assert run.config(Config).episodes == 5
    result = next(event for event in run.events() if event["kind"] == "result")
    assert (result["kept"], result["trials"], result["successes"]) == (5, 5, 0)


def test_that_the_same_command_with_more_episodes_adds_only_those(tmp_path, capsys):
    main(config(tmp_path))
    first = {e.info.seed: e.info.uuid for e in Dataset(tmp_path / "d.hdf5")}
    assert main(config(tmp_path, episodes=7)) == 0
    assert main(config(tmp_path, episodes=7)) == 0
    assert "nothing to do" in capsys.readouterr().out
    now = {e.info.seed: e.info.uuid for e in Dataset(tmp_path / "d.hdf5")}
    assert sorted(now) == list(range(7))
    assert {seed: now[seed] for seed in first} == first


def test_that_a_stopped_collection_resumes_to_the_same_episodes(tmp_path):
    calls = iter(range(10_000))
    run = Run.create(tmp_path / "runs", "collect", config(tmp_path), 0)
    with opened(config(tmp_path)) as place:
        assert not collect(config(tmp_path), run, place, lambda: next(calls) > 80)  # in the middle of the second round
    run.close()
    path = tmp_path / "d.hdf5"
    assert 0 < len(Dataset(path)) < 5
    assert main(config(tmp_path)) == 0
    assert seeds_in(path) == [0, 1, 2, 3, 4]
    straight = tmp_path / "straight"
    assert main(config(straight)) == 0
    for one in Dataset(path):
        (other,) = [e for e in Dataset(straight / "d.hdf5") if e.info.seed == one.info.seed]
        assert (one.array("actions") == other.array("actions")).all()


def test_that_what_a_killed_collection_left_open_is_run_again(tmp_path, capsys):
    main(config(tmp_path, episodes=2))
    path = tmp_path / "d.hdf5"
    with DatasetWriter.open(path) as writer:
        episode = writer.begin(EpisodeStart(2, "heuristic"))
        episode.append({f.name: np.zeros(f.shape, f.dtype) for f in writer.spec.fields()})
    assert main(config(tmp_path)) == 0
    assert "1 unfinished episodes of a killed run" in capsys.readouterr().out
    assert seeds_in(path) == [0, 1, 2, 3, 4]
    assert {e.info.label for e in Dataset(path)} == {"failure"}


def test_that_success_only_keeps_no_failure(tmp_path):
    calls = iter(range(10_000))
    run = Run.create(tmp_path / "runs", "collect", config(tmp_path), 0)
    asked = config(tmp_path, success_only=True)
    with opened(asked) as place:
        assert not collect(asked, run, place, lambda: next(calls) > 150)
    trials = [event for event in run.events() if event["kind"] == "episode"]
    run.close()
    assert len(trials) >= 6
    assert not any(event["kept"] for event in trials)
    assert len(Dataset(tmp_path / "d.hdf5")) == 0


def test_that_no_more_episodes_begin_than_can_be_kept():
    """However many worlds ask: so the last episodes are not only the short ones."""
    seeds = Seeds(10, missing=3, taken={11})
    assert [seeds.next() for _ in range(5)] == [10, 12, 13, None, None]
    seeds.ended(kept=False)
    assert [seeds.next(), seeds.next()] == [14, None]
    for _ in range(3):
        seeds.ended(kept=True)
    assert seeds.next() is None
    assert seeds.missing == 0


def test_that_ctrl_c_stops_cleanly_and_says_how_to_go_on(tmp_path):
    command = [sys.executable, "-m", "trainer.cli", "collect", "--dataset", str(tmp_path / "d.hdf5")]
    command += ["--backend", "fake", "--worlds", "2", "--runs", str(tmp_path / "runs")]
    job = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert job.stdout is not None
    path = Path(job.stdout.readline().removeprefix("run folder ").strip())
    while not any(tmp_path.glob("d.hdf5.journal")):
        assert job.poll() is None, job.stdout.read()
    os.kill(job.pid, signal.SIGINT)
    said = job.stdout.read()
    job.stdout.close()
    assert job.wait(30) == 130
    assert "the same command goes on from here" in said
    assert Run.open(path).read_status().state == "stopped"
    assert not any(tmp_path.glob("*.journal"))
    assert json.loads((path / "config.json").read_text())["config"]["worlds"] == 2


@pytest.mark.parametrize("change", [{"episodes": 0}, {"worlds": 0}, {"seed": -1}])
def test_that_numbers_that_make_no_sense_are_refused(tmp_path, change):
    with pytest.raises(ValueError, match="got"):
        config(tmp_path, **change)
