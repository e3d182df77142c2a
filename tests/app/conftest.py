"""Fixtures of the window's tests: a real window under a real display, a fake session client, settings in a file."""

import gc
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PyQt6.QtCore import QCoreApplication, QEvent, QSettings
from PyQt6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

sys.path.insert(0, str(Path(__file__).parent))  # helpers beside the tests

from fake_client import FakeClient

from app.main_window import MainWindow
from app.robot_stop import RobotStopWatch
from app.state import AppState
from trainer.session.messages import Configure

# a computer that does other things as well: 5 s, the default, is too short for a frame drawn by a busy processor
assert QtBot.waitUntil.__kwdefaults__ is not None
QtBot.waitUntil.__kwdefaults__["timeout"] = 30_000


@pytest.fixture(scope="module", autouse=True)
def garbage_in_this_thread_only() -> Iterator[None]:
    """As in app.main: a widget that Python collects in another thread crashes Qt."""
    gc.disable()
    yield
    QCoreApplication.sendPostedEvents(
        None, QEvent.Type.DeferredDelete.value
    )  # closed windows go here, not in a later test
    gc.collect()
    gc.enable()


@pytest.fixture
def client() -> FakeClient:
    return FakeClient()


@pytest.fixture
def settings(tmp_path: Path) -> QSettings:
    return QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat)


@pytest.fixture
def own_state(qtbot: QtBot, client: FakeClient) -> Iterator[AppState]:
    """A state without a window."""
    state = AppState(lambda: client)
    yield state
    state.close()


@pytest.fixture
def own_window(qtbot: QtBot, own_state: AppState, settings: QSettings, tmp_path: Path) -> Iterator[MainWindow]:
    """A window of the test's own, for tests that close it; leaves no thread behind."""
    before = set(threading.enumerate())
    window = MainWindow(own_state, settings, runs_root=tmp_path / "runs")
    qtbot.addWidget(window)
    window.show()
    qtbot.waitExposed(window)
    own_state.begin()
    qtbot.waitUntil(lambda: own_state.session == "ready")
    yield window
    window.close()
    left = [thread for thread in set(threading.enumerate()) - before if thread.is_alive()]
    assert not left, f"threads left behind: {left}"


@pytest.fixture(scope="session")
def shared_window(qapp: QApplication, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MainWindow]:
    """Made once: building a window and its OpenGL context takes longer than most tests."""
    folder = tmp_path_factory.mktemp("window")
    settings = QSettings(str(folder / "settings.ini"), QSettings.Format.IniFormat)
    window = MainWindow(AppState(FakeClient), settings, runs_root=folder / "runs")
    window.resize(1400, 900)
    window.show()
    yield window
    window.close()
    window.deleteLater()


@pytest.fixture
def state(shared_window: MainWindow) -> AppState:
    return shared_window._state


@pytest.fixture
def window(qtbot: QtBot, shared_window: MainWindow, state: AppState, client: FakeClient) -> Iterator[MainWindow]:
    """The shared window with a new session, loaded, nothing started."""
    if state._client is not None:
        state._client.close()
    state._client, state._make_client = None, lambda: client
    state.robot_stop.close()
    state.robot_stop = RobotStopWatch()
    state.settings, state.session, state.telemetry, state.stop_latency_ms = Configure(), "unconfigured", None, None
    state.choose_dataset(None)
    state.begin()
    shared_window.docks["Data set"].raise_()
    qtbot.waitExposed(shared_window)
    qtbot.waitUntil(lambda: state.session == "ready")
    yield shared_window
    state.leave_replay()
    state.set_keys(frozenset())
    for dialog in shared_window.problems.dialogs:
        dialog.close()
    qtbot.waitUntil(lambda: not state.library.busy)
