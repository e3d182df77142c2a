"""Watching a trained planner from the window."""

import shutil
from pathlib import Path

import pytest
from fake_client import FakeClient
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from app.main_window import MainWindow
from app.state import AppState
from trainer.planner_files import SHIPPED_ROOT, PlannerFile
from trainer.session.messages import Configure, Control, SessionError, SettingsKept


def planner(path: Path) -> PlannerFile:
    return PlannerFile(path, path.parent.name, "box_pickup", "dit", 600, None, 1.0)


@pytest.fixture
def planners(window: MainWindow, tmp_path: Path) -> tuple[Path, Path]:
    """Two planners that the window finds."""
    paths = (tmp_path / "one" / "planner.safetensors", tmp_path / "two" / "planner.safetensors")
    window.session.checkpoint._find = lambda _: tuple(map(planner, paths))
    window.session.checkpoint._shown = None
    return paths


def last(client: FakeClient) -> Configure:
    message = client.sent_of(Configure)[-1]
    assert isinstance(message, Configure)
    return message


def test_that_the_policy_is_offered_with_the_planners_that_are_there(
    window: MainWindow, client: FakeClient, planners: tuple[Path, Path], qtbot: QtBot
) -> None:
    panel = window.session
    assert not panel.checkpoint.isVisibleTo(panel)
    panel.source.chosen.emit("policy")
    assert (last(client).source, last(client).checkpoint) == ("policy", str(planners[0]))
    assert not last(client).auto_record  # what it does is no demonstration
    assert panel.checkpoint.isVisibleTo(panel)
    assert panel.checkpoint.currentText() == "one · dit · 600 steps"
    panel.checkpoint.activated.emit(1)
    assert last(client).checkpoint == str(planners[1])
    assert panel.checkpoint.currentText() == "two · dit · 600 steps"
    panel.runtime.chosen.emit("onnx")
    assert last(client).runtime == "onnx"
    panel.source.chosen.emit("heuristic")
    assert not panel.checkpoint.isVisibleTo(panel)


def test_that_a_planner_that_came_after_the_list_was_read_says_what_it_is(
    window: MainWindow, planners: tuple[Path, Path], tmp_path: Path
) -> None:
    box, run = window.session.checkpoint, tmp_path / "20260101-120000-finetune"
    run.mkdir()
    shutil.copyfile(SHIPPED_ROOT / "box_pickup" / "tuned.safetensors", run / "planner.safetensors")
    box.show_path(run / "planner.safetensors")
    assert "dit fine-tuned" in box.currentText()
    assert str(run) in box.itemData(box.currentIndex(), Qt.ItemDataRole.ToolTipRole)
    box.show_path(tmp_path / "exported.onnx")
    assert box.currentText() == "exported.onnx"


def test_that_any_file_can_be_chosen(
    window: MainWindow, client: FakeClient, planners: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel = window.session
    panel.source.chosen.emit("policy")
    other = tmp_path / "mine.safetensors"
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(other), ""))
    panel.checkpoint.activated.emit(panel.checkpoint.count() - 1)
    assert last(client).checkpoint == str(other)
    assert panel.checkpoint.currentText() == "mine.safetensors"
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: ("", ""))
    panel.checkpoint.activated.emit(panel.checkpoint.count() - 1)
    assert panel.checkpoint.currentText() == "mine.safetensors"  # cancelled: nothing changed
    assert last(client).runtime == "torch"
    panel.checkpoint.chosen.emit(tmp_path / "planner.onnx")
    assert last(client).runtime == "onnx"  # nothing else can compute it


def test_that_without_any_planner_a_file_is_asked_for_and_cancelling_keeps_the_source(
    window: MainWindow, client: FakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    window.session.checkpoint._find = lambda _: ()
    window.session.checkpoint._shown = None
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: ("", ""))
    window.session.source.choose("policy")
    window.session.source.chosen.emit("policy")
    assert last(client).source == "heuristic"
    assert window.session.source.choice.key == "heuristic"


def test_that_a_refused_planner_is_told_and_the_panel_shows_what_really_runs(
    window: MainWindow, state: AppState, client: FakeClient, planners: tuple[Path, Path], qtbot: QtBot
) -> None:
    window.session.source.chosen.emit("policy")
    what = f"cannot change the session: {planners[0]}: this planner does not fit task 'box_pickup' (task: ...)"
    client._events += [SessionError(what), SettingsKept(Configure())]
    qtbot.waitUntil(lambda: len(window.problems.dialogs) == 1)
    assert "does not fit task" in window.problems.dialogs[0].problem.cause
    qtbot.waitUntil(lambda: window.session.source.choice.key == "heuristic")
    window.problems.dialogs[0].close()


def test_that_watch_of_a_run_is_one_click(window: MainWindow, client: FakeClient, tmp_path: Path, qtbot: QtBot) -> None:
    path = tmp_path / "run" / "planner.safetensors"
    window.train.watch_wanted.emit(path)
    assert (last(client).source, last(client).checkpoint) == ("policy", str(path))
    qtbot.waitUntil(lambda: window.session.pill.text() == "running")
    window.train.watch_wanted.emit(path.with_name("other.safetensors"))  # while it runs: at once
    qtbot.waitUntil(lambda: client.sent_of(Control) == [Control("start"), Control("reset"), Control("start")])


def test_that_the_status_bar_shows_the_planners_latency(
    window: MainWindow, planners: tuple[Path, Path], qtbot: QtBot
) -> None:
    qtbot.waitUntil(lambda: not window.status.planner.isVisible())
    window.session.source.chosen.emit("policy")
    qtbot.mouseClick(window.session.start, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(window.status.planner.isVisible)
    assert window.status.planner.text() == "planner 14 / 22 ms · late 1"


def test_that_the_list_is_read_anew_from_the_folder_of_runs(window: MainWindow, tmp_path: Path, qtbot: QtBot) -> None:
    box, asked = window.session.checkpoint, []

    def find(runs: Path) -> tuple[PlannerFile, ...]:
        asked.append(runs)
        return (planner(tmp_path / "new" / "planner.safetensors"),)

    box._find = find
    window.session.source.chosen.emit("policy")
    box.showPopup()
    assert asked == [box._runs_root] * len(asked)
    assert [box.itemText(i) for i in range(box.count())] == ["new · dit · 600 steps", "Choose a file…"]
    box.hidePopup()
