"""The table of episodes: a Qt model over `EpisodeInfo`, sortable by every column."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from PyQt6.QtCore import QAbstractTableModel, QModelIndex, QSortFilterProxyModel, Qt
from PyQt6.QtGui import QBrush, QColor
from typing_extensions import override

from app.theme import Theme
from core.data.schema import EpisodeInfo

SORT_ROLE = Qt.ItemDataRole.UserRole


@dataclass(frozen=True)
class Column:
    """One column: its title, the text shown, and what it sorts by."""

    title: str
    text: Callable[[EpisodeInfo], str]
    key: Callable[[EpisodeInfo], Any]
    tip: str = ""
    numeric: bool = False


COLUMNS: tuple[Column, ...] = (
    Column("#", lambda e: str(e.index), lambda e: e.index, "N of demo_N", numeric=True),
    Column("Result", lambda e: "✔ success" if e.success else "✘ failure", lambda e: e.success, "What the task judged"),
    Column("Length", lambda e: f"{e.duration_s:.1f} s", lambda e: e.duration_s, "Simulated time", numeric=True),
    Column("Samples", lambda e: str(e.num_samples), lambda e: e.num_samples, "Commands recorded", numeric=True),
    Column("Date", lambda e: local_date(e.date), lambda e: e.date, "When the episode began"),
    Column("Source", lambda e: e.source, lambda e: e.source, "Who commanded"),
    Column("Operator", lambda e: e.operator, lambda e: e.operator, "Who demonstrated"),
    Column("Seed", lambda e: str(e.seed), lambda e: e.seed, "Seed of the episode", numeric=True),
    Column("Label", lambda e: e.label, lambda e: e.label, "Label of the episode"),
    Column("Reason", lambda e: e.reason, lambda e: e.reason, "Why it ended"),
)


def local_date(text: str) -> str:
    """A UTC date of the record in the time of this computer; as it is when it is none."""
    try:
        return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except ValueError:
        return text


class EpisodeTableModel(QAbstractTableModel):
    """Rows of a data set."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._rows: tuple[EpisodeInfo, ...] = ()
        self._theme = theme

    def set_rows(self, rows: tuple[EpisodeInfo, ...]) -> None:
        """Show other rows."""
        self.beginResetModel()
        self._rows = rows
        self.endResetModel()

    def set_theme(self, theme: Theme) -> None:
        """Take the colours of a theme."""
        self._theme = theme
        self.layoutChanged.emit()

    def episode(self, row: int) -> EpisodeInfo:
        """The episode of a row of this model (not of a sorted view)."""
        return self._rows[row]

    @override
    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008  (Qt's own default)
        return 0 if parent.isValid() else len(self._rows)

    @override
    def columnCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(COLUMNS)

    @override
    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return COLUMNS[section].title
        return COLUMNS[section].tip if role == Qt.ItemDataRole.ToolTipRole else None

    @override
    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        episode, column = self._rows[index.row()], COLUMNS[index.column()]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return column.text(episode)
            case Qt.ItemDataRole.UserRole:
                return column.key(episode)
            case Qt.ItemDataRole.TextAlignmentRole if column.numeric:
                return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            case Qt.ItemDataRole.ForegroundRole if column.title == "Result":
                return QBrush(QColor(self._theme.good if episode.success else self._theme.danger))
        return None


def sorted_view(model: EpisodeTableModel) -> QSortFilterProxyModel:
    """A view of the model that sorts numbers as numbers."""
    proxy = QSortFilterProxyModel()
    proxy.setSourceModel(model)
    proxy.setSortRole(SORT_ROLE)
    return proxy
