"""What the chosen job prints, and the command for TensorBoard."""

import shlex

from PyQt6.QtCore import QTimer, pyqtSlot
from PyQt6.QtGui import QGuiApplication
from PyQt6.QtWidgets import QHBoxLayout, QLineEdit, QPlainTextEdit, QVBoxLayout, QWidget

from app.theme import METRICS, mono_font
from app.training.runs import Runs
from app.widgets.roles import button, label
from trainer.run_rows import RunRow

READ_PERIOD_MS = 1000
TERMINAL = "This run was started in a terminal: what it prints is there."
NONE = "Select one job in the table to see what it prints."


class LogView(QWidget):
    """The last lines of a job's log, followed."""

    def __init__(self, runs: Runs) -> None:
        super().__init__()
        self.setObjectName("log_view")
        self._runs = runs
        self._row: RunRow | None = None
        self.text = QPlainTextEdit()
        self._timer = QTimer(self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(METRICS.margin, METRICS.gap, METRICS.margin, METRICS.gap)
        self.text.setReadOnly(True)
        self.text.setFont(mono_font())
        self.text.setObjectName("job_log")
        self.text.setPlaceholderText(NONE)
        layout.addWidget(self.text)
        self._timer.timeout.connect(self.read)
        self._timer.start(READ_PERIOD_MS)

    def close_worker(self) -> None:
        """Stop reading."""
        self._timer.stop()

    def show_row(self, row: RunRow | None) -> None:
        """Follow the log of another job."""
        if row is not None and self._row is not None and row.key == self._row.key:
            self._row = row
            return
        self._row = row
        self.text.clear()
        self.text.setPlaceholderText(NONE if row is None or row.entry is not None else TERMINAL)
        self.read()

    @pyqtSlot()
    def read(self) -> None:
        """Read the log again."""
        row = self._row
        if row is None or row.entry is None or not self.isVisible():
            return
        self._runs.read_log(row, lambda lines: self._show(row, lines))

    def _show(self, row: RunRow, lines: list[str]) -> None:
        if self._row is None or row.key != self._row.key:
            return
        text = "\n".join(lines)
        if text == self.text.toPlainText():
            return
        bar = self.text.verticalScrollBar()
        at_end = bar is None or bar.value() >= bar.maximum()
        self.text.setPlainText(text)
        if at_end and bar is not None:
            bar.setValue(bar.maximum())


class TensorBoardBar(QWidget):
    """Says the command that shows the same curves in TensorBoard."""

    def __init__(self, runs: Runs) -> None:
        super().__init__()
        self.setObjectName("tensorboard_bar")
        self._runs = runs
        self.command = QLineEdit(shlex.join(["tensorboard", "--logdir", str(runs.root.absolute())]))
        self.copy = button("Copy", "", "copy_tensorboard")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(METRICS.margin, METRICS.gap, METRICS.margin, METRICS.gap)
        layout.addWidget(label("Every run holds TensorBoard files. In a terminal:", "muted"))
        self.command.setReadOnly(True)
        self.command.setFont(mono_font())
        layout.addWidget(self.command, 1)
        layout.addWidget(self.copy)
        self.copy.clicked.connect(self._on_copy_clicked)

    @pyqtSlot()
    def _on_copy_clicked(self) -> None:
        clipboard = QGuiApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(self.command.text())
            self._runs.told.emit("the command for TensorBoard is in the clipboard; it serves http://localhost:6006")
