"""Editors of single values by type: what a form puts beside the name of a field."""

import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import QCheckBox, QComboBox, QFileDialog, QHBoxLayout, QLineEdit, QPushButton, QSpinBox, QWidget

from app.theme import METRICS
from app.widgets.roles import set_property

INT_RANGE = 2**31 - 1


class Editor(QWidget):
    """Edits one field; `value` raises ValueError while the text says nothing valid."""

    edited = pyqtSignal()

    def __init__(self, control: QWidget, read: Callable[[], Any], write: Callable[[Any], None]) -> None:
        super().__init__()
        self.control = control
        self._read, self._write = read, write
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(METRICS.tight)
        layout.addWidget(control, 1)
        self.setFocusProxy(control)

    def value(self) -> Any:
        """The value typed. Raises ValueError saying what is allowed."""
        return self._read()

    def set_value(self, value: Any) -> None:
        """Show a value."""
        self._write(value)

    def set_value_quietly(self, value: Any) -> None:
        """Show a value without telling anyone."""
        self.blockSignals(True)
        self._write(value)
        self.blockSignals(False)

    def set_invalid(self, invalid: bool) -> None:
        """Mark the control as wrong."""
        set_property(self.control, "invalid", invalid)


def make_editor(annotation: Any) -> Editor:
    """The editor for a type. Raises TypeError naming the supported types."""
    optional, inner = _split_optional(annotation)
    if get_origin(inner) is Literal:
        return _choice_editor(get_args(inner))
    if inner is bool and not optional:
        return _check_editor()
    if inner is int and not optional:
        return _int_editor()
    if inner is Path:
        return _path_editor(optional)
    if inner in (int, float, str):
        return _text_editor(inner, optional)
    if get_origin(inner) is tuple:
        return _tuple_editor(get_args(inner))
    raise TypeError(
        f"no editor for {annotation}; known: bool, int, float, str, Path, Literal, tuples, X | None of these"
    )


def _split_optional(annotation: Any) -> tuple[bool, Any]:
    if get_origin(annotation) in (Union, types.UnionType):
        inner = [a for a in get_args(annotation) if a is not type(None)]
        if len(inner) == 1:
            return True, inner[0]
    return False, annotation


def _choice_editor(choices: tuple[Any, ...]) -> Editor:
    box = QComboBox()
    for choice in choices:
        box.addItem(str(choice), choice)
    editor = Editor(box, box.currentData, lambda value: box.setCurrentIndex(choices.index(value)))
    box.currentIndexChanged.connect(editor.edited)
    return editor


def _check_editor() -> Editor:
    box = QCheckBox()
    editor = Editor(box, box.isChecked, box.setChecked)
    box.toggled.connect(editor.edited)
    return editor


def _int_editor() -> Editor:
    box = QSpinBox()
    box.setRange(-INT_RANGE, INT_RANGE)
    box.setGroupSeparatorShown(True)
    editor = Editor(box, box.value, box.setValue)
    box.valueChanged.connect(editor.edited)
    return editor


def _text_editor(kind: type, optional: bool) -> Editor:
    line = QLineEdit()

    def read() -> Any:
        text = line.text().strip()
        if optional and not text:
            return None
        try:
            return kind(text)
        except ValueError:
            raise ValueError(f"{text!r} is not a number of type {kind.__name__}") from None

    editor = Editor(line, read, lambda value: line.setText("" if value is None else str(value)))
    line.textChanged.connect(editor.edited)
    return editor


def _path_editor(optional: bool) -> Editor:
    line = QLineEdit()

    def read() -> Path | None:
        text = line.text().strip()
        if not text and not optional:
            raise ValueError("a path is needed")
        return Path(text).expanduser() if text else None

    editor = Editor(line, read, lambda value: line.setText("" if value is None else str(value)))
    line.textChanged.connect(editor.edited)
    button = QPushButton("Browse…")
    button.clicked.connect(lambda: _browse(line))
    layout = editor.layout()
    assert layout is not None
    layout.addWidget(button)
    return editor


def _browse(line: QLineEdit) -> None:
    name, _ = QFileDialog.getSaveFileName(
        line, "Choose a path", line.text(), options=QFileDialog.Option.DontConfirmOverwrite
    )
    if name:
        line.setText(name)


def _tuple_editor(kinds: tuple[Any, ...]) -> Editor:
    line = QLineEdit()
    repeated = len(kinds) == 2 and kinds[1] is Ellipsis

    def read() -> tuple[Any, ...]:
        parts = [part.strip() for part in line.text().split(",") if part.strip()]
        if not repeated and len(parts) != len(kinds):
            raise ValueError(f"{len(kinds)} values separated by commas are needed, got {len(parts)}")
        wanted = [kinds[0]] * len(parts) if repeated else list(kinds)
        return tuple(_parse(kind, part) for kind, part in zip(wanted, parts))

    editor = Editor(line, read, lambda value: line.setText(", ".join(str(item) for item in value)))
    line.textChanged.connect(editor.edited)
    return editor


def _parse(kind: Any, text: str) -> Any:
    """One item of a tuple. Raises ValueError saying what is allowed."""
    if get_origin(kind) is not Literal:
        return kind(text)
    if text not in get_args(kind):
        raise ValueError(f"{text!r} is not known; known: {', '.join(map(str, get_args(kind)))}")
    return text
