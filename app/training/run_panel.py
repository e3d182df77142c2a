"""The table of jobs and runs with what can be done to them."""

import shlex
from collections.abc import Callable
from pathlib import Path

from PyQt6.QtCore import QPoint, Qt, QUrl, pyqtSignal, pyqtSlot
from PyQt6.QtGui import QAction, QDesktopServices, QGuiApplication, QKeySequence
from PyQt6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QMenu,
    QMessageBox,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from app.problems import Problem
from app.state import AppState
from app.theme import METRICS, Theme
from app.training.progress_delegate import ProgressDelegate
from app.training.run_model import PROGRESS, TITLES, RunFilter, RunTableModel
from app.training.runs import Runs
from app.widgets.roles import button, label
from app.widgets.tables import dress_table
from trainer.planner_files import PLANNER_FILE
from trainer.queue.jobs import command_text
from trainer.queue.store import RESUMABLE_STATES
from trainer.run_rows import RunRow
from trainer.runs import Run, RunError

MENU = (
    *("watch", "stop", "resume", "duplicate", "", "earlier", "later", ""),
    *("folder", "report", "command", "", "delete", "undo", "empty"),
)
WIDTHS = {"#": 40, "Job": 120, "State": 95, "Progress": 110, "Left": 80, "Result": 250, "Started": 90}


