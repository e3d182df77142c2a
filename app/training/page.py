"""The Train page: a form for the next job, the table of jobs and runs, their curves and logs."""

from PyQt6.QtCore import Qt, pyqtSignal, pyqtSlot
from PyQt6.QtWidgets import QHBoxLayout, QSplitter, QTabWidget, QVBoxLayout, QWidget

from app.state import AppState
from app.theme import METRICS
from app.training.job_panel import JobPanel
from app.training.log_view import LogView, TensorBoardBar
from app.training.plot_panel import PlotPanel
from app.training.run_panel import RunPanel
from app.training.runs import Runs
from app.widgets.roles import label
from trainer.progress import format_duration
from trainer.queue.desk import QueueDesk


class TrainPage(QWidget):
    """Everything about training."""

    watch_wanted = pyqtSignal(object)
    "show this planner in the 3-D view"
    summary_changed = pyqtSignal(str)
    "what is at work, in a few words"

    def __init__(self, state: AppState, desk: QueueDesk) -> None:
        super().__init__()
        self.setObjectName("train_page")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._state = state
        self.runs = Runs(desk)
        self.jobs = JobPanel(state, self.runs)
        self.table = RunPanel(state, self.runs)
        self.plots = PlotPanel(state)
        self.log = LogView(self.runs)
        self.tensorboard = TensorBoardBar(self.runs)
        self.tabs = QTabWidget()
        self._chose_first = False
        self.told = label("", "muted", "train_told")
        self._build()
        self._connect()

    def _build(self) -> None:
        board = QWidget()
        column = QVBoxLayout(board)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.tensorboard)
        column.addStretch(1)
        self.tabs.setObjectName("train_tabs")
        self.tabs.addTab(self.plots, "Curves")
        self.tabs.addTab(self.log, "Log")
        self.tabs.addTab(board, "TensorBoard")
        right = QSplitter(Qt.Orientation.Vertical)
        right.addWidget(_panel(self.table))
        right.addWidget(_panel(self.tabs))
        right.setSizes([METRICS.runs_height, 2 * METRICS.runs_height])
        across = QSplitter(Qt.Orientation.Horizontal)
        across.setObjectName("train_splitter")
        across.addWidget(_panel(self.jobs))
        across.addWidget(right)
        across.setStretchFactor(1, 1)
        across.setSizes([METRICS.job_width, METRICS.window_width - METRICS.job_width])
        for splitter in (right, across):
            splitter.setChildrenCollapsible(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(METRICS.tight, METRICS.tight, METRICS.tight, METRICS.tight)
        layout.setSpacing(METRICS.tight)
        layout.addWidget(across, 1)
        foot = QHBoxLayout()
        foot.addWidget(self.told, 1)
        layout.addLayout(foot)

    def _connect(self) -> None:
        state, runs = self._state, self.runs
        runs.failed.connect(state.report)
        runs.told.connect(self._on_told)
        runs.rows_changed.connect(self._on_rows_changed)
        self.plots.failed.connect(state.report)
        self.plots.told.connect(self._on_told)
        self.table.selection_changed.connect(self._on_selection_changed)
        self.table.duplicate_wanted.connect(self.jobs.show_copy)
        self.table.watch_wanted.connect(self.watch_wanted)

    def close_workers(self) -> None:
        """Stop reading; jobs go on."""
        self.log.close_worker()
        self.jobs.close_worker()
        self.plots.close_worker()
        self.runs.close()

    @pyqtSlot(str)
    def _on_told(self, text: str) -> None:
        self.told.setText(text)
        self._state.logged.emit("info", text)

    @pyqtSlot()
    def _on_selection_changed(self) -> None:
        self.plots.show_runs(self.table.selected)
        self.log.show_row(self.table.chosen)

    @pyqtSlot()
    def _on_rows_changed(self) -> None:
        if not self._chose_first and self.runs.rows:
            self._chose_first = True
            self.table.select({self.runs.rows[0].key})
        self._on_selection_changed()
        self.summary_changed.emit(self.summary())

    def summary(self) -> str:
        """What is at work."""
        row = self.runs.running
        waiting = sum(row.state == "waiting" for row in self.runs.rows)
        queued = f" · {waiting} waiting" if waiting else ""
        if row is None:
            return f"Train{queued}"
        done = "" if row.done is None else f" {100 * row.done:.0f} %"
        left = "" if row.left_s is None else f" · {format_duration(row.left_s)} left"
        return f"Train · {row.job}{done}{left}{queued}"


def _panel(widget: QWidget) -> QWidget:
    widget.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
    widget.setProperty("role", "panel")
    return widget
