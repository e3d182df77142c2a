"""A column of widgets that scrolls up and down, and is never narrower than what it holds."""

from PyQt6.QtCore import QEvent, QObject, Qt
from PyQt6.QtWidgets import QScrollArea, QWidget


class ScrolledColumn(QScrollArea):
    """Leaves room for its scroll bar, which would otherwise lie over the right ends of buttons and fields."""

    def __init__(self, at_least: int) -> None:
        """at_least: width in pixels, however narrow the column could be."""
        super().__init__()
        self._at_least = at_least
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMinimumWidth(at_least)

    def eventFilter(self, a0: QObject | None, a1: QEvent | None) -> bool:
        """The area watches its column: what appears in it may need more room."""
        done = super().eventFilter(a0, a1)
        if a1 is not None and a1.type() == QEvent.Type.LayoutRequest and isinstance(a0, QWidget):
            bar = self.verticalScrollBar()
            assert bar is not None
            # a minimum, not a hint: a dock may be made smaller than the hint of what is in it
            needed = a0.minimumSizeHint().width() + bar.sizeHint().width() + 2 * self.frameWidth()
            self.setMinimumWidth(max(self._at_least, needed))
        return done