class RunPanel(QWidget):
    """Jobs and runs; what is selected is plotted."""

    selection_changed = pyqtSignal()
    duplicate_wanted = pyqtSignal(object)
    watch_wanted = pyqtSignal(object)

    def __init__(self, state: AppState, runs: Runs) -> None:
        super().__init__()
        self.setObjectName("run_panel")
        self._state, self._runs = state, runs
        self.model = RunTableModel(state.theme)
        self.filter = RunFilter(self.model)
        self.table = QTableView()
        self.search = QLineEdit()
        self._delegate = ProgressDelegate(state.theme)
        self.stop = button("Stop", "discard", "stop_job")
        self.resume = button("Resume", "keep", "resume_job", "Go on from the last checkpoint (Ctrl+Shift+R)")
        self.duplicate = button(
            "Duplicate…", "", "duplicate_job", "Its settings in the form, to change and queue again"
        )
        self.delete = button("Delete", "discard", "delete_job", "To the trash, with its run folder (Del)")
        self.undo = button("Undo delete", "", "undo_delete", "Put back what was deleted last (Ctrl+Shift+Backspace)")
        self.watch = button("Watch", "primary", "watch_job", "Run this planner in the 3-D view (W)")
        self.note = label("", "hint", "run_note")
        self._build()
        self._actions = self._make_actions()
        self._connect()
        self._show_actions()

    def _build(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(METRICS.margin, METRICS.gap, METRICS.margin, METRICS.gap)
        row = QHBoxLayout()
        row.addWidget(label("Jobs and runs", "section"))
        self.search.setObjectName("run_search")
        self.search.setPlaceholderText("Filter: state, job, result…")
        self.search.setClearButtonEnabled(True)
        row.addWidget(self.search, 1)
        for one in (self.watch, self.stop, self.resume, self.duplicate, self.delete, self.undo):
            row.addWidget(one)
        layout.addLayout(row)
        layout.addWidget(self.table, 1)
        self.note.setWordWrap(True)
        self.note.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        layout.addWidget(self.note)
        self._build_table()

    def _build_table(self) -> None:
        table = self.table
        table.setObjectName("runs")
        table.setModel(self.filter)
        table.setItemDelegateForColumn(PROGRESS, self._delegate)
        table.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        table.setWordWrap(False)
        table.setSortingEnabled(True)
        table.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        horizontal = dress_table(table)
        horizontal.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        horizontal.setSortIndicatorClearable(True)
        horizontal.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        for title, width in WIDTHS.items():
            horizontal.resizeSection(TITLES.index(title), width)
        self.filter.sort(-1)

    def _make_actions(self) -> dict[str, QAction]:
        entries: tuple[tuple[str, str, str, Callable[[], object]], ...] = (
            ("watch", "Watch in the 3-D view", "W", self._on_watch),
            ("stop", "Stop", "Ctrl+.", self._on_stop),
            ("resume", "Resume", "Ctrl+Shift+R", self._on_resume),
            ("duplicate", "Duplicate with changes…", "Ctrl+D", self._on_duplicate),
            ("earlier", "Earlier in the queue", "Alt+Up", lambda: self._move(-1)),
            ("later", "Later in the queue", "Alt+Down", lambda: self._move(1)),
            ("folder", "Open the run folder", "Ctrl+Return", self._on_open_folder),
            ("report", "Open the report", "Ctrl+Shift+O", self._on_open_report),
            ("command", "Copy the command line", "Ctrl+Shift+C", self.copy_command),
            ("delete", "Delete", "Del", self._on_delete),
            ("undo", "Undo delete", "Ctrl+Shift+Backspace", self._runs.undo_delete),
            ("empty", "Empty the trash…", "", self._on_empty_trash),
        )
        actions = {}
        for name, text, keys, run in entries:
            action = QAction(text, self)
            if keys:
                action.setShortcut(QKeySequence(keys))
            action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            action.triggered.connect(lambda _=False, run=run: run())
            self.addAction(action)
            actions[name] = action
        return actions

    def _connect(self) -> None:
        runs, selection = self._runs, self.table.selectionModel()
        assert selection is not None
        runs.rows_changed.connect(self._on_rows_changed)
        selection.selectionChanged.connect(self._on_selection_changed)
        self.search.textChanged.connect(self.filter.set_text)
        self.table.customContextMenuRequested.connect(self._on_menu_wanted)
        self.table.doubleClicked.connect(lambda _: self._on_duplicate())
        for one, name in ((self.watch, "watch"), (self.stop, "stop"), (self.resume, "resume"),
                          (self.duplicate, "duplicate"), (self.delete, "delete"), (self.undo, "undo")):  # fmt: skip
            one.clicked.connect(self._actions[name].trigger)
        self._state.theme_changed.connect(self._on_theme_changed)

    def shortcuts(self) -> list[tuple[str, str, str]]:
        """(menu, keys, text) of what the table answers to."""
        actions = self._actions.values()
        return [("Jobs", action.shortcut().toString(), action.text()) for action in actions if action.shortcut()]

    # ------------------------------------------------------------------ what is selected

    @property
    def selected(self) -> list[RunRow]:
        """Selected rows, from the top."""
        selection = self.table.selectionModel()
        assert selection is not None
        rows = sorted(selection.selectedRows(), key=lambda index: index.row())
        return [self.model.row(self.filter.mapToSource(index).row()) for index in rows]

    @property
    def chosen(self) -> RunRow | None:
        """The row, when exactly one is selected."""
        selected = self.selected
        return selected[0] if len(selected) == 1 else None

    def select(self, keys: set[str]) -> None:
        """Select the rows of these keys."""
        selection = self.table.selectionModel()
        assert selection is not None
        selection.clearSelection()
        flag = selection.SelectionFlag
        for index in range(self.filter.rowCount()):
            at = self.filter.index(index, 0)
            if self.model.row(self.filter.mapToSource(at).row()).key in keys:
                selection.select(at, flag.Select | flag.Rows)

    @pyqtSlot()
    def _on_rows_changed(self) -> None:
        before = {row.key for row in self.selected}
        scroll = self.table.verticalScrollBar()
        at = scroll.value() if scroll is not None else 0
        self.model.set_rows(self._runs.rows)
        if before != {row.key for row in self.selected}:
            self.select(before)
            if scroll is not None:
                scroll.setValue(at)
        self._show_actions()

    @pyqtSlot()
    def _on_selection_changed(self) -> None:
        self._show_actions()
        self.selection_changed.emit()

    def _show_actions(self) -> None:
        row, selected = self.chosen, self.selected
        can = {
            "watch": row is not None and planner_of(row) is not None,
            "stop": row is not None and row.state in ("running", "waiting"),
            "resume": row is not None and row.state in RESUMABLE_STATES,
            "duplicate": row is not None,
            "folder": row is not None and row.path is not None,
            "report": row is not None and report_of(row) is not None,
            "command": row is not None,
            "delete": bool(selected) and all(one.state != "running" for one in selected),
            "undo": self._runs.deleted > 0,
            "empty": self._runs.deleted > 0,
            "earlier": row is not None and row.state == "waiting",
            "later": row is not None and row.state == "waiting",
        }
        for name, possible in can.items():
            self._actions[name].setEnabled(possible)
        for one, name in ((self.watch, "watch"), (self.stop, "stop"), (self.resume, "resume"),
                          (self.duplicate, "duplicate"), (self.delete, "delete"), (self.undo, "undo")):  # fmt: skip
            one.setEnabled(can[name])
        asked = row is not None and row.state == "running" and self._runs.was_asked_to_stop(row)
        self.stop.setText("End at once…" if asked else "Stop")
        self.stop.setToolTip("It saves and ends; what is there can be resumed (Ctrl+.)")
        self._show_note(row)

    def _show_note(self, row: RunRow | None) -> None:
        """Why a job went wrong, with its last words."""
        wrong = row is not None and row.state in ("failed", "killed", "skipped")
        self.note.setVisible(wrong)
        if not wrong or row is None:
            return
        text = f"{row.title} was {row.state}" if row.state != "failed" else f"{row.title} failed"
        text = f"{text}: {row.message}" if row.message else text
        self.note.setText(text)
        key = row.key

        def show(lines: list[str]) -> None:
            if self.chosen is not None and self.chosen.key == key and lines:
                last = "\n".join(line for line in lines[-3:] if line.strip())
                self.note.setText(f"{text}\n{last}")

        self._runs.read_log(row, show)

    # ------------------------------------------------------------------ deeds

    @pyqtSlot(QPoint)
    def _on_menu_wanted(self, position: QPoint) -> None:
        menu = QMenu(self)
        for name in MENU:
            if name:
                menu.addAction(self._actions[name])
            else:
                menu.addSeparator()
        viewport = self.table.viewport()
        assert viewport is not None
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(viewport.mapToGlobal(position))

    def _on_watch(self) -> None:
        row = self.chosen
        planner = planner_of(row) if row is not None else None
        if planner is not None:
            self.watch_wanted.emit(planner)

    def _on_stop(self) -> None:
        row = self.chosen
        if row is None:
            return
        if row.state == "running" and self._runs.was_asked_to_stop(row):
            if self._sure(f"End {row.title} at once?", "It was asked to save and end, and has not ended yet. Ended at "
                          "once, it loses what came after its last checkpoint."):  # fmt: skip
                self._runs.stop(row, kill=True)
            return
        self._runs.stop(row)

    def _on_resume(self) -> None:
        if self.chosen is not None:
            self._runs.resume(self.chosen)

    def _on_duplicate(self) -> None:
        if self.chosen is not None:
            self.duplicate_wanted.emit(self.chosen)

    def _move(self, by: int) -> None:
        if self.chosen is not None:
            self._runs.move(self.chosen, by)

    def _on_delete(self) -> None:
        self._runs.delete(self.selected)

    def _on_empty_trash(self) -> None:
        count = self._runs.deleted
        if self._sure("Empty the trash?", f"{count} deleted jobs and runs cannot be put back then."):
            self._runs.empty_trash()

    def _on_open_folder(self) -> None:
        if self.chosen is not None and self.chosen.path is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self.chosen.path)))

    def _on_open_report(self) -> None:
        report = report_of(self.chosen) if self.chosen is not None else None
        if report is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(report)))

    def copy_command(self) -> None:
        """The command line of the chosen job, to the clipboard."""
        clipboard = QGuiApplication.clipboard()
        if self.chosen is None or clipboard is None:
            return
        try:
            clipboard.setText(command_of(self.chosen))
        except RunError as error:
            self._runs.report(Problem.from_error("The command line cannot be read", error))
            return
        self._runs.told.emit("the command line is in the clipboard")

    def _sure(self, question: str, text: str) -> bool:
        buttons = QMessageBox.StandardButton
        answer = QMessageBox.question(self, question, text, buttons.Yes | buttons.Cancel, buttons.Cancel)
        return answer == buttons.Yes

    @pyqtSlot(object)
    def _on_theme_changed(self, theme: Theme) -> None:
        self.model.set_theme(theme)
        self._delegate.set_theme(theme)


def planner_of(row: RunRow) -> Path | None:
    """The planner that a run has made so far."""
    path = None if row.path is None else row.path / PLANNER_FILE
    return path if path is not None and path.is_file() else None


def report_of(row: RunRow) -> Path | None:
    """The page that an evaluation or a comparison has written."""
    asked = None if row.entry is None else row.entry.config.get("report")
    found = [] if row.path is None else sorted(row.path.glob("*.html"))
    if row.entry is not None and asked:
        found.append(Path(row.entry.folder) / asked)
    return next((path for path in found if path.is_file()), None)


def command_of(row: RunRow) -> str:
    """What to type for the same job. Raises RunError for a run folder that cannot be read."""
    if row.entry is not None:
        return command_text(row.entry.job, row.entry.arguments)
    assert row.path is not None
    return shlex.join(["refine-dp", *Run.open(row.path).info().command[1:]])
