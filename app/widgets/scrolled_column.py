"""A column of widgets that scrolls up and down, and is never narrower than what it holds."""

from PyQt6.QtCore import QSize, Qt
from PyQt6.QtWidgets import QScrollArea, QWidget


class ScrolledColumn(QScrollArea):
    """Leaves room for its scroll bar, which would otherwise lie over the right ends of buttons and fields."""

    def __init__(self, column: QWidget) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidget(column)

    def minimumSizeHint(self) -> QSize:
        """As wide as the column and the scroll bar."""
        column, bar = self.widget(), self.verticalScrollBar()
        assert column is not None
        assert bar is not None
        width = column.minimumSizeHint().width() + bar.sizeHint().width() + 2 * self.frameWidth()
        return QSize(width, super().minimumSizeHint().height())
