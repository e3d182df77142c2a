"""Starts the window: `python -m app`, or `refine-dp window`."""

import argparse
import gc
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PyQt6.QtWidgets import QApplication

DEFAULT_DATASET = Path("data") / "box_pickup.hdf5"
"Recorded to and browsed at first, below the folder in which the window was started"
NO_DISPLAY = 3
"Exit status when no window can open: the caller may run the same loop headless"


def has_display() -> bool:
    """Whether a window can open here."""
    if not sys.platform.startswith("linux"):
        return True
    return any(os.environ.get(key) for key in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"))


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Options of the window."""
    parser = argparse.ArgumentParser(prog="refine-dp window", description=__doc__)
    parser.add_argument("--dataset", type=Path, help="data set to record to and to browse")
    parser.add_argument("--meshes", type=Path, metavar="DIR", help="folder with the vendor's STL meshes of the T1")
    parser.add_argument("--theme", choices=("dark", "light"), help="colours (default: as last time)")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Open the window and run it until it is closed. Returns the exit status."""
    options = parse(arguments)
    if not has_display():
        sys.stderr.write(
            "no display: DISPLAY and WAYLAND_DISPLAY are not set, so no window can open; "
            "`refine-dp run` runs the same loop here without one\n"
        )
        return NO_DISPLAY
    return run_window(options)


def run_window(options: argparse.Namespace) -> int:
    """The window itself; Qt is imported only here, so that --help and a missing display answer at once."""
    from PyQt6.QtWidgets import QApplication
    from pyqtgraph.util.garbage_collector import GarbageCollector

    from app.errors import start_logging

    app = QApplication(sys.argv[:1])
    app.setOrganizationName("REFINE-DP")
    app.setApplicationName("Studio")
    handler = start_logging()
    # Python collects garbage in whichever thread happens to allocate; a widget destroyed outside the thread of the
    # window crashes Qt. From here on garbage is collected by a timer of the window's thread only.
    collector = GarbageCollector()
    try:
        return _run_until_closed(app, options)
    finally:
        collector.timer.stop()
        gc.collect()  # widgets must be gone before the application is
        gc.enable()
        handler.close()


def _run_until_closed(app: "QApplication", options: argparse.Namespace) -> int:
    from PyQt6 import sip
    from PyQt6.QtCore import QSettings, QTimer

    from app.errors import UncaughtErrors
    from app.main_window import MainWindow
    from app.state import AppState
    from trainer.session.client import SessionClient

    settings = QSettings()
    if options.theme:
        settings.setValue("theme", options.theme)
    errors = UncaughtErrors()
    errors.install()
    state = AppState(SessionClient)
    window = MainWindow(state, settings, options.meshes)
    errors.problem_raised.connect(state.report)
    # Python runs signal handlers between its own instructions, which the display clock gives it the chance to do; that
    # may be in the middle of painting, where a window must not be closed
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: QTimer.singleShot(0, window.close))
    window.show()
    state.configure(operator=str(settings.value("operator", "")))
    state.choose_dataset((options.dataset or Path(str(settings.value("dataset") or DEFAULT_DATASET))).absolute())
    QTimer.singleShot(0, state.begin)
    try:
        return app.exec()
    finally:
        settings.setValue("dataset", str(state.dataset or ""))
        settings.setValue("operator", state.settings.operator)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        state.close()
        errors.uninstall()
        sip.delete(window)


if __name__ == "__main__":
    sys.exit(main())
