"""The table of episodes: a Qt model over `EpisodeInfo`, sortable by every column."""

from datetime import datetime
from typing import Any

from PyQt6.QtCore import QModelIndex, QSortFilterProxyModel, Qt
from PyQt6.QtGui import QBrush, QColor
from typing_extensions import override

from app.theme import Theme
from app.widgets.column_table import SORT_ROLE, Column, ColumnTableModel
from core.data.schema import EpisodeInfo

COLUMNS: tuple[Column[EpisodeInfo], ...] = (
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


class EpisodeTableModel(ColumnTableModel[EpisodeInfo]):
    """Rows of a data set."""

    def __init__(self, theme: Theme) -> None:
        super().__init__(COLUMNS, theme)

    @override
    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role == Qt.ItemDataRole.ForegroundRole and COLUMNS[index.column()].title == "Result":
            return QBrush(QColor(self._theme.good if self.row(index.row()).success else self._theme.danger))
        return super().data(index, role)


def sorted_view(model: EpisodeTableModel) -> QSortFilterProxyModel:
    """A view of the model that sorts numbers as numbers."""
    proxy = QSortFilterProxyModel()
    proxy.setSourceModel(model)
    proxy.setSortRole(SORT_ROLE)
    return proxy
