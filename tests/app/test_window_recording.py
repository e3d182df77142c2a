"""Recording from the window: choose a data set, record, keep, discard, undo, again."""

from pathlib import Path

import pytest
from dataset_example import make_dataset
from fake_client import FakeClient
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from app.main_window import MainWindow
from app.panels.recording import RecordingPanel
from app.state import AppState
from trainer.session.messages import Configure, Label, Record


@pytest.fixture
def panel(window: MainWindow, state: AppState, tmp_path: Path, qtbot: QtBot) -> RecordingPanel:
    state.choose_dataset(tmp_path / "new.hdf5")
    qtbot.waitUntil(lambda: window.recording.state_label.text() == "the next start records")
    return window.recording


def records(client: FakeClient) -> list[str]:
    return [message.action for message in client.sent_of(Record)]  # type: ignore[union-attr]


def test_that_nothing_can_be_recorded_without_a_data_set(window: MainWindow) -> None:
    panel = window.recording
    for widget in (panel.record, panel.keep, panel.discard, panel.again, panel.undo):
        assert not widget.isEnabled()
    assert "choose a data set" in panel.state_label.text()


def test_that_a_new_data_set_gets_its_ending_and_reaches_the_worker(
    window: MainWindow, client: FakeClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "mine"), ""))
    window.recording.ask_new()
    assert client.sent_of(Configure)[-1].dataset == str(tmp_path / "mine.hdf5")  # type: ignore[union-attr]
    assert window.recording.path.text().endswith("mine.hdf5")


def test_that_an_existing_data_set_is_resumed_with_its_counts(
    window: MainWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    path = make_dataset(tmp_path / "old.hdf5", 3)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    window.recording.ask_open()
    counts = window.recording.counts
    qtbot.waitUntil(lambda: counts["kept"].text() == "3")
    assert (counts["success"].text(), counts["failure"].text()) == ("2", "1")
    assert "GB free" in window.recording.space.text()


def test_that_every_button_sends_its_command(
    panel: RecordingPanel, window: MainWindow, client: FakeClient, qtbot: QtBot
) -> None:
    panel.auto.setChecked(False)
    client._recording = "armed"
    window.session.start.click()
    qtbot.waitUntil(lambda: panel.state_label.text() == "● recording")
    client.finish()
    qtbot.waitUntil(lambda: panel.state_label.text() == "keep or discard?")
    for widget in (panel.keep, panel.again, panel.discard):
        qtbot.waitUntil(lambda w=widget: w.isEnabled())
        qtbot.mouseClick(widget, Qt.MouseButton.LeftButton)
        client._recording = "finished"
        panel._state.pull()
    assert records(client) == ["keep", "again", "discard"]


def test_that_operator_label_and_automatic_recording_reach_the_worker(
    panel: RecordingPanel, client: FakeClient, qtbot: QtBot
) -> None:
    qtbot.keyClicks(panel.operator, "Ada")
    panel.operator.editingFinished.emit()
    qtbot.keyClicks(panel.episode_label, "slow")
    panel.episode_label.editingFinished.emit()
    panel.auto.setChecked(False)
    last = client.sent_of(Configure)[-1]
    assert (last.operator, last.auto_record) == ("Ada", False)  # type: ignore[union-attr]
    assert client.sent_of(Label)[-1] == Label("slow")


def test_that_an_episode_kept_by_the_worker_appears_in_the_browser(
    window: MainWindow, state: AppState, client: FakeClient, tmp_path: Path, qtbot: QtBot
) -> None:
    path = tmp_path / "growing.hdf5"
    state.choose_dataset(path)
    qtbot.waitUntil(lambda: not state.library.busy)
    assert window.browser.model.rowCount() == 0
    make_dataset(path, 2)  # what the worker writes
    client._record("keep")
    qtbot.waitUntil(lambda: window.browser.model.rowCount() == 2)
    assert window.recording.counts["kept"].text() == "2"


def test_that_the_recording_keys_work_from_the_menu(
    panel: RecordingPanel, window: MainWindow, client: FakeClient
) -> None:
    for name in ("record", "keep", "discard", "again", "undo_last"):
        window.actions_by_name[name].trigger()
    assert records(client) == ["start", "keep", "discard", "again", "undo"]


def test_that_a_data_set_is_not_edited_while_an_episode_is_recorded(
    window: MainWindow, state: AppState, tmp_path: Path, qtbot: QtBot
) -> None:
    state.choose_dataset(make_dataset(tmp_path / "busy.hdf5", 2))
    qtbot.waitUntil(lambda: window.browser.model.rowCount() == 2)
    window.browser.select({"demo_0"})
    assert window.browser.delete.isEnabled()
    state.start()
    qtbot.waitUntil(lambda: not window.browser.delete.isEnabled())
