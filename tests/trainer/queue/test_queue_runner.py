"""The runner: one job at a time, what becomes of each, and what a killed runner leaves behind."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from trainer.jobs.collect import Config
from trainer.processes import ProcessId
from trainer.queue.entry import Entry
from trainer.queue.runner import Runner, anything_to_do, command_of, take_runner_lock
from trainer.queue.store import QueueStore
from trainer.runs import Run


class FakeProcess:
    """A child that ends when the test says so; it borrows the pid of the test, so its run folders are found."""

    def __init__(self, command: list[str]) -> None:
        self.command = command
        self.pid = os.getpid()
        self.code: int | None = None

    def poll(self) -> int | None:
        return self.code


class World:
    def __init__(self, root: Path) -> None:
        self.store = QueueStore(root)
        self.started: list[FakeProcess] = []
        self.runner = self.new_runner()

    def new_runner(self) -> Runner:
        return Runner(self.store, self.launch, now=lambda: 50.0)

    def launch(self, command: list[str], folder: Path, log: Path) -> FakeProcess:
        log.parent.mkdir(parents=True, exist_ok=True)
        self.started.append(FakeProcess(command))
        return self.started[-1]

    def add(self, *words: str, job: str = "collect", **more) -> Entry:
        return self.store.add(job, list(words), {"dataset": "x.hdf5"}, self.store.root, **more)

    def states(self) -> dict[int, str]:
        return {entry.id: entry.state for entry in self.store.entries()}

    def run_folder(self, job: str = "collect") -> Run:
        return Run.create(self.store.root, job, Config(Path("x.hdf5")), 0)

    def end(self, code: int) -> None:
        self.started[-1].code = code
        self.runner.step()


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "runs")


def test_that_one_job_runs_at_a_time_and_the_next_starts_when_it_ends(world: World) -> None:
    for _ in range(2):
        world.add()
    assert world.runner.step()
    assert world.runner.step()
    assert world.states() == {1: "running", 2: "waiting"}
    world.end(0)
    assert world.states() == {1: "finished", 2: "running"}
    world.end(0)
    assert not world.runner.step()


def test_that_a_failed_link_stops_those_behind_it_with_the_reason_and_others_go_on(world: World) -> None:
    world.add()
    world.add("--dataset", "@1", job="pretrain")
    world.add("--checkpoint", "@2", job="evaluate")
    world.add()
    world.runner.step()
    world.store.log_path(1).write_text("one\nrefine-dp collect: no space left; free some\n(set REFINE_DP_TRACE=1 …)\n")
    world.end(1)
    assert world.states() == {1: "failed", 2: "skipped", 3: "skipped", 4: "running"}
    reason = "refine-dp collect: no space left; free some"
    assert world.store.get(2).message == f"#1 collect, which it needs, failed: {reason}"
    assert world.store.get(3).message.startswith("#2 pretrain, which it needs, was skipped: ")


def test_that_the_run_folder_of_a_job_becomes_the_input_of_the_next(world: World) -> None:
    world.add(job="pretrain")
    world.add("--checkpoint", "@1", job="evaluate")
    world.runner.step()
    run = world.run_folder("pretrain")
    world.runner.step()
    assert world.store.get(1).run == str(run.path)
    run.status("finished")
    world.end(0)
    command = world.started[-1].command
    assert command[-3:] == ["evaluate", "--checkpoint", str(run.path)]
    run.close()


@pytest.mark.parametrize(("written", "code", "state", "message"), [
    ("stopped", 130, "stopped", ""),
    ("failed", 1, "failed", "told so"),
    ("finished", 0, "finished", ""),
    ("running", -9, "killed", "killed by signal 9 (SIGKILL)"),
])  # fmt: skip
def test_that_the_run_folder_says_what_became_of_a_job(
    world: World, written: str, code: int, state: str, message: str
) -> None:
    world.add()
    world.runner.step()
    run = world.run_folder()
    if written != "running":
        run.status(written, "told so" if written == "failed" else "")
    run.close()
    world.end(code)
    entry = world.store.get(1)
    assert (entry.state, entry.message, entry.ended_s) == (state, message, 50.0)


def test_that_a_stop_before_there_was_a_run_folder_is_a_stop_not_a_failure(world: World) -> None:
    world.add()
    world.runner.step()
    with world.store.locked():
        world.store.write(replace(world.store.get(1), stop_asked=True))
    world.end(-2)
    assert world.store.get(1).state == "stopped"


def test_that_the_next_runner_watches_a_job_that_lived_on_and_starts_no_other_meanwhile(world: World) -> None:
    world.add()
    world.add()
    world.runner.step()
    run = world.run_folder()
    world.runner = world.new_runner()
    assert world.runner.step()
    entry = world.store.get(1)
    assert entry.adopted
    assert "runner was killed" in entry.message
    assert world.states() == {1: "running", 2: "waiting"}
    run.close()


@pytest.mark.parametrize("has_run", [True, False])
def test_that_the_next_runner_writes_down_the_end_of_a_job_that_died_unwatched(world: World, has_run: bool) -> None:
    world.add()
    world.runner.step()
    gone = ProcessId(os.getpid(), 1.0)
    run = world.run_folder()
    run.close()
    status = json.loads((run.path / "status.json").read_text())
    (run.path / "status.json").write_text(json.dumps({**status, "process_started_s": gone.started_s}))
    with world.store.locked():
        world.store.write(replace(world.store.get(1), process=gone, run=str(run.path) if has_run else None))
    world.runner = world.new_runner()
    world.runner.step()
    entry = world.store.get(1)
    assert (entry.state, entry.message) == ("killed", "its process is gone and left no word")


def test_that_what_cannot_be_started_has_failed_with_the_reason(world: World) -> None:
    world.add(job="collect")
    world.add("--checkpoint", "@1", job="evaluate")
    world.runner.step()
    world.end(0)
    entry = world.store.get(2)
    assert entry.state == "failed"
    assert "#1 collect has no run folder" in entry.message


def test_that_a_stopped_training_goes_on_with_its_run_and_a_collection_with_its_options(world: World) -> None:
    pretrain = world.add("--dataset", "d", job="pretrain", run=Path("/r/old"))
    collect = world.add("--dataset", "d", run=Path("/r/old"))
    controller = world.add("lower", "--seed", "1", job="train-controller", run=Path("/r/legs"))
    assert command_of(pretrain, {})[3:] == ["pretrain", "--resume", "/r/old"]
    assert command_of(collect, {})[3:] == ["collect", "--dataset", "d"]
    assert command_of(controller, {})[3:] == ["train-controller", "lower", "--resume", "/r/legs"]


def test_that_there_is_one_runner_and_its_lock_is_free_when_it_is_gone(world: World) -> None:
    lock = take_runner_lock(world.store)
    assert lock is not None
    assert take_runner_lock(world.store) is None
    os.close(lock)
    again = take_runner_lock(world.store)
    assert again is not None
    os.close(again)


def test_that_a_queue_of_waiting_jobs_that_nothing_can_start_lets_the_runner_end(world: World) -> None:
    world.add()
    world.store.stop(1)
    world.add("--dataset", "@1", job="pretrain")
    assert not world.runner.step()
    assert not anything_to_do(world.store)
    assert world.store.get(2).message == "waits for #1 collect, which was stopped: resume it"


def test_that_a_job_says_what_it_waits_for_now(world: World) -> None:
    world.add(job="pretrain")
    world.add("--checkpoint", "@1", job="evaluate")
    world.add()
    world.runner.step()
    assert [world.store.get(number).message for number in (2, 3)] == ["waits for #1 pretrain", ""]
    run = world.run_folder("pretrain")
    run.status("stopped")
    run.close()
    world.end(130)
    assert world.store.get(2).message == "waits for #1 pretrain, which was stopped: resume it"
    world.store.resume(1)
    world.end(0)
    assert (world.store.get(1).state, world.store.get(2).message) == ("running", "waits for #1 pretrain")
