"""The window with the real session worker: another process, real messages, a world without physics."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from PyQt6.QtCore import QSettings, Qt
from pytestqt.qtbot import QtBot

from app.main_window import MainWindow
from app.state import CLOSE_TIMEOUT_S, AppState
from trainer.session.client import SessionClient

LOAD_MS = 60_000
"The worker imports torch first"


@pytest.fixture
def real(qtbot: QtBot, settings: QSettings, tmp_path: Path) -> Iterator[MainWindow]:
    """A window whose worker has loaded a session of the fake backend."""
    state = AppState(SessionClient)
    state.configure(backend="fake", dataset=str(tmp_path / "real.hdf5"), operator="Ada")
    window = MainWindow(state, settings, runs_root=tmp_path / "runs")
    qtbot.addWidget(window)
    window.show()
    state.begin()
    qtbot.waitUntil(lambda: state.session == "ready", timeout=LOAD_MS)
    yield window
    window.close()


def test_that_a_session_starts_stops_and_ends_with_the_window(real: MainWindow, qtbot: QtBot) -> None:
    state = real._state
    assert state.scene is not None
    assert {item.name for item in state.scene.objects} >= {"box", "table"}
    qtbot.mouseClick(real.session.start, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: state.session == "running" and state.telemetry is not None and state.telemetry.time_s > 0.2)
    assert state.telemetry is not None
    assert state.telemetry.recording == "recording"
    qtbot.mousePress(real.stops.soft, Qt.MouseButton.LeftButton)
    qtbot.mouseRelease(real.stops.soft, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: state.stop_shown == "soft" and state.stop_round_trip_ms is not None)
    assert "SOFT STOP latched" in real.stops.state_label.text()
    qtbot.mouseClick(real.stops.clear, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: state.stop_shown == "none")
    qtbot.mousePress(real.stops.hard, Qt.MouseButton.LeftButton)
    qtbot.mouseRelease(real.stops.hard, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: state.stop_shown == "hard")
    worker = [child for child in psutil.Process().children() if "trainer.session.worker" in " ".join(child.cmdline())]
    assert len(worker) == 1
    real.close()
    worker[0].wait(CLOSE_TIMEOUT_S)
    assert not worker[0].is_running()


def test_that_a_killed_worker_is_told_and_replaced(real: MainWindow, qtbot: QtBot) -> None:
    state = real._state
    worker = next(c for c in psutil.Process().children() if "trainer.session.worker" in " ".join(c.cmdline()))
    worker.kill()
    qtbot.waitUntil(lambda: len(real.problems.dialogs) == 1)
    assert "signal 9" in real.problems.dialogs[0].problem.cause
    assert state.session == "ended"
    real.session.start.click()
    qtbot.waitUntil(lambda: state.session == "running", timeout=LOAD_MS)
    real.problems.dialogs[0].close()


def test_that_an_episode_recorded_by_the_worker_is_browsed_replayed_deleted_and_brought_back(
    real: MainWindow, qtbot: QtBot
) -> None:
    state, recording, browser = real._state, real.recording, real.browser
    assert state.dataset is not None
    state.library.open(state.dataset)
    real.session.start.click()
    qtbot.waitUntil(lambda: state.telemetry is not None and state.telemetry.recorded_samples >= 5, timeout=LOAD_MS)
    assert not browser.delete.isEnabled()
    real.session.start.click()  # pause: the recorder keeps what it has when it is told to
    qtbot.waitUntil(recording.keep.isEnabled)
    recording.keep.click()
    qtbot.waitUntil(lambda: browser.model.rowCount() == 1, timeout=LOAD_MS)
    assert state.library.rows[0].operator == "Ada"
    browser.select({"demo_0"})
    browser.replay.click()
    qtbot.waitUntil(lambda: state.replay is not None, timeout=LOAD_MS)
    state.leave_replay()
    qtbot.waitUntil(browser.delete.isEnabled)
    browser.delete.click()
    qtbot.waitUntil(lambda: browser.model.rowCount() == 0 and not state.library.busy, timeout=LOAD_MS)
    browser.undo.click()
    qtbot.waitUntil(lambda: browser.model.rowCount() == 1, timeout=LOAD_MS)
    assert not real.problems.dialogs


@pytest.mark.slow
def test_that_the_program_ends_cleanly_on_a_signal_and_takes_its_worker_along(tmp_path: Path) -> None:
    """`python -m app` as a person starts it; settings and data go to a folder of the test."""
    root = Path(__file__).parents[2]
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path), "PYTHONPATH": str(root)}
    process = subprocess.Popen([sys.executable, "-m", "app"], cwd=tmp_path, env=environment, stderr=subprocess.PIPE)
    window = psutil.Process(process.pid)
    try:
        deadline = time.monotonic() + LOAD_MS / 1000
        while not (tmp_path / "data" / "box_pickup.hdf5").exists() and time.monotonic() < deadline:
            time.sleep(0.1)  # the worker opens the data set once it is loaded
        workers = window.children()
        assert any("trainer.session.worker" in " ".join(child.cmdline()) for child in workers)
        process.terminate()
        _, errors = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 0, errors.decode()
    assert b"Traceback" not in errors
    assert not any(worker.is_running() for worker in workers)
