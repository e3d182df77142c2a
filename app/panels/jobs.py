"""Jobs in the background: start one, see what every run folder says, stop one."""

import math
import subprocess
from datetime import datetime
from pathlib import Path

from PyQt6.QtCore import Qt, QTimer, pyqtSlot
from PyQt6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QProgressBar,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from app.form import ConfigForm
from app.jobs import RUNS_ROOT, JobRow, command_line, launch, read_jobs, stop_job
from app.problems import Problem
from app.state import AppState
from app.theme import METRICS
from app.widgets.roles import button, label
from app.workers.background import Background
from trainer.jobs.collect import Config

READ_PERIOD_MS = 1000
DEFAULT_DATASET = Path("data") / "collected.hdf5"
TITLES = ("Job", "Started", "State", "Progress", "Says", "Folder")
PROGRESS_COLUMN = 3


class JobsPanel(QWidget):
    """Collection in the background."""

    def __init__(self, state: AppState, root: Path = RUNS_ROOT) -> None:
        super().__init__()
        self.setObjectName("jobs_panel")
        self._state = state
        self._root = root
        self._reading = False
        self._launched: list[subprocess.Popen[bytes]] = []
        "kept so that ended ones are reaped"
        self.rows: tuple[JobRow, ...] = ()
        self.form = ConfigForm(Config, Config(DEFAULT_DATASET, runs=root), hidden=("backend", "runs"), columns=2)
        self.start = button("Collect in the background", "primary", "collect")
        self.start.setToolTip("A process of its own: it goes on when the window is closed")
        self.stop = button("Stop job", "discard", "stop_job", "Ask the job to end cleanly; finished episodes are kept")
        self.table = QTableWidget(0, len(TITLES))
        self._background = Background("jobs")
        self._timer = QTimer(self)
        self._timer.setInterval(READ_PERIOD_MS)
        self._build()
        self._connect()

    def _build(self) -> None:
        layout = QHBoxLayout(self)
        layout.setContentsMargins(METRICS.margin, METRICS.gap, METRICS.margin, METRICS.gap)
        layout.setSpacing(2 * METRICS.gap)
        left = QVBoxLayout()
        head = QHBoxLayout()
        head.addWidget(label("Collect demonstrations", "section"))
        head.addStretch(1)
        head.addWidget(self.start)
        left.addLayout(head)
        left.addWidget(self.form)
        left.addStretch(1)
        layout.addLayout(left, 2)
        right = QVBoxLayout()
        row = QHBoxLayout()
        row.addWidget(label("Runs, newest first (also those started in a terminal)", "section"))
        row.addStretch(1)
        row.addWidget(self.stop)
        right.addLayout(row)
        right.addWidget(self.table)
        layout.addLayout(right, 3)
        self._build_table()

    def _build_table(self) -> None:
        table = self.table
        table.setObjectName("jobs")
        table.setHorizontalHeaderLabels(list(TITLES))
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.setShowGrid(False)
        vertical, horizontal = table.verticalHeader(), table.horizontalHeader()
        assert vertical is not None
        assert horizontal is not None
        vertical.hide()
        horizontal.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        horizontal.setStretchLastSection(True)

    def _connect(self) -> None:
        self.start.clicked.connect(self.collect)
        self.stop.clicked.connect(self._on_stop_clicked)
        self.form.changed.connect(lambda: self.start.setEnabled(self.form.validate() is not None))
        self.table.itemSelectionChanged.connect(self._show_actions)
        self._timer.timeout.connect(self.read)
        self._background.failed.connect(self._state.report)
        self._timer.start()
        self._show_actions()

    def close_worker(self) -> None:
        """Stop reading; jobs go on."""
        self._timer.stop()
        self._background.close()

    @pyqtSlot()
    def collect(self) -> None:
        """Start the job that the form describes."""
        config = self.form.validate()
        if config is None:
            return
        log = self._root / "launched" / f"{datetime.now():%Y%m%d-%H%M%S}-collect.log"
        process = launch(command_line("collect", config), log)
        self._launched.append(process)
        self._state.logged.emit("info", f"collect started as process {process.pid}; its output is in {log}")
        QTimer.singleShot(READ_PERIOD_MS, lambda: self._check_launch(process, log))

    def _check_launch(self, process: subprocess.Popen[bytes], log: Path) -> None:
        """A job that ends at once did not start: say why."""
        code = process.poll()
        if code:
            details = log.read_text(errors="replace")[-4000:]
            last = details.strip().splitlines()[-1] if details.strip() else f"it ended with status {code}"
            self._state.report(Problem("The job did not start", last, "change the form and start it again", details))

    @pyqtSlot()
    def read(self) -> None:
        """Read the run folders again, unless a reading is under way."""
        self._launched = [process for process in self._launched if process.poll() is None]
        if self._reading or not self.isVisible():
            return
        self._reading = True
        self._background.submit(
            "Run folders cannot be read", lambda: read_jobs(self._root), self._on_read, self._on_done
        )

    def _on_done(self) -> None:
        self._reading = False

    def _on_read(self, rows: tuple[JobRow, ...]) -> None:
        if rows == self.rows:
            return
        chosen = self.chosen
        self.rows = rows
        self.table.setRowCount(len(rows))
        for index, row in enumerate(rows):
            self._show_row(index, row)
            if chosen is not None and row.path == chosen.path:
                self.table.selectRow(index)
        self._show_actions()

    def _show_row(self, index: int, row: JobRow) -> None:
        texts = (row.job, row.created.replace("T", " ")[:19], row.state, "", row.text, str(row.path))
        for column, text in enumerate(texts):
            item = QTableWidgetItem(text)
            item.setToolTip(text)
            self.table.setItem(index, column, item)
        bar = QProgressBar()
        bar.setRange(0, 0 if math.isnan(row.done) and row.state == "running" else 100)
        bar.setValue(0 if math.isnan(row.done) else round(100 * row.done))
        bar.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.table.setCellWidget(index, PROGRESS_COLUMN, bar)

    @property
    def chosen(self) -> JobRow | None:
        """The selected run."""
        index = self.table.currentRow()
        return self.rows[index] if self.table.selectedItems() and 0 <= index < len(self.rows) else None

    @pyqtSlot()
    def _show_actions(self) -> None:
        self.stop.setEnabled(self.chosen is not None and self.chosen.state == "running")

    @pyqtSlot()
    def _on_stop_clicked(self) -> None:
        row = self.chosen
        if row is not None:
            self._background.submit("The job was not stopped", lambda: stop_job(row))
