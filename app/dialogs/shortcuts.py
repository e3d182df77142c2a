"""The list of every shortcut."""

from PyQt6.QtWidgets import QDialog, QDialogButtonBox, QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from app.theme import METRICS
from app.widgets.roles import label

ROWS_PER_COLUMN = 14


class ShortcutsDialog(QDialog):
    """Keys on the left, what they do on the right, by menu."""

    def __init__(self, rows: list[tuple[str, str, str]], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("shortcuts_dialog")
        self.setWindowTitle("Shortcuts")
        self.rows = rows
        layout = QVBoxLayout(self)
        layout.setSpacing(METRICS.gap)
        layout.addWidget(label("Shortcuts", "heading"))
        columns = QHBoxLayout()
        columns.setSpacing(4 * METRICS.gap)
        for start in range(0, len(rows), ROWS_PER_COLUMN):
            columns.addLayout(_grid(rows[start : start + ROWS_PER_COLUMN]))
        layout.addLayout(columns)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        layout.addWidget(buttons)


def _grid(rows: list[tuple[str, str, str]]) -> QGridLayout:
    grid = QGridLayout()
    grid.setHorizontalSpacing(2 * METRICS.gap)
    grid.setVerticalSpacing(METRICS.tight)
    for row, (menu, keys, text) in enumerate(rows):
        grid.addWidget(label(menu, "muted"), row, 0)
        grid.addWidget(label(keys, "key"), row, 1)
        grid.addWidget(label(text.replace("&", ""), ""), row, 2)
    grid.setRowStretch(len(rows), 1)
    return grid
