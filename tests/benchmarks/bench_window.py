"""Frames per second of the whole window during a live box pick-up; needs a display, for software GL one of Xvfb.

The window of the application with its real session worker in another process: MuJoCo at 50 Hz, learned controllers, the
heuristic at work, recording. What else the machine does is said by the load average beside the number.
"""

import gc
import itertools
import os
import shlex
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from app.main import has_display

if TYPE_CHECKING:  # Qt is imported by the measurement only: the other benchmarks run without it
    from PyQt6.QtCore import QCoreApplication

    from app.main_window import MainWindow
    from app.state import AppState

XVFB = ("xvfb-run", "-a", "-s", "-screen 0 1600x1000x24")
"A display in memory, for software GL"
LOAD_S = 300.0
"So long may the worker take to load"


@dataclass(frozen=True)
class WindowConfig:
    """How long and how large."""

    seconds: float = 20.0
    "measured, from the third second of an episode on"
    width: int = 1500
    "of the window, pixels"
    height: int = 950
    "of the window, pixels"

    def __post_init__(self) -> None:
        if not self.seconds > 0:
            raise ValueError(f"seconds must be positive, got {self.seconds}")


@dataclass(frozen=True)
class WindowResult:
    """What was seen."""

    frames_per_s: float
    "pictures of the 3-D view that were drawn"
    worst_gap_ms: float
    "longest time between two of them"
    loop_hz: float
    "control periods of the worker a second; 50 when it keeps up"
    load: float
    "load average of the last minute, at the end"


def measure(config: WindowConfig) -> WindowResult:
    """Open the window, start an episode, count. Raises TimeoutError when the session does not start."""
    from PyQt6 import sip
    from PyQt6.QtCore import QSettings
    from PyQt6.QtWidgets import QApplication

    from app.main_window import MainWindow
    from app.state import AppState
    from trainer.session.client import SessionClient

    app = QApplication([])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        state = AppState(SessionClient)
        state.configure(dataset=str(folder / "bench.hdf5"))
        settings = QSettings(str(folder / "settings.ini"), QSettings.Format.IniFormat)
        window = MainWindow(state, settings, runs_root=folder / "runs")
        gc.disable()  # as in app.main: widgets are collected in the window's thread only
        try:
            window.resize(config.width, config.height)
            window.show()
            state.begin()
            state.start()
            _run_until(app, lambda: state.telemetry is not None and state.telemetry.time_s > 2.0, LOAD_S)
            return _count(app, window, state, config.seconds)
        finally:
            window.close()
            state.close()
            sip.delete(window)
            gc.enable()


def _run_until(app: "QCoreApplication", reached: Callable[[], bool], limit_s: float) -> None:
    end = time.monotonic() + limit_s
    while not reached():
        if time.monotonic() > end:
            raise TimeoutError(f"the session did not run within {limit_s:.0f} s")
        app.processEvents()
        time.sleep(0.001)


def _count(app: "QCoreApplication", window: "MainWindow", state: "AppState", seconds: float) -> WindowResult:
    drawn: list[float] = []
    view = window.view.view
    view.frame_shown.connect(lambda: drawn.append(time.monotonic()))
    ticks: set[int] = set()
    state.ticked.connect(lambda: state.telemetry and ticks.add(state.telemetry.tick))
    began = time.monotonic()
    _run_until(app, lambda: time.monotonic() - began >= seconds, seconds + LOAD_S)
    spent = time.monotonic() - began
    edges = [began, *drawn, began + spent]
    gaps = [later - earlier for earlier, later in itertools.pairwise(edges)]
    loop = (max(ticks) - min(ticks)) / spent if ticks else 0.0
    return WindowResult(len(drawn) / spent, 1e3 * max(gaps), loop, os.getloadavg()[0])


def main(config: WindowConfig) -> int:
    """Print the number."""
    if not has_display():
        print(f"window: no display; {shlex.join(XVFB)} python -m tests.benchmarks.run window")
        return 0
    r = measure(config)
    print(
        f"window {config.width} x {config.height}, {os.cpu_count()} cores, load {r.load:.1f}: "
        f"{r.frames_per_s:.1f} frames/s, longest gap {r.worst_gap_ms:.0f} ms; control loop {r.loop_hz:.1f} Hz"
    )
    return 0
