"""The keys of the two stops: seen before any widget, dialog, menu or text field sees them.

Esc stops softly, because Esc is also what people press to leave a dialog: done by mistake it costs nothing. F12 (and
Shift+Esc) stops hard. Space stops softly too, except while text is being typed.
"""

from PyQt6.QtCore import QEvent, QObject, Qt, pyqtSignal
from PyQt6.QtGui import QKeyEvent, QWindow
from PyQt6.QtWidgets import QAbstractSpinBox, QApplication, QLineEdit, QPlainTextEdit, QTextEdit, QWidget
from typing_extensions import override

SOFT_STOP_KEYS = "Esc, Space"
HARD_STOP_KEYS = "F12, Shift+Esc"


class StopKeys(QObject):
    """Watches every window of the application for the stop keys, from construction on."""

    soft_stop_pressed = pyqtSignal()
    hard_stop_pressed = pyqtSignal()

    def __init__(self, app: QApplication) -> None:
        super().__init__(app)
        # Not QShortcut: a shortcut is dead while a modal dialog or a popup has the keyboard.
        app.installEventFilter(self)

    def close(self) -> None:
        """Stop watching."""
        app = QApplication.instance()
        if app is not None:
            app.removeEventFilter(self)

    @override
    def eventFilter(self, a0: QObject | None, a1: QEvent | None) -> bool:
        # keys come to the window first, then to the widget with the focus: the window is enough
        if a1 is None or a1.type() != QEvent.Type.KeyPress or not isinstance(a0, QWindow):
            return False
        assert isinstance(a1, QKeyEvent)
        return self._handle(a1)

    def _handle(self, event: QKeyEvent) -> bool:
        """True when the key must go no further."""
        if event.isAutoRepeat():
            return False
        key, shift = event.key(), bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        if key == Qt.Key.Key_F12 or (key == Qt.Key.Key_Escape and shift):
            self.hard_stop_pressed.emit()
            return True
        if key == Qt.Key.Key_Escape:
            self.soft_stop_pressed.emit()
            return False  # it still leaves a dialog or a menu
        if key == Qt.Key.Key_Space and not is_text_field(QApplication.focusWidget()):
            self.soft_stop_pressed.emit()
            return True
        return False


def is_text_field(widget: QWidget | None) -> bool:
    """Whether a space typed here is text."""
    return isinstance(widget, QLineEdit | QAbstractSpinBox | QTextEdit | QPlainTextEdit)
