"""A part of a form that is folded away until it is wanted, or until something in it is wrong."""

from PyQt6.QtCore import Qt, pyqtSlot
from PyQt6.QtWidgets import QFrame, QToolButton, QVBoxLayout, QWidget

from app.theme import METRICS
from app.widgets.roles import set_property


class Fold(QFrame):
    """A header that shows and hides what is below it."""

    def __init__(self, title: str, content: QWidget, tip: str = "") -> None:
        super().__init__()
        self.setProperty("role", "fold")
        self._content = content
        self.header = QToolButton()
        self.header.setProperty("role", "fold")
        self.header.setText(title)
        self.header.setToolTip(tip)
        self.header.setCheckable(True)
        self.header.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(METRICS.tight, METRICS.tight, METRICS.tight, METRICS.tight)
        layout.addWidget(self.header)
        layout.addWidget(content)
        self.header.toggled.connect(self._on_toggled)
        self._on_toggled(False)

    @pyqtSlot(bool)
    def _on_toggled(self, shown: bool) -> None:
        self._content.setVisible(shown)
        self.header.setArrowType(Qt.ArrowType.DownArrow if shown else Qt.ArrowType.RightArrow)

    def set_invalid(self, invalid: bool) -> None:
        """Mark the header, and open when something inside is wrong."""
        set_property(self.header, "invalid", invalid)
        if invalid:
            self.header.setChecked(True)
