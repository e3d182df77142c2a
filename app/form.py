"""A form for a frozen dataclass config: one editor a field, docstrings as tooltips, errors shown beside the fields."""

import types
from collections.abc import Callable
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from app.field_docs import field_docs
from app.theme import METRICS
from app.widgets.roles import set_property

C = TypeVar("C")
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
        return tuple(kind(part) for kind, part in zip(wanted, parts))

    editor = Editor(line, read, lambda value: line.setText(", ".join(str(item) for item in value)))
    line.textChanged.connect(editor.edited)
    return editor


class ConfigForm(QWidget, Generic[C]):
    """Edits a frozen dataclass; nothing invalid leaves it."""

    changed = pyqtSignal()

    def __init__(self, cls: type[C], initial: C | None = None, hidden: tuple[str, ...] = (), columns: int = 1) -> None:
        """A form for `cls`. Hidden fields keep the values of `initial` (or their defaults)."""
        super().__init__()
        if not is_dataclass(cls):
            raise TypeError(f"a form needs a dataclass, got {cls!r}")
        self._cls = cls
        self._hidden = {name: getattr(initial, name) for name in hidden if initial is not None}
        self._editors: dict[str, Editor] = {}
        self._problems: dict[str, QLabel] = {}
        self._problem = _error_label()
        self._build(tuple(f for f in fields(cls) if f.name not in hidden), initial, columns)
        self.validate()

    def _build(self, shown: tuple[Field[Any], ...], initial: C | None, columns: int) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        row = QHBoxLayout()
        row.setSpacing(2 * METRICS.gap)
        forms = [_form_layout() for _ in range(columns)]
        for form in forms:
            row.addLayout(form, 1)
        hints, docs = get_type_hints(self._cls), field_docs(self._cls)
        for index, f in enumerate(shown):
            editor = make_editor(hints[f.name])
            self._add_row(forms[index * columns // len(shown)], f, editor, docs.get(f.name, ""))
            value = _initial_value(f, initial)
            if value is not MISSING:
                editor.set_value(value)
            editor.edited.connect(self._on_edited)
        layout.addLayout(row)
        layout.addWidget(self._problem)

    def _add_row(self, form: QFormLayout, f: Field[Any], editor: Editor, doc: str) -> None:
        label = QLabel(f.name.replace("_", " "))
        for widget in (label, editor.control):
            widget.setToolTip(doc)
        editor.control.setObjectName(f.name)
        problem = _error_label()
        column = QVBoxLayout()
        column.setSpacing(METRICS.tight)
        column.addWidget(editor)
        column.addWidget(problem)
        form.addRow(label, column)
        label.setBuddy(editor.control)
        self._editors[f.name], self._problems[f.name] = editor, problem

    def editor(self, name: str) -> Editor:
        """The editor of a field."""
        return self._editors[name]

    def value(self) -> C:
        """The config. Raises ValueError with the first problem."""
        values = {name: editor.value() for name, editor in self._editors.items()}
        return self._cls(**self._hidden, **values)

    def validate(self) -> C | None:
        """Show what is wrong, if anything; the config when nothing is."""
        values = {}
        for name, editor in self._editors.items():
            text = ""
            try:
                values[name] = editor.value()
            except ValueError as error:
                text = str(error)
            _show(self._problems[name], text)
            editor.set_invalid(bool(text))
        _show(self._problem, "")
        if len(values) < len(self._editors):
            return None
        try:
            return self._cls(**self._hidden, **values)
        except (ValueError, TypeError) as error:
            self._place(str(error))
            return None

    def _place(self, message: str) -> None:
        """Show an error of __post_init__ beside the field that it names, else below the form."""
        named = next((name for name in self._editors if name in message), None)
        if named is None:
            _show(self._problem, message)
            return
        _show(self._problems[named], message)
        self._editors[named].set_invalid(True)

    def _on_edited(self) -> None:
        self.validate()
        self.changed.emit()


def _form_layout() -> QFormLayout:
    form = QFormLayout()
    form.setSpacing(METRICS.gap)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    return form


def _initial_value(f: Field[Any], initial: object | None) -> Any:
    if initial is not None:
        return getattr(initial, f.name)
    if f.default_factory is not MISSING:
        return f.default_factory()
    return f.default


def _error_label() -> QLabel:
    label = QLabel()
    label.setProperty("role", "error")
    label.setWordWrap(True)
    label.hide()
    return label


def _show(label: QLabel, text: str) -> None:
    label.setText(text)
    label.setVisible(bool(text))
