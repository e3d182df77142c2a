"""Problems as dialogs with cause and remedy, details folded; and the last resort for exceptions nobody caught."""

import logging
import sys
import threading
import traceback
from pathlib import Path
from types import TracebackType

from PyQt6.QtCore import QObject, QStandardPaths, Qt, pyqtSignal, pyqtSlot
from PyQt6.QtGui import QGuiApplication
from PyQt6.QtWidgets import QDialog, QDialogButtonBox, QPlainTextEdit, QVBoxLayout, QWidget

from app.problems import Problem
from app.theme import METRICS, mono_font
from app.widgets.roles import button, label

log = logging.getLogger("refine_dp.window")
_LOG_FILE = "window.log"


class ProblemDialog(QDialog):
    """One problem. Not modal: the stops, the view and the session stay usable beside it."""

    def __init__(self, problem: Problem, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("problem_dialog")
        self.setWindowTitle(problem.title)
        self.setModal(False)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setMinimumWidth(METRICS.dialog_width)
        self.problem = problem
        self.details = QPlainTextEdit(problem.details)
        self._fold = button("Show details", name="fold")
        self._copy = button("Copy", name="copy", tip="Copy everything, to paste it into a report")
        self._build()
        self._fold.clicked.connect(self._on_fold_clicked)
        self._copy.clicked.connect(self._on_copy_clicked)

    def _build(self) -> None:
        layout = QVBoxLayout(self)
        layout.setSpacing(METRICS.gap)
        for text, role in ((self.problem.title, "heading"), (self.problem.cause, ""), (self.problem.remedy, "hint")):
            if text:
                line = label(text, role)
                line.setWordWrap(True)
                line.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
                layout.addWidget(line)
        self.details.setReadOnly(True)
        self.details.setFont(mono_font())
        self.details.setMinimumHeight(METRICS.details_height)
        self.details.hide()
        layout.addWidget(self.details)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.addButton(self._copy, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.addButton(self._fold, QDialogButtonBox.ButtonRole.ActionRole)
        self._fold.setVisible(bool(self.problem.details))
        buttons.rejected.connect(self.reject)
        layout.addWidget(buttons)

    @pyqtSlot()
    def _on_fold_clicked(self) -> None:
        shown = self.details.isHidden()
        self.details.setVisible(shown)
        self._fold.setText("Hide details" if shown else "Show details")
        self.adjustSize()

    @pyqtSlot()
    def _on_copy_clicked(self) -> None:
        p = self.problem
        clipboard = QGuiApplication.clipboard()
        if clipboard is not None:
            clipboard.setText("\n\n".join(part for part in (p.title, p.cause, p.remedy, p.details) if part))


class ProblemPresenter(QObject):
    """Shows problems one dialog at a time; the same problem again only while its dialog is closed."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._parent = parent
        self._shown: dict[Problem, ProblemDialog] = {}

    @pyqtSlot(object)
    def show(self, problem: Problem) -> None:
        """Show a dialog, unless this very problem is on the screen."""
        if problem in self._shown:
            self._shown[problem].raise_()
            return
        dialog = ProblemDialog(problem, self._parent)
        self._shown[problem] = dialog
        dialog.finished.connect(lambda: self._shown.pop(problem, None))
        dialog.show()

    @property
    def dialogs(self) -> list[ProblemDialog]:
        """Dialogs on the screen."""
        return list(self._shown.values())


class UncaughtErrors(QObject):
    """Exceptions that no one caught: written to the log, told to the person; the window goes on."""

    problem_raised = pyqtSignal(object)

    def __init__(self) -> None:
        super().__init__()
        self._previous = sys.excepthook
        self._previous_thread = threading.excepthook

    def install(self) -> None:
        """Catch from now on, in every thread."""
        sys.excepthook = self._on_exception
        threading.excepthook = lambda args: self._on_exception(args.exc_type, args.exc_value, args.exc_traceback)

    def uninstall(self) -> None:
        """Put back what was there before."""
        sys.excepthook, threading.excepthook = self._previous, self._previous_thread

    def _on_exception(
        self, kind: type[BaseException], error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if issubclass(kind, KeyboardInterrupt):
            self._previous(kind, error or kind(), trace)
            return
        details = "".join(traceback.format_exception(kind, error, trace))
        log.error("uncaught exception\n%s", details)
        remedy = f"The session and the recording go on. The log is in {log_path()}"
        self.problem_raised.emit(Problem("The window made a mistake", f"{kind.__name__}: {error}", remedy, details))


def log_path() -> Path:
    """Where the window writes its log."""
    folder = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.AppLocalDataLocation)
    return Path(folder) / _LOG_FILE


def start_logging() -> logging.Handler:
    """Write warnings and errors of the window to its log file."""
    path = log_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.getLogger("refine_dp").addHandler(handler)
    return handler
