"""A small button of a tool bar."""

from PyQt6.QtWidgets import QToolButton


def tool(text: str, name: str, tip: str, checked: bool | None = None) -> QToolButton:
    """One with a text, a name and a tooltip; `checked` makes it one that stays down."""
    result = QToolButton()
    result.setText(text)
    result.setObjectName(name)
    result.setToolTip(tip)
    if checked is not None:
        result.setCheckable(True)
        result.setChecked(checked)
    return result
