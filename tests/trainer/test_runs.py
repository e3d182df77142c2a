import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from trainer.runs import Run, RunError, list_runs


@dataclass(frozen=True)
class Config:
    VERSION: ClassVar[int] = 2
    worlds: int = 4
    dataset: Path = Path("a.hdf5")


def test_that_a_run_folder_says_what_ran(tmp_path):
    run = Run.create(tmp_path, "collect", Config(worlds=8), seed=5)
    info = Run.open(run.path).info()
    assert (info.job, info.seed) == ("collect", 5)
    assert info.code.commit is None or len(info.code.commit) == 40
    assert run.config(Config) == Config(worlds=8)
    assert run.checkpoints.is_dir()
    assert [r.path for r in list_runs(tmp_path)] == [run.path]
    run.close()


def test_that_two_runs_of_one_second_get_two_folders(tmp_path):
    assert Run.create(tmp_path, "a", Config(), 0).path != Run.create(tmp_path, "a", Config(), 0).path


def test_that_a_config_of_another_version_is_refused(tmp_path):
    run = Run.create(tmp_path, "collect", Config(), 0)
    stored = json.loads((run.path / "config.json").read_text())
    (run.path / "config.json").write_text(json.dumps({**stored, "version": 1}))
    with pytest.raises(RunError, match="config version 1, this program reads 2"):
        run.config(Config)


def test_that_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(RunError, match=r"has no run\.json"):
        Run.open(tmp_path)


def test_that_a_torn_line_loses_only_itself(tmp_path):
    run = Run.create(tmp_path, "train", Config(), 0)
    run.event("first")
    run.close()
    with (run.path / "events.jsonl").open("ab") as file:
        file.write(b'{"kind": "torn')
    reopened = Run.open(run.path)
    reopened.event("after")
    reopened.close()
    assert [event["kind"] for event in reopened.events()] == ["status", "first", "after"]


def test_that_scalars_are_events_and_tensorboard_records(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = Run.create(tmp_path, "train", Config(), 0)
    run.scalars(3, loss=0.5, reward__walk=2)
    run.close()
    scalars = [event for event in run.events() if event["kind"] == "scalars"]
    assert scalars[0]["step"] == 3
    assert scalars[0]["values"] == {"loss": 0.5, "reward/walk": 2.0}
    board = EventAccumulator(str(run.path / "tensorboard")).Reload()
    assert [(e.step, e.value) for e in board.Scalars("reward/walk")] == [(3, 2.0)]


def test_that_status_follows_the_job(tmp_path):
    run = Run.create(tmp_path, "train", Config(), 0)
    assert run.read_status().state == "running"
    run.status("failed", "disk full")
    assert (run.read_status().state, run.read_status().message) == ("failed", "disk full")
    run.close()


def test_that_a_killed_job_is_recognised(tmp_path):
    script = (
        "import sys, time\nfrom pathlib import Path\nfrom dataclasses import dataclass\nfrom trainer.runs import Run\n"
        "@dataclass\nclass Config:\n    a: int = 1\n"
        "print(Run.create(Path(sys.argv[1]), 'train', Config(), 0).path, flush=True)\ntime.sleep(60)\n"
    )
    job = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert job.stdout is not None
    path = Path(job.stdout.readline().strip())
    alive = Run.open(path).read_status().state
    os.kill(job.pid, signal.SIGKILL)
    job.wait()
    job.stdout.close()
    assert alive == "running"
    assert Run.open(path).read_status().state == "killed"


def test_that_a_reused_pid_is_not_mistaken_for_the_job(tmp_path):
    run = Run.create(tmp_path, "train", Config(), 0)
    status = json.loads((run.path / "status.json").read_text())
    status["process_started_s"] -= 1000.0
    (run.path / "status.json").write_text(json.dumps(status))
    assert run.read_status().state == "killed"
    run.close()
