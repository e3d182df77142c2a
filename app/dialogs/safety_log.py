"""The safety logs of robot sessions: one line an event, the newest session first."""

from pathlib import Path

from PyQt6.QtCore import QTimer, pyqtSlot
from PyQt6.QtGui import QColor
from PyQt6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QComboBox,
    QDialog,
    QHBoxLayout,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from app.theme import METRICS, Theme
from app.widgets.roles import label
from app.widgets.tables import dress_table
from trainer.safety_log import FOLDER, Log, clock, logs, read_log

COLUMNS = ("Time", "Who", "What", "Details")
REFRESH_MS = 1000
GRAVE = ("stop", "stop_not_confirmed", "deadman", "error")
LINES = 5000
"The newest are shown; the file has them all"


class SafetyLogDialog(QDialog):
    """Not modal, read again every second: it may stay open beside a running session."""

    def __init__(self, theme: Theme, folder: Path = FOLDER, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("safety_log_dialog")
        self.setWindowTitle("Safety log")
        self.resize(2 * METRICS.dialog_width, 2 * METRICS.details_height)
        self._theme = theme
        self._folder = folder
        self._read: tuple[Path, int] | None = None
        self.choice = QComboBox()
        self.alarms = QCheckBox("only stops, watchdogs and refusals")
        self.table = QTableWidget(0, len(COLUMNS))
        self.summary = label("", "muted", "safety_log_summary")
        self._timer = QTimer(self)
        self._build()
        self.choice.currentIndexChanged.connect(self._on_chosen)
        self.alarms.toggled.connect(self._on_chosen)
        self._timer.timeout.connect(self.refresh)
        self._timer.start(REFRESH_MS)
        self.refresh()

    def _build(self) -> None:
        self.choice.setObjectName("safety_logs")
        self.alarms.setObjectName("alarms_only")
        self.table.setObjectName("safety_entries")
        self.table.setHorizontalHeaderLabels(COLUMNS)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        dress_table(self.table).setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        row = QHBoxLayout()
        row.addWidget(self.choice, 1)
        row.addWidget(self.alarms)
        layout = QVBoxLayout(self)
        layout.setSpacing(METRICS.gap)
        layout.addLayout(row)
        layout.addWidget(self.table, 1)
        layout.addWidget(self.summary)

    @pyqtSlot()
    def refresh(self) -> None:
        """Look for new logs and new lines."""
        known = [str(path) for path in logs(self._folder)]
        if known != [self.choice.itemText(i) for i in range(self.choice.count())]:
            shown = self.choice.currentText()
            newest_shown = self.choice.currentIndex() <= 0
            self.choice.blockSignals(True)
            self.choice.clear()
            self.choice.addItems(known)
            self.choice.setCurrentIndex(0 if newest_shown or shown not in known else known.index(shown))
            self.choice.blockSignals(False)
        if not known:
            self.summary.setText(f"No safety log in {self._folder}: each session with a robot writes one there")
            return
        self._show(Path(self.choice.currentText()))

    @pyqtSlot()
    def _on_chosen(self) -> None:
        self._read = None
        self.refresh()

    def _show(self, path: Path) -> None:
        try:
            size = path.stat().st_size
            if self._read == (path, size):
                return
            log = read_log(path)
        except OSError as error:
            self.summary.setText(f"{path} cannot be read: {error.strerror}")
            return
        self._read = path, size
        self._fill(log)

    def _fill(self, log: Log) -> None:
        entries = [entry for entry in log.entries if entry.alarming or not self.alarms.isChecked()]
        shown = entries[-LINES:]
        self.table.setRowCount(len(shown))
        for row, entry in enumerate(shown):
            cells = (clock(entry.wall_s), entry.who, entry.event.replace("_", " "), entry.words)
            for column, text in enumerate(cells):
                item = QTableWidgetItem(text)
                item.setToolTip(text)
                if entry.alarming:
                    item.setForeground(QColor(self._theme.danger if entry.event in GRAVE else self._theme.caution))
                self.table.setItem(row, column, item)
        self.table.scrollToBottom()
        broken = f" · {log.broken} broken lines" if log.broken else ""
        alarming = sum(entry.alarming for entry in log.entries)
        self.summary.setText(f"{len(log.entries)} entries, {alarming} to look at{broken}")
