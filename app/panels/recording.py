"""The recording panel: which data set, who, and what becomes of each episode."""

from pathlib import Path

from PyQt6.QtCore import pyqtSlot
from PyQt6.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QFormLayout,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from app.field_docs import field_docs
from app.panels.status import free_bytes
from app.state import AppState
from app.theme import METRICS
from app.widgets.roles import button, label, set_property
from trainer.session.messages import Configure

FILE_FILTER = "Data sets (*.hdf5 *.h5);;All files (*)"
WORDS = {
    "off": ("choose a data set to record", "idle"),
    "refused": ("this data set cannot be recorded to: choose another", "danger"),
    "armed": ("the next start records", "warning"),
    "recording": ("● recording", "danger"),
    "finished": ("keep or discard?", "warning"),
}


class RecordingPanel(QWidget):
    """Data set, operator, label; record, keep, discard, undo, again."""

    def __init__(self, state: AppState) -> None:
        super().__init__()
        self.setObjectName("recording_panel")
        self._state = state
        docs = field_docs(Configure)
        self.path = QLineEdit()
        self.path.setObjectName("dataset_path")
        self.path.setReadOnly(True)
        self.path.setPlaceholderText("no data set: nothing is recorded")
        self.new = button("New…", name="dataset_new", tip="Record to a new data set (Ctrl+N)")
        self.open = button("Open…", name="dataset_open", tip="Browse a data set and go on recording to it (Ctrl+O)")
        self.operator = QLineEdit()
        self.operator.setObjectName("operator")
        self.operator.setToolTip(docs["operator"])
        self.operator.setPlaceholderText("who demonstrates")
        self.episode_label = QLineEdit()
        self.episode_label.setObjectName("episode_label")
        self.episode_label.setToolTip(docs["label"])
        self.episode_label.setPlaceholderText("optional, with each episode")
        self.auto = QCheckBox("record and keep every episode by itself")
        self.auto.setObjectName("auto_record")
        self.auto.setToolTip(docs["auto_record"])
        self.record = button("● Record", "record", "record", "Record from now on (F7)")
        self.keep = button("Keep", "keep", "keep", "Keep the episode (F8)")
        self.discard = button("Discard", "discard", "discard", "Throw the episode away (F9)")
        self.again = button("Record again", "", "again", "Discard, reset and record anew (Shift+F9)")
        self.undo = button("Undo last", "", "undo_last", "Take the episode kept last out of the data set (Shift+F8)")
        self.state_label = label("", "", "recording_state")
        self.counts = {name: label("0", "count", f"count_{name}") for name in ("kept", "success", "failure")}
        self.space = label("", "muted", "disk_space")
        self._build()
        self._connect()
        self._show()

    def _build(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(METRICS.margin, METRICS.margin, METRICS.margin, METRICS.margin)
        layout.setSpacing(METRICS.gap)
        row = QHBoxLayout()
        row.addWidget(self.path, 1)
        row.addWidget(self.new)
        row.addWidget(self.open)
        layout.addLayout(row)
        form = QFormLayout()
        form.setSpacing(METRICS.gap)
        form.addRow("Operator", self.operator)
        form.addRow("Label", self.episode_label)
        layout.addLayout(form)
        layout.addWidget(self.auto)
        layout.addLayout(self._build_buttons())
        layout.addWidget(self.state_label)
        layout.addLayout(self._build_counts())
        layout.addWidget(self.space)
        layout.addStretch(1)

    def _build_buttons(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setSpacing(METRICS.tight)
        self.record.setCheckable(True)
        grid.addWidget(self.record, 0, 0)
        grid.addWidget(self.keep, 0, 1)
        grid.addWidget(self.discard, 0, 2)
        again = QHBoxLayout()
        again.addWidget(self.again)
        again.addWidget(self.undo)
        grid.addLayout(again, 1, 0, 1, 3)
        return grid

    def _build_counts(self) -> QHBoxLayout:
        row = QHBoxLayout()
        for name, value in self.counts.items():
            column = QVBoxLayout()
            column.setSpacing(0)
            column.addWidget(value)
            column.addWidget(label({"kept": "episodes", "failure": "failures"}.get(name, "successes"), "muted"))
            row.addLayout(column)
        row.addStretch(1)
        return row

    def _connect(self) -> None:
        state = self._state
        self.new.clicked.connect(self.ask_new)
        self.open.clicked.connect(self.ask_open)
        self.operator.editingFinished.connect(lambda: state.configure(operator=self.operator.text().strip()))
        self.episode_label.editingFinished.connect(lambda: state.set_label(self.episode_label.text().strip()))
        self.auto.toggled.connect(lambda on: state.configure(auto_record=on))
        self.record.clicked.connect(lambda: state.record("start"))
        self.keep.clicked.connect(lambda: state.record("keep"))
        self.discard.clicked.connect(lambda: state.record("discard"))
        self.again.clicked.connect(lambda: state.record("again"))
        self.undo.clicked.connect(lambda: state.record("undo"))
        state.session_changed.connect(self._show)
        state.dataset_changed.connect(self._show)
        state.library.rows_changed.connect(self._show_counts)

    @pyqtSlot()
    def ask_new(self) -> None:
        """Choose the file of a new data set."""
        name, _ = QFileDialog.getSaveFileName(self, "New data set", "demonstrations.hdf5", FILE_FILTER)
        if name:
            self._state.choose_dataset(Path(name).with_suffix(Path(name).suffix or ".hdf5"))

    @pyqtSlot()
    def ask_open(self) -> None:
        """Choose an existing data set, to browse and to go on with."""
        name, _ = QFileDialog.getOpenFileName(self, "Open a data set", "", FILE_FILTER)
        if name:
            self._state.choose_dataset(Path(name))

    @pyqtSlot()
    def _show(self) -> None:
        state, t = self._state, self._state.telemetry
        recording = t.recording if t is not None else "off"
        self.path.setText(str(state.dataset or ""))
        self.path.setToolTip(str(state.dataset or ""))
        self.auto.setChecked(state.settings.auto_record)
        for line, text in ((self.operator, state.settings.operator), (self.episode_label, state.settings.label)):
            if not line.hasFocus() and line.text() != text:
                line.setText(text)
        words, mood = WORDS[recording]
        if recording == "off" and state.dataset is not None:
            words = "ready to record"
        self.state_label.setText(words)
        set_property(self.state_label, "state", mood)
        has_dataset = state.dataset is not None
        self.record.setChecked(recording == "recording")
        self.record.setEnabled(has_dataset and recording != "recording" and state.session in ("ready", "running"))
        for widget in (self.keep, self.discard):
            widget.setEnabled(recording in ("recording", "finished"))
        self.again.setEnabled(has_dataset and state.session in ("running", "paused", "ready"))
        self.undo.setEnabled(has_dataset and bool(state.library.rows) and recording != "recording")
        free = free_bytes(state)
        self.space.setText("" if free is None else f"{free / 1e9:.1f} GB free on this disk")

    @pyqtSlot()
    def _show_counts(self) -> None:
        rows = self._state.library.rows
        succeeded = sum(row.success for row in rows)
        values = {"kept": len(rows), "success": succeeded, "failure": len(rows) - succeeded}
        for name, value in values.items():
            self.counts[name].setText(str(value))
        self._show()
