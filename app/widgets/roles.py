"""Small helpers for labels and buttons dressed by the theme through dynamic properties."""

from typing import TypeVar

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QPainter, QPaintEvent
from PyQt6.QtWidgets import QFrame, QLabel, QPushButton, QSizePolicy, QWidget

_Label = TypeVar("_Label", bound=QLabel)


def set_property(widget: QWidget, name: str, value: object) -> None:
    """Set a dynamic property that the style sheet selects on, and restyle only when it changed."""
    if widget.property(name) == value:
        return
    widget.setProperty(name, value)
    style = widget.style()
    assert style is not None
    style.unpolish(widget)
    style.polish(widget)


def label(text: str = "", role: str = "", name: str = "") -> QLabel:
    """A label with a role of the theme."""
    return _dressed(QLabel(text), role, name)


class YieldingLabel(QLabel):
    """One line that ends in … where it does not fit; the whole of it is the tooltip then, unless it has one of its own.

    Rich text is cut.
    """

    _tip = ""
    "the tooltip as far as it is from here"

    def paintEvent(self, a0: QPaintEvent | None) -> None:
        """See QWidget."""
        space = self.contentsRect()
        text = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, space.width())
        plain = self.textFormat() != Qt.TextFormat.RichText and not self.wordWrap()
        cut = plain and text != self.text()
        if self.toolTip() == self._tip:
            self._tip = self.text() if cut else ""
            self.setToolTip(self._tip)
        if not cut:
            super().paintEvent(a0)
            return
        painter = QPainter(self)
        self.drawFrame(painter)
        style = self.style()
        assert style is not None
        style.drawItemText(
            painter, space, int(self.alignment()), self.palette(), self.isEnabled(), text, self.foregroundRole()
        )


def yielding(text: str = "", role: str = "", name: str = "", left: bool = False) -> QLabel:
    """A label that gives way when the window is narrow, and stands at the right (or left) of its place."""
    result = _dressed(YieldingLabel(text), role, name)
    result.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
    side = Qt.AlignmentFlag.AlignLeft if left else Qt.AlignmentFlag.AlignRight
    result.setAlignment(side | Qt.AlignmentFlag.AlignVCenter)
    return result


def _dressed(widget: _Label, role: str, name: str) -> _Label:
    widget.setProperty("role", role)
    widget.setObjectName(name)
    return widget


def button(text: str, role: str = "", name: str = "", tip: str = "") -> QPushButton:
    """A button with a role of the theme."""
    result = QPushButton(text)
    result.setProperty("role", role)
    result.setObjectName(name)
    result.setToolTip(tip)
    return result


def line() -> QFrame:
    """A thin horizontal line."""
    result = QFrame()
    result.setProperty("role", "line")
    return result
