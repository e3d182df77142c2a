"""The table of jobs and runs: a Qt model over `RunRow`, sortable and filterable."""

import time
from datetime import datetime
from typing import Any

from PyQt6.QtCore import QModelIndex, QSortFilterProxyModel, Qt
from PyQt6.QtGui import QBrush, QColor
from typing_extensions import override

from app.theme import Theme
from app.widgets.column_table import SORT_ROLE, Column, ColumnTableModel
from trainer.progress import format_duration
from trainer.run_rows import RunRow

SHARE_ROLE = Qt.ItemDataRole.UserRole + 1
"Share done, for the bar; None where nothing is known"
KEY_ROLE = Qt.ItemDataRole.UserRole + 2
STATE_MARKS = {
    "running": "▶", "waiting": "…", "finished": "✔", "stopped": "■", "failed": "✘", "killed": "✘", "skipped": "⤼",
}  # fmt: skip
STATE_ORDER = tuple(STATE_MARKS)


def _number(row: RunRow) -> int:
    return -1 if row.entry is None else row.entry.id


def _left(row: RunRow) -> str:
    return "" if row.left_s is None else format_duration(row.left_s)


def _success(row: RunRow) -> float:
    return -1.0 if row.success is None else row.success


COLUMNS: tuple[Column[RunRow], ...] = (
    Column("#", lambda r: "" if r.entry is None else str(r.entry.id), _number, "Number in the queue; empty: terminal"),
    Column("Job", lambda r: r.job, lambda r: r.job, "What it does"),
    Column("State", lambda r: f"{STATE_MARKS.get(r.state, '')} {r.state}", lambda r: STATE_ORDER.index(r.state), ""),
    Column("Progress", lambda r: "" if r.done is None else f"{100 * r.done:.0f} %", lambda r: r.done or 0.0, ""),
    Column("Left", _left, lambda r: r.left_s or 0.0, "Time left at the rate of the last minutes", numeric=True),
    Column("Result", lambda r: r.headline, _success, "Success with its 95 % interval, or loss"),
    Column("Started", lambda r: clock(r.started_s), lambda r: r.started_s, "When it started, or was added"),
    Column("Note", lambda r: r.message, lambda r: r.message, "Why it waits or ended"),
)
PROGRESS = 3
TITLES = tuple(column.title for column in COLUMNS)


def clock(time_s: float) -> str:
    """A time of today, or a date and a time."""
    moment = datetime.fromtimestamp(time_s)
    today = moment.date() == datetime.fromtimestamp(time.time()).date()
    return moment.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M")


class RunTableModel(ColumnTableModel[RunRow]):
    """Rows of the queue and the runs."""

    def __init__(self, theme: Theme) -> None:
        super().__init__(COLUMNS, theme)

    @override
    def set_rows(self, rows: tuple[RunRow, ...]) -> None:
        """Show other rows. Where only values changed, selection and scrolling stay."""
        if [row.key for row in rows] != [row.key for row in self._rows]:
            super().set_rows(rows)
            return
        self._rows = rows
        if rows:
            self.dataChanged.emit(self.index(0, 0), self.index(len(rows) - 1, len(COLUMNS) - 1))

    @override
    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        row, column = self.row(index.row()), COLUMNS[index.column()]
        match role:
            case Qt.ItemDataRole.ToolTipRole:
                return column.text(row) or None
            case _ if role == SHARE_ROLE:
                return row.done
            case _ if role == KEY_ROLE:
                return row.key
            case Qt.ItemDataRole.ForegroundRole if column.title == "State":
                return QBrush(QColor(self._state_colour(row)))
        return super().data(index, role)

    def _state_colour(self, row: RunRow) -> str:
        t = self._theme
        colours = {"running": t.accent, "finished": t.good, "stopped": t.caution, "failed": t.danger,
                   "killed": t.danger, "skipped": t.caution}  # fmt: skip
        return colours.get(row.state, t.muted)


class RunFilter(QSortFilterProxyModel):
    """Rows whose text has all words that were typed; a word may be a state, a job, a part of a result."""

    def __init__(self, model: RunTableModel) -> None:
        super().__init__()
        self._words: tuple[str, ...] = ()
        self._model = model
        self.setSourceModel(model)
        self.setSortRole(SORT_ROLE)

    def set_text(self, text: str) -> None:
        """Show only what has these words."""
        self._words = tuple(text.lower().split())
        self.invalidate()

    @override
    def filterAcceptsRow(self, source_row: int, source_parent: QModelIndex) -> bool:
        row = self._model.row(source_row)
        text = " ".join((row.title, row.job, row.state, row.headline, row.message, str(row.path or ""))).lower()
        return all(word in text for word in self._words)
