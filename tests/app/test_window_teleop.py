"""Keyboard teleoperation: keys of the picture reach the worker; nothing stays pressed."""

import pytest
from fake_client import FakeClient
from PyQt6.QtCore import QEvent, Qt
from PyQt6.QtGui import QKeyEvent
from PyQt6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.main_window import MainWindow
from app.panels.cheat_sheet import KEY_TEXT
from app.state import AppState
from app.widgets.scene_view import SceneView
from core.teleop.keyboard import BINDINGS
from trainer.session.messages import Keys, Record


@pytest.fixture
def view(window: MainWindow, state: AppState, qtbot: QtBot) -> SceneView:
    """The picture with the keyboard, keyboard chosen as the source, the session running."""
    state.configure(source="keyboard")
    state.start()
    qtbot.waitUntil(lambda: state.session == "running")
    window.activateWindow()
    window.view.view.setFocus()
    qtbot.waitUntil(window.view.view.hasFocus)
    return window.view.view


def test_that_keys_that_are_down_reach_the_worker_and_are_repeated(
    view: SceneView, client: FakeClient, qtbot: QtBot
) -> None:
    QTest.keyPress(view, Qt.Key.Key_W)
    QTest.keyPress(view, Qt.Key.Key_PageUp)
    assert client.keys() == ("page_up", "w")
    sent = len(client.sent_of(Keys))
    qtbot.waitUntil(lambda: len(client.sent_of(Keys)) > sent + 2)
    QTest.keyRelease(view, Qt.Key.Key_W)
    assert client.keys() == ("page_up",)
    QTest.keyRelease(view, Qt.Key.Key_PageUp)
    assert client.keys() == ()


def test_that_losing_the_keyboard_releases_every_key(view: SceneView, window: MainWindow, client: FakeClient) -> None:
    QTest.keyPress(view, Qt.Key.Key_W)
    window.recording.operator.setFocus()
    assert client.keys() == ()
    assert "Click the picture" in window.view.banner.text()


def key_event(down: bool, key: Qt.Key, scan_code: int, shift: bool = False) -> QKeyEvent:
    """As the display server sends it: with the scan code of the key."""
    kind = QEvent.Type.KeyPress if down else QEvent.Type.KeyRelease
    modifier = Qt.KeyboardModifier.ShiftModifier if shift else Qt.KeyboardModifier.NoModifier
    return QKeyEvent(kind, key, modifier, scan_code, 0, 0)


def test_that_shift_does_not_rename_a_key_that_is_held(view: SceneView, client: FakeClient) -> None:
    view.keyPressEvent(key_event(True, Qt.Key.Key_1, 10))
    view.keyPressEvent(key_event(True, Qt.Key.Key_Shift, 50, shift=True))
    assert client.keys() == ("1", "shift")
    view.keyReleaseEvent(key_event(False, Qt.Key.Key_Exclam, 10, shift=True))
    assert client.keys() == ("shift",)
    view.keyReleaseEvent(key_event(False, Qt.Key.Key_Shift, 50))
    assert client.keys() == ()


def test_that_only_keys_with_a_meaning_are_sent(view: SceneView, client: FakeClient) -> None:
    for key in (Qt.Key.Key_F, Qt.Key.Key_Plus, Qt.Key.Key_Tab):
        QTest.keyClick(view, key)
    assert client.keys() == ()
    assert not client.sent_of(Keys)


def test_that_record_keys_steer_the_recorder(view: SceneView, client: FakeClient) -> None:
    for key in (Qt.Key.Key_R, Qt.Key.Key_Return, Qt.Key.Key_Delete, Qt.Key.Key_Z):
        QTest.keyClick(view, key)
    assert [m.action for m in client.sent_of(Record)] == ["start", "keep", "discard", "undo"]  # type: ignore[union-attr]


def test_that_keys_do_nothing_while_the_planner_drives(view: SceneView, state: AppState, client: FakeClient) -> None:
    state.configure(source="heuristic")
    QTest.keyClick(view, Qt.Key.Key_W)
    assert not client.sent_of(Keys)


def test_that_the_cheat_sheet_shows_every_binding_and_lights_keys_that_are_down(
    view: SceneView, window: MainWindow, qtbot: QtBot
) -> None:
    assert set(window.cheat_sheet._keys) == {binding.key for binding in BINDINGS}
    assert window.cheat_sheet._keys["page_up"].text() == KEY_TEXT["page_up"]
    window.docks["Keyboard"].raise_()
    qtbot.waitUntil(window.cheat_sheet.isVisible)
    view.setFocus()
    QTest.keyPress(view, Qt.Key.Key_W)
    qtbot.waitUntil(lambda: window.cheat_sheet._keys["w"].property("down") is True)
    QTest.keyRelease(view, Qt.Key.Key_W)
    qtbot.waitUntil(lambda: window.cheat_sheet._keys["w"].property("down") is False)
