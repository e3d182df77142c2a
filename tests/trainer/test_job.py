"""The frame of a job: what the run folder says after every way to end."""

import os
import signal
from dataclasses import dataclass
from typing import ClassVar

import pytest

from trainer.job import open_run, resume_hint, work_in
from trainer.runs import Run, RunError, list_runs


@dataclass(frozen=True)
class Config:
    VERSION: ClassVar[int] = 1
    worlds: int = 4


def new_run(tmp_path) -> Run:
    return open_run("learn", Config(8), tmp_path, seed=3)[0]


def states(run: Run) -> list[str]:
    return [event["state"] for event in run.events() if event["kind"] == "status"]


def test_that_a_job_that_did_everything_is_finished(tmp_path, capsys):
    run = new_run(tmp_path)
    assert work_in(run, lambda stop: True, "go on") == 0
    assert states(run) == ["running", "finished"]
    assert capsys.readouterr().out == f"run folder {run.path}\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_that_a_signal_asks_for_a_clean_stop(tmp_path, capsys, number):
    run, seen = new_run(tmp_path), []

    def work(stop) -> bool:
        seen.append(stop())
        os.kill(os.getpid(), number)
        seen.append(stop())
        return False

    assert work_in(run, work, resume_hint("learn", run)) == 130
    assert seen == [False, True]
    assert states(run) == ["running", "stopped"]
    assert capsys.readouterr().out.endswith(f"stopped; go on with: refine-dp learn --resume {run.path}\n")


def test_that_a_second_signal_ends_the_job_at_once(tmp_path):
    run = new_run(tmp_path)

    def work(stop) -> bool:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        return True

    with pytest.raises(KeyboardInterrupt):
        work_in(run, work)
    assert run.read_status().state == "failed"
    assert "second Ctrl-C" in run.read_status().message


def test_that_an_error_is_noted_and_goes_on_up(tmp_path):
    run, handler = new_run(tmp_path), signal.getsignal(signal.SIGINT)

    def work(stop) -> bool:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        work_in(run, work)
    assert (run.read_status().state, run.read_status().message) == ("failed", "OSError: disk full")
    assert signal.getsignal(signal.SIGINT) is handler


def test_that_a_stopped_run_is_resumed_with_the_config_that_it_was_begun_with(tmp_path):
    run = new_run(tmp_path)
    work_in(run, lambda stop: False)
    again, config = open_run("learn", Config(1), tmp_path / "other", seed=0, resume=run.path)
    assert (again.path, config) == (run.path, Config(8))
    assert again.read_status().state == "running"
    assert list_runs(tmp_path / "other") == []


def test_that_a_run_of_another_job_is_not_resumed(tmp_path):
    run = new_run(tmp_path)
    work_in(run, lambda stop: False)
    with pytest.raises(RunError, match="is a run of learn, tune cannot go on with it; give a run folder of tune"):
        open_run("tune", Config(), tmp_path, seed=0, resume=run.path)


def test_that_a_run_that_still_works_is_not_resumed(tmp_path):
    run = new_run(tmp_path)
    with pytest.raises(RunError, match=rf"still runs \(process {os.getpid()}\)"):
        open_run("learn", Config(), tmp_path, seed=0, resume=run.path)
    assert states(run) == ["running"]
