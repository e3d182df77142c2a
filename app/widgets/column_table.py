"""Tables whose columns are data: what the table of episodes and the table of runs have in common."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from PyQt6.QtCore import QAbstractTableModel, QModelIndex, Qt
from typing_extensions import override

from app.theme import Theme

RowT = TypeVar("RowT")
SORT_ROLE = Qt.ItemDataRole.UserRole


@dataclass(frozen=True)
class Column(Generic[RowT]):
    """One column: its title, the text shown, and what it sorts by."""

    title: str
    text: Callable[[RowT], str]
    key: Callable[[RowT], Any]
    tip: str = ""
    numeric: bool = False


class ColumnTableModel(QAbstractTableModel, Generic[RowT]):
    """Rows shown by columns. What a row adds (colours, further roles) is said by its own model's `data`."""

    def __init__(self, columns: tuple[Column[RowT], ...], theme: Theme) -> None:
        super().__init__()
        self.columns = columns
        self._rows: tuple[RowT, ...] = ()
        self._theme = theme

    def set_rows(self, rows: tuple[RowT, ...]) -> None:
        """Show other rows."""
        self.beginResetModel()
        self._rows = rows
        self.endResetModel()

    def set_theme(self, theme: Theme) -> None:
        """Take the colours of a theme."""
        self._theme = theme
        self.layoutChanged.emit()

    def row(self, index: int) -> RowT:
        """A row of this model (not of a sorted view)."""
        return self._rows[index]

    @override
    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008  (Qt's own default)
        return 0 if parent.isValid() else len(self._rows)

    @override
    def columnCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.columns)

    @override
    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self.columns[section].title
        return self.columns[section].tip if role == Qt.ItemDataRole.ToolTipRole else None

    @override
    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        row, column = self._rows[index.row()], self.columns[index.column()]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return column.text(row)
            case Qt.ItemDataRole.UserRole:
                return column.key(row)
            case Qt.ItemDataRole.TextAlignmentRole if column.numeric:
                return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        return None
