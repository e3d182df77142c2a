"""Fixtures of the window's tests: a real window under a real display, a fake session client, settings in a file."""

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PyQt6.QtCore import QSettings
from pytestqt.qtbot import QtBot

sys.path.insert(0, str(Path(__file__).parent))  # helpers beside the tests

from fake_client import FakeClient

from app.main_window import MainWindow
from app.state import AppState


@pytest.fixture
def client() -> FakeClient:
    return FakeClient()


@pytest.fixture
def settings(tmp_path: Path) -> QSettings:
    return QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat)


@pytest.fixture
def state(qtbot: QtBot, client: FakeClient) -> Iterator[AppState]:
    state = AppState(lambda: client)
    yield state
    state.close()


@pytest.fixture
def window(qtbot: QtBot, state: AppState, settings: QSettings, tmp_path: Path) -> Iterator[MainWindow]:
    """The window on the screen, its session loaded, nothing started; leaves no thread behind."""
    before = set(threading.enumerate())
    window = MainWindow(state, settings, runs_root=tmp_path / "runs")
    qtbot.addWidget(window)
    window.resize(1400, 900)
    window.show()
    qtbot.waitExposed(window)
    state.begin()
    qtbot.waitUntil(lambda: state.session == "ready")
    yield window
    window.close()
    left = [thread for thread in set(threading.enumerate()) - before if thread.is_alive()]
    assert not left, f"threads left behind: {left}"
