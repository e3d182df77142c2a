"""The session in the window: start, see it move, stop it from wherever the keyboard is."""

import pytest
from fake_client import FakeClient
from pixels import changed_pixels
from PyQt6.QtCore import QPoint, QSettings, Qt
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QApplication, QDialog, QLineEdit, QMenu, QVBoxLayout
from pytestqt.qtbot import QtBot

from app.main_window import MainWindow
from app.state import AppState
from trainer.session.messages import Configure, Control, SessionError, Stop


def press(key: Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    """A key as the display server sends it: to the window that has the keyboard, wherever in it the focus is."""
    target = QApplication.activePopupWidget() or QApplication.activeModalWidget() or QApplication.activeWindow()
    assert target is not None
    window = target.window()
    assert window is not None
    handle = window.windowHandle()
    assert handle is not None
    QTest.keyClick(handle, key, modifier)


def stops(client: FakeClient) -> list[str]:
    return [message.action for message in client.sent_of(Stop)]  # type: ignore[union-attr]


def activate(window: MainWindow, qtbot: QtBot) -> None:
    window.activateWindow()
    qtbot.waitUntil(lambda: QApplication.activeWindow() is not None)


def test_that_the_window_opens_on_the_box_pick_up_with_the_heuristic(window: MainWindow, client: FakeClient) -> None:
    first = client.sent_of(Configure)[0]
    assert (first.task, first.source, first.backend) == ("box_pickup", "heuristic", "mujoco")  # type: ignore[union-attr]
    assert window.session.start.text() == "Start"
    assert "Press Start" in window.session.hint.text()


def test_that_start_moves_the_robot_in_the_picture(window: MainWindow, qtbot: QtBot) -> None:
    still = window.view.view.screenshot()
    qtbot.mouseClick(window.session.start, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: changed_pixels(still, window.view.view.screenshot()) > 300)
    assert window.session.start.text() == "Pause"
    assert window.session.pill.text() == "running"


def test_that_pause_resume_and_reset_reach_the_worker(window: MainWindow, client: FakeClient, qtbot: QtBot) -> None:
    button = window.session.start
    for expected in ("running", "paused", "running"):
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
        qtbot.waitUntil(lambda e=expected: window.session.pill.text() == e)
    qtbot.mouseClick(window.session.reset, Qt.MouseButton.LeftButton)
    actions = [message.action for message in client.sent_of(Control)]  # type: ignore[union-attr]
    assert actions == ["start", "pause", "resume", "reset"]


def test_that_start_pressed_while_loading_begins_when_it_is_loaded(own_state: AppState, client: FakeClient) -> None:
    state = own_state
    state._ensure_client()
    state.start()
    assert state.start_pending
    assert not client.sent_of(Control)
    state.pull()
    assert client.sent_of(Control) == [Control("start")]


@pytest.mark.parametrize(
    ("key", "modifier", "action"),
    [
        (Qt.Key.Key_Escape, Qt.KeyboardModifier.NoModifier, "soft_stop"),
        (Qt.Key.Key_Space, Qt.KeyboardModifier.NoModifier, "soft_stop"),
        (Qt.Key.Key_F12, Qt.KeyboardModifier.NoModifier, "hard_stop"),
        (Qt.Key.Key_Escape, Qt.KeyboardModifier.ShiftModifier, "hard_stop"),
    ],
)
def test_that_the_stop_keys_work_from_the_picture(
    window: MainWindow, client: FakeClient, qtbot: QtBot, key: Qt.Key, modifier: Qt.KeyboardModifier, action: str
) -> None:
    activate(window, qtbot)
    window.view.view.setFocus()
    press(key, modifier)
    assert stops(client) == [action]


def test_that_the_stop_keys_work_while_text_is_typed(window: MainWindow, client: FakeClient, qtbot: QtBot) -> None:
    activate(window, qtbot)
    window.recording.operator.setFocus()
    window.recording.operator.clear()
    for key in (Qt.Key.Key_A, Qt.Key.Key_Space, Qt.Key.Key_B):
        press(key)
    assert window.recording.operator.text() == "a b"
    assert stops(client) == []
    press(Qt.Key.Key_Escape)
    press(Qt.Key.Key_F12)
    assert stops(client) == ["soft_stop", "hard_stop"]


def test_that_the_stop_keys_work_under_a_modal_dialog(window: MainWindow, client: FakeClient, qtbot: QtBot) -> None:
    dialog = QDialog(window)
    dialog.setModal(True)
    QVBoxLayout(dialog).addWidget(QLineEdit())
    dialog.show()
    qtbot.waitExposed(dialog)
    press(Qt.Key.Key_F12)
    assert stops(client) == ["hard_stop"]
    press(Qt.Key.Key_Escape)
    assert stops(client) == ["hard_stop", "soft_stop"]
    assert not dialog.isVisible()  # Esc still leaves the dialog
    dialog.deleteLater()


def test_that_the_stop_keys_work_while_a_menu_is_open(window: MainWindow, client: FakeClient, qtbot: QtBot) -> None:
    menu = QMenu(window)
    menu.addAction("anything")
    menu.popup(window.mapToGlobal(QPoint(100, 100)))
    qtbot.waitExposed(menu)
    press(Qt.Key.Key_F12)
    assert stops(client) == ["hard_stop"]
    menu.close()


def test_that_the_stop_keys_work_while_a_list_is_open(window: MainWindow, client: FakeClient, qtbot: QtBot) -> None:
    window.session.source.showPopup()
    qtbot.waitUntil(lambda: QApplication.activePopupWidget() is not None)
    press(Qt.Key.Key_F12)
    assert stops(client) == ["hard_stop"]
    window.session.source.hidePopup()


def test_that_a_key_held_down_stops_once(window: MainWindow, client: FakeClient, qtbot: QtBot) -> None:
    activate(window, qtbot)
    handle = window.windowHandle()
    assert handle is not None
    QTest.keyPress(handle, Qt.Key.Key_F12)
    QTest.keyRelease(handle, Qt.Key.Key_F12)
    assert stops(client) == ["hard_stop"]


def test_that_the_stop_buttons_stop_when_the_finger_goes_down(
    window: MainWindow, client: FakeClient, qtbot: QtBot
) -> None:
    qtbot.mousePress(window.stops.hard, Qt.MouseButton.LeftButton)
    assert stops(client) == ["hard_stop"]
    qtbot.mouseRelease(window.stops.hard, Qt.MouseButton.LeftButton)
    assert stops(client) == ["hard_stop"]


def test_that_a_latched_stop_is_shown_with_its_time_and_can_be_cleared(
    window: MainWindow, client: FakeClient, qtbot: QtBot
) -> None:
    qtbot.mouseClick(window.session.start, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(window.stops.soft, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "SOFT STOP latched" in window.stops.state_label.text())
    assert "4 ms" in window.stops.state_label.text()
    assert "confirmed in" in window.stops.state_label.text()
    assert not window.session.start.isEnabled()
    assert "Clear the stop" in window.session.hint.text()
    qtbot.mouseClick(window.stops.clear, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not window.stops.clear.isVisible())
    assert stops(client) == ["soft_stop", "clear_stop"]
    assert window.session.start.isEnabled()


def test_that_the_stops_are_large_and_cannot_be_hidden(window: MainWindow) -> None:
    for stop in (window.stops.soft, window.stops.hard):
        assert stop.isVisible()
        assert stop.width() >= 150
        assert stop.height() >= 44
    window.default_layout()
    assert window.stops.hard.isVisible()


def test_that_a_dead_worker_is_told_once_and_start_begins_a_new_one(
    window: MainWindow, state: AppState, client: FakeClient, qtbot: QtBot
) -> None:
    client.crash()
    qtbot.waitUntil(lambda: len(window.problems.dialogs) == 1)
    dialog = window.problems.dialogs[0]
    assert "signal 9" in dialog.problem.cause
    assert not dialog.details.isVisible()
    state.report(dialog.problem)
    assert len(window.problems.dialogs) == 1
    dialog.close()
    assert not state.alive
    client._state = "unconfigured"  # the next worker
    qtbot.mouseClick(window.session.start, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: state.session == "running")


def test_that_an_error_of_the_worker_shows_cause_and_remedy(
    window: MainWindow, client: FakeClient, qtbot: QtBot
) -> None:
    client._events.append(SessionError("the data set is locked", "close the other window", "trace"))
    qtbot.waitUntil(lambda: len(window.problems.dialogs) == 1)
    problem = window.problems.dialogs[0].problem
    assert (problem.cause, problem.remedy, problem.details) == (
        "the data set is locked", "close the other window", "trace",
    )  # fmt: skip
    window.problems.dialogs[0].close()


def test_that_unavailable_choices_are_listed_with_the_reason_and_cannot_be_chosen(window: MainWindow) -> None:
    source = window.session.source
    texts = [source.itemText(i) for i in range(source.count())]
    gamepad = next(i for i, text in enumerate(texts) if text.startswith("Gamepad"))
    model = source.model()
    assert model is not None
    index = model.index(gamepad, 0)
    assert not model.flags(index) & Qt.ItemFlag.ItemIsEnabled
    assert "Not in this version" in str(model.data(index, Qt.ItemDataRole.ToolTipRole))


def test_that_settings_reach_the_worker(window: MainWindow, client: FakeClient, qtbot: QtBot) -> None:
    window.session.source.chosen.emit("keyboard")
    window.session.seed.setValue(7)
    window.session.seed.editingFinished.emit()
    last = client.sent_of(Configure)[-1]
    assert (last.source, last.seed) == ("keyboard", 7)  # type: ignore[union-attr]
    assert window.session.source.choice.key == "keyboard"


def test_that_the_results_carry_their_interval(window: MainWindow, client: FakeClient, qtbot: QtBot) -> None:
    client.finish(True)
    client.finish(False)
    qtbot.waitUntil(lambda: window.session.results.text().startswith("1 of 2 succeeded"))
    assert "9–91 % (95 %)" in window.session.results.text()


def test_that_the_status_bar_shows_the_loop(window: MainWindow, qtbot: QtBot) -> None:
    qtbot.mouseClick(window.session.start, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "50.0 Hz" in window.status.rate.text())
    assert window.status.missed.text() == "missed 0"
    assert "control 2.5" in window.status.latency.text()
    assert window.status.safety.text() == "safety: nothing changed"


def test_that_closing_the_window_ends_the_session(own_window: MainWindow, client: FakeClient) -> None:
    own_window.close()
    assert client.closed


def test_that_arrangement_and_theme_are_kept(own_window: MainWindow, settings: QSettings, qtbot: QtBot) -> None:
    own_window.docks["Live plots"].hide()
    own_window.toggle_theme()
    own_window.close()
    again = MainWindow(AppState(FakeClient), settings)
    qtbot.addWidget(again)
    assert not again.docks["Live plots"].isVisibleTo(again)
    assert again._state.theme.name == "light"
    again.toggle_theme()
    again.close()


def test_that_the_window_with_its_stops_fits_the_screen_of_a_small_laptop(window: MainWindow, qtbot: QtBot) -> None:
    window.resize(1280, 740)
    window.view.rate.setText("21 fps · simplified")  # what is told while it runs must not widen it
    window.browser.summary.setText("12 episodes, 11 successes, 1 failure, coverage 0.8")
    qtbot.wait(10)
    assert (window.width(), window.height()) == (1280, 740)
    assert window.stops.hard.mapTo(window, window.stops.hard.rect().topRight()).x() < 1280
