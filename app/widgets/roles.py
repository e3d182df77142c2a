"""Small helpers for labels and buttons dressed by the theme through dynamic properties."""

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QFrame, QLabel, QPushButton, QSizePolicy, QWidget


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
    result = QLabel(text)
    result.setProperty("role", role)
    result.setObjectName(name)
    return result


def yielding(text: str = "", role: str = "", name: str = "", left: bool = False) -> QLabel:
    """A label that gives way when the window is narrow, and stands at the right (or left) of its place."""
    result = label(text, role, name)
    result.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
    side = Qt.AlignmentFlag.AlignLeft if left else Qt.AlignmentFlag.AlignRight
    result.setAlignment(side | Qt.AlignmentFlag.AlignVCenter)
    return result


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
