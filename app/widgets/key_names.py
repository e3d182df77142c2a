"""Names of keys for teleoperation."""

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QKeyEvent

_KEY_NAMES = {
    Qt.Key.Key_Left: "left",
    Qt.Key.Key_Right: "right",
    Qt.Key.Key_Up: "up",
    Qt.Key.Key_Down: "down",
    Qt.Key.Key_Shift: "shift",
    Qt.Key.Key_PageUp: "page_up",
    Qt.Key.Key_PageDown: "page_down",
    Qt.Key.Key_Home: "home",
    Qt.Key.Key_End: "end",
    Qt.Key.Key_Delete: "delete",
    Qt.Key.Key_Return: "return",
    Qt.Key.Key_Enter: "return",
}


def key_name(event: QKeyEvent) -> str:
    """The name of a key for teleoperation: a lower-case character, or a word; empty for keys without a name."""
    named = _KEY_NAMES.get(Qt.Key(event.key())) if event.key() in Qt.Key._value2member_map_ else None
    if named:
        return named
    # the code, not the text: Shift must not rename a key that is being held
    return chr(event.key()).lower() if 0x20 < event.key() < 0x7F else ""
