"""What the window says of a real robot: its own word on a stop, how it is, its stop keys, its safety log."""

from dataclasses import replace
from pathlib import Path

import pytest
from fake_client import FakeClient
from PyQt6.QtCore import Qt
from pytestqt.qtbot import QtBot

from app.dialogs.safety_log import SafetyLogDialog
from app.main_window import MainWindow
from app.robot_stop import CONFIRM_S
from app.state import AppState
from core.robot.agent.log import SafetyLog
from core.robot.status import RobotStatus
from trainer.safety_log import new_log
from trainer.session.messages import Configure, Stop

WELL = RobotStatus(
    state="upper_body", detail="upper body: the arms follow", mode="walking", battery_percent=83.0, hottest_c=41.0,
    hottest_joint="Waist", state_age_ms=2.0, agent_pid=999_999_999, serial_number="T1-7",
)  # fmt: skip


@pytest.fixture
def robot(window: MainWindow, state: AppState, client: FakeClient, qtbot: QtBot) -> MainWindow:
    """A window with a robot."""
    client.robot = WELL
    state.configure(backend="t1", robot="lo:123")
    qtbot.waitUntil(lambda: state.telemetry is not None and state.telemetry.robot is not None)
    return window


def bar(window: MainWindow) -> str:
    return window.stops.state_label.text()


def test_that_a_simulation_says_nothing_of_a_robot(window: MainWindow) -> None:
    assert not window.session.robot_box.isVisible()


def test_that_the_session_panel_says_how_the_robot_is(
    robot: MainWindow, state: AppState, client: FakeClient, qtbot: QtBot
) -> None:
    box = robot.session.robot_box
    qtbot.waitUntil(lambda: "T1-7" in box.doing.text())
    assert box.doing.text() == "Robot T1-7: upper body: the arms follow (mode walking)"
    assert box.health.text() == "battery 83 % · Waist 41 °C · state 2 ms old"

    client.robot = replace(WELL, battery_percent=12.0)
    qtbot.waitUntil(lambda: "12 %" in box.health.text())
    assert box.health.property("state") == "warning"


def test_that_the_robots_own_confirmation_is_shown_with_its_time(
    robot: MainWindow, client: FakeClient, qtbot: QtBot
) -> None:
    qtbot.mousePress(robot.stops.hard, Qt.MouseButton.LeftButton)
    qtbot.mouseRelease(robot.stops.hard, Qt.MouseButton.LeftButton)
    (sent,) = client.sent_of(Stop)
    client.robot = replace(WELL, state="stopped", stop="hard", confirmation="confirmed", stop_ms=3.24)
    qtbot.waitUntil(lambda: "robot confirmed after 3.2 ms" in bar(robot))

    assert sent.pressed_s > 0.0  # type: ignore[union-attr]
    assert "HARD STOP latched" in bar(robot)

    qtbot.mouseClick(robot.stops.clear, Qt.MouseButton.LeftButton)
    client.robot = WELL
    qtbot.waitUntil(lambda: not robot.stops.state_label.isVisible())


def test_that_a_robot_that_does_not_confirm_is_shouted_about(
    robot: MainWindow, state: AppState, client: FakeClient, qtbot: QtBot
) -> None:
    qtbot.mousePress(robot.stops.hard, Qt.MouseButton.LeftButton)
    qtbot.mouseRelease(robot.stops.hard, Qt.MouseButton.LeftButton)
    assert state.robot_stop._pressed_s is not None
    state.robot_stop._pressed_s -= CONFIRM_S
    qtbot.waitUntil(lambda: "NOT CONFIRMED: use the remote" in bar(robot))

    assert robot.stops.state_label.property("alarm") is True
    state.robot_stop._pressed_s = None


def test_that_standing_up_can_be_given_back(robot: MainWindow, client: FakeClient, qtbot: QtBot) -> None:
    client._enter("engaging")
    qtbot.waitUntil(lambda: robot.session.pill.text() == "taking over…")
    assert robot.session.start.text() == "Give back"
    assert "Keep the remote in the hand" in robot.session.hint.text()
    assert not robot.session.backend.isEnabled()

    qtbot.mouseClick(robot.session.start, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: robot.session.pill.text() == "paused")


def test_that_a_pedal_is_chosen_in_the_session_panel(
    robot: MainWindow, state: AppState, client: FakeClient, qtbot: QtBot
) -> None:
    box = robot.session.robot_box.stop_key
    box.setCurrentText("/dev/input/by-id/usb-pedal-event-kbd")
    box.activated.emit(0)

    sent = client.sent_of(Configure)[-1]
    assert sent.stop_key == "/dev/input/by-id/usb-pedal-event-kbd"  # type: ignore[union-attr]
    box.setCurrentText("none")
    box.activated.emit(0)
    assert state.settings.stop_key == ""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "robot"
    log = SafetyLog(str(new_log(folder)), "session")
    log.add("limits", preset="hardware", speed_m_s=0.2)
    log.add("stop", level="hard", reason="window")
    log.close()
    return folder


def test_that_the_safety_log_is_shown_and_followed(folder: Path, state: AppState, qtbot: QtBot) -> None:
    dialog = SafetyLogDialog(state.theme, folder)
    qtbot.addWidget(dialog)
    assert dialog.table.rowCount() == 2
    assert dialog.table.item(0, 3).text() == "preset hardware, speed m s 0.2"  # type: ignore[union-attr]

    log = SafetyLog(dialog.choice.currentText(), "dead-man")
    log.add("deadman", reason="the window is silent")
    log.close()
    dialog.refresh()
    assert dialog.table.rowCount() == 3
    assert dialog.table.item(2, 1).text() == "dead-man"  # type: ignore[union-attr]

    dialog.alarms.setChecked(True)
    assert dialog.table.rowCount() == 2


def test_that_without_logs_the_dialog_says_where_they_come_from(tmp_path: Path, state: AppState, qtbot: QtBot) -> None:
    dialog = SafetyLogDialog(state.theme, tmp_path)
    qtbot.addWidget(dialog)
    assert "each session with a robot writes one" in dialog.summary.text()
