"""The queue with real processes: a runner, real jobs in a world without physics, kill -9 of both."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from trainer.jobs import collect
from trainer.queue.command import command
from trainer.queue.desk import QueueDesk
from trainer.queue.entry import ENDED, Entry, QueueError
from trainer.queue.runner import take_runner_lock


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[QueueDesk]:
    monkeypatch.chdir(tmp_path)
    desk = QueueDesk(tmp_path / "runs")
    yield desk
    for entry in desk.store.entries():
        if entry.state in ("running", "waiting"):
            desk.store.stop(entry.id, kill=True)
    wait_until(lambda: runner_pid(desk) is None)


def wait_until(condition: Callable[[], bool]) -> None:
    """Real processes have no clock to inject; the time-out of the test ends a wait that never comes true."""
    while not condition():
        time.sleep(0.05)


def collection(tmp_path: Path, episodes: int, name: str = "x.hdf5") -> collect.Config:
    return collect.Config(tmp_path / name, episodes=episodes, worlds=2, backend="fake")


def runner_pid(desk: QueueDesk) -> int | None:
    lock = take_runner_lock(desk.store) if desk.store.folder.exists() else -1
    if lock == -1:
        return None
    if lock is not None:
        os.close(lock)
        return None
    return int(desk.store.runner_lock.read_text() or 0) or None


def ended(desk: QueueDesk, entry: Entry) -> Entry:
    wait_until(lambda: desk.store.get(entry.id).state in ENDED)
    return desk.store.get(entry.id)


def at_work(desk: QueueDesk, entry: Entry) -> Entry:
    """Running, with a run folder."""
    wait_until(lambda: desk.store.get(entry.id).run is not None or desk.store.get(entry.id).state in ENDED)
    running = desk.store.get(entry.id)
    assert running.state == "running", running.message
    return running


def test_that_a_killed_runner_leaves_its_job_alone_and_the_next_one_sees_it_killed(
    desk: QueueDesk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = desk.add("collect", collection(tmp_path, 100_000))
    running = at_work(desk, entry)
    first = runner_pid(desk)
    assert first is not None
    assert running.process is not None
    assert os.getsid(running.process.pid) != os.getsid(0)
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: not psutil.pid_exists(first) or psutil.Process(first).status() == psutil.STATUS_ZOMBIE)
    assert running.process.alive
    desk.wake()
    wait_until(lambda: desk.store.get(entry.id).adopted)
    running.process.kill()
    over = ended(desk, entry)
    assert over.state == "killed"
    assert command(["log", "1", "-n", "3"]) == 0
    said = capsys.readouterr().out
    assert "run folder" in said
    assert "#1 collect: killed: its process is gone" in said


def test_that_a_job_is_stopped_and_goes_on_while_the_one_behind_it_waits(desk: QueueDesk, tmp_path: Path) -> None:
    entry = desk.add("collect", collection(tmp_path, 100_000))
    behind = desk.add("collect", collection(tmp_path, 1, "y.hdf5"), after=(entry.id,))
    first = at_work(desk, entry)
    desk.stop(entry.id)
    assert ended(desk, entry).state == "stopped"
    assert desk.store.get(behind.id).state == "waiting"
    desk.resume(entry.id)
    wait_until(lambda: desk.store.get(entry.id).run not in (None, first.run))
    assert at_work(desk, entry).process != first.process
    desk.stop(entry.id, kill=True)
    assert ended(desk, entry).state == "killed"
    wait_until(lambda: desk.store.get(behind.id).state == "skipped")
    assert "was killed" in desk.store.get(behind.id).message


def test_that_the_command_line_adds_stops_lists_removes_and_undoes(
    desk: QueueDesk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    words = ["add", "collect", "--dataset", "x.hdf5", "--episodes", "999", "--backend", "fake", "--priority", "3"]
    assert command(words) == 0
    assert command(["stop", "1"]) == 0  # most likely in the middle of its imports
    assert ended(desk, desk.store.get(1)).state == "stopped"
    assert desk.store.get(1).priority == 3
    assert command(["list"]) == 0
    assert "stopped" in capsys.readouterr().out
    assert command(["remove", "1"]) == 0
    assert desk.store.entries() == ()
    assert command(["undo"]) == 0
    assert desk.store.get(1).state == "stopped"


def test_that_a_config_that_is_wrong_is_refused_before_it_is_queued(desk: QueueDesk) -> None:
    with pytest.raises(QueueError, match="'window' cannot be queued; known: collect"):
        command(["add", "window"])
    with pytest.raises(QueueError, match="--priority needs a whole number, got 'high'"):
        command(["add", "collect", "--dataset", "x.hdf5", "--priority", "high"])
    assert desk.store.entries() == ()
