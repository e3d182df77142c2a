"""The look that every table of the window shares."""

from PyQt6.QtWidgets import QAbstractItemView, QHeaderView, QTableView

from app.theme import METRICS


def dress_table(table: QTableView) -> QHeaderView:
    """Whole rows, striped, without a grid or row numbers; the header, for whatever is this table's own."""
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setAlternatingRowColors(True)
    table.setShowGrid(False)
    vertical, horizontal = table.verticalHeader(), table.horizontalHeader()
    assert vertical is not None
    assert horizontal is not None
    vertical.hide()
    vertical.setDefaultSectionSize(METRICS.row_height)
    horizontal.setStretchLastSection(True)
    return horizontal
