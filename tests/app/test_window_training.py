"""The real window with real jobs: queued, watched, stopped, resumed, killed, deleted and put back."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QMessageBox
from pytestqt.qtbot import QtBot

from app.main_window import ROBOT, TRAIN, MainWindow
from app.training.page import TrainPage
from core.policy.config import LearnerConfig, MlpConfig, PlannerConfig
from trainer.jobs import collect, pretrain
from trainer.run_rows import RunRow

SOON_MS = 250_000
CHAIN_MS = 1_500_000
"Jobs are processes that load torch; on a busy computer that takes a while"


@pytest.fixture
def page(own_window: MainWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot) -> Iterator[TrainPage]:
    monkeypatch.chdir(tmp_path)
    own_window.show_page(TRAIN)
    yield own_window.train
    store = own_window.train.runs.desk.store
    for entry in store.entries():
        if entry.state in ("running", "waiting"):
            store.stop(entry.id, kill=True)
    qtbot.waitUntil(lambda: all(entry.state != "running" for entry in store.entries()), timeout=SOON_MS)


def row(page: TrainPage, number: int) -> RunRow:
    found = page.runs.row(f"#{number}")
    assert found is not None
    return found


def reaches(page: TrainPage, qtbot: QtBot, number: int, state: str, timeout: int = SOON_MS) -> RunRow:
    """Wait until the table shows a state."""
    qtbot.waitUntil(
        lambda: (found := page.runs.row(f"#{number}")) is not None and found.state == state, timeout=timeout
    )
    return row(page, number)


def queue_collection(page: TrainPage, qtbot: QtBot, episodes: int) -> None:
    page.jobs.choose("collect")
    page.jobs.form.set_config(collect.Config(Path("x.hdf5"), episodes=episodes, worlds=2, backend="fake"))
    qtbot.mouseClick(page.jobs.enqueue, Qt.MouseButton.LeftButton)


def at_work(page: TrainPage, qtbot: QtBot, number: int) -> RunRow:
    """Wait until a job runs and has its run folder."""
    qtbot.waitUntil(lambda: (r := page.runs.row(f"#{number}")) is not None and r.path is not None, timeout=SOON_MS)
    return reaches(page, qtbot, number, "running")


def test_that_training_takes_the_window_and_the_robot_gets_its_panels_back(own_window: MainWindow) -> None:
    shown = [title for title, dock in own_window.docks.items() if not dock.isHidden()]
    own_window.switch._group.button(TRAIN).click()
    assert own_window.train.isVisible()
    assert own_window.stops.isVisible()
    assert not any(dock.isVisible() for dock in own_window.docks.values())
    own_window.actions_by_name["robot_page"].trigger()
    assert own_window.pages.currentIndex() == ROBOT
    assert [title for title, dock in own_window.docks.items() if not dock.isHidden()] == shown


def test_that_a_planner_of_the_table_is_watched_on_the_robot_page(own_window: MainWindow, tmp_path: Path) -> None:
    own_window.show_page(TRAIN)
    own_window.train.watch_wanted.emit(tmp_path / "planner.safetensors")
    assert own_window.pages.currentIndex() == ROBOT
    settings = own_window._state.settings
    assert (settings.source, settings.checkpoint) == ("policy", str(tmp_path / "planner.safetensors"))


def test_that_a_job_killed_with_signal_9_is_shown_as_killed_with_its_last_words_and_deleted_with_undo(
    page: TrainPage, qtbot: QtBot
) -> None:
    queue_collection(page, qtbot, 100_000)
    running = at_work(page, qtbot, 1)
    assert running.pid is not None
    assert os.getsid(running.pid) != os.getsid(0)  # closing the window or its terminal does not reach it
    os.kill(running.pid, signal.SIGKILL)
    killed = reaches(page, qtbot, 1, "killed")
    page.table.select({killed.key})
    qtbot.waitUntil(lambda: "run folder" in page.table.note.text(), timeout=SOON_MS)
    assert "killed by signal 9 (SIGKILL)" in page.table.note.text()
    assert page.table.resume.isEnabled()
    qtbot.mouseClick(page.table.delete, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not page.runs.rows and page.table.undo.isEnabled(), timeout=SOON_MS)
    assert killed.path is not None
    assert not killed.path.exists()
    qtbot.mouseClick(page.table.undo, Qt.MouseButton.LeftButton)
    reaches(page, qtbot, 1, "killed")
    assert killed.path.is_dir()


def test_that_a_job_is_stopped_and_goes_on_and_ended_at_once_only_after_asking(
    page: TrainPage, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue_collection(page, qtbot, 100_000)
    page.table.select({at_work(page, qtbot, 1).key})
    qtbot.mouseClick(page.table.stop, Qt.MouseButton.LeftButton)
    stopped = reaches(page, qtbot, 1, "stopped")
    page.table.select({stopped.key})
    qtbot.mouseClick(page.table.resume, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: row(page, 1).path != stopped.path, timeout=SOON_MS)
    running = reaches(page, qtbot, 1, "running")
    page.runs._asked.add(running.key)  # as when it was asked to save and end, and does not
    questions: list[str] = []

    def no(parent: object, title: str, *rest: object) -> QMessageBox.StandardButton:
        questions.append(title)
        return QMessageBox.StandardButton.Cancel

    monkeypatch.setattr(QMessageBox, "question", no)
    page.table.select({running.key})
    page.table._actions["stop"].trigger()
    assert questions == ["End #1 collect at once?"]
    assert row(page, 1).state == "running"
    monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.Yes)
    page.table._actions["stop"].trigger()
    reaches(page, qtbot, 1, "killed")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_that_a_collection_and_a_pre_training_from_it_run_with_progress_and_curves(
    page: TrainPage, qtbot: QtBot
) -> None:
    page.jobs.choose("collect")
    page.jobs.form.set_config(collect.Config(Path("x.hdf5"), episodes=3, worlds=3))
    qtbot.mouseClick(page.jobs.enqueue, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(page.runs.rows) == 1, timeout=SOON_MS)
    page.jobs.choose("pretrain")
    tiny = PlannerConfig("mlp-diffusion", mlp=MlpConfig(width=32, blocks=1))
    learner = LearnerConfig(steps=400, batch_size=16, warmup_steps=2)
    config = pretrain.Config(
        Path("@1"), successes_only=False, planner=tiny, learner=learner, evaluate_episodes=0, validate_every=100
    )
    page.jobs.form.set_config(config)
    qtbot.mouseClick(page.jobs.enqueue, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(page.runs.rows) == 2, timeout=SOON_MS)
    assert row(page, 2).state == "waiting"
    seen: set[float] = set()
    page.runs.rows_changed.connect(lambda: seen.update(r.done for r in page.runs.rows if r.done is not None))
    assert reaches(page, qtbot, 2, "finished", CHAIN_MS).headline.startswith("loss ")
    assert any(0.0 < done < 1.0 for done in seen)
    page.table.select({"#2"})
    qtbot.waitUntil(lambda: "loss" in page.plots.cards, timeout=SOON_MS)
    assert page.plots.cards["loss"].lines[0].x[-1] == 400
