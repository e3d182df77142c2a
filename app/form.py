"""A form for a frozen dataclass config: one editor a field, docstrings as tooltips, errors shown beside the fields."""

import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, Generic, TypeVar, get_type_hints

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import QFormLayout, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from app.editors import Editor, make_editor
from app.field_docs import field_docs
from app.theme import METRICS
from app.widgets.fold import Fold

C = TypeVar("C")
EditorMakers = Mapping[str, Callable[[], Editor]]
"""Editors for fields of these names, in place of those for their types: choosers."""
ABBREVIATIONS = {"dppo", "mlp", "ft", "kl", "bc", "ema", "dit"}


class ConfigForm(QWidget, Generic[C]):
    """Edits a frozen dataclass; nothing invalid leaves it. Configs inside the config are folded, or `unfolded`."""

    changed = pyqtSignal()

    def __init__(
        self,
        cls: type[C],
        initial: C | None = None,
        hidden: tuple[str, ...] = (),
        columns: int = 1,
        choosers: EditorMakers | None = None,
        unfolded: tuple[str, ...] = (),
    ) -> None:
        """A form for `cls`. Hidden fields, also those of unfolded configs, keep their initial values."""
        super().__init__()
        if not is_dataclass(cls):
            raise TypeError(f"a form needs a dataclass, got {cls!r}")
        self._cls = cls
        self._hide, self._unfolded = hidden, unfolded
        own = {f.name for f in fields(cls)}
        self._hidden = {name: getattr(initial, name) for name in hidden if initial is not None and name in own}
        self._choosers = choosers or {}
        self._editors: dict[str, Editor] = {}
        self._problems: dict[str, QLabel] = {}
        self._inner: dict[str, ConfigForm[Any]] = {}
        self._folds: dict[str, Fold] = {}
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
        layout.addLayout(row)
        hints, docs = get_type_hints(self._cls), field_docs(self._cls)
        plain = [f for f in shown if not is_dataclass(hints[f.name])]
        for index, f in enumerate(plain):
            make = self._choosers.get(f.name, lambda f=f: make_editor(hints[f.name]))
            self._add_row(forms[index * columns // len(plain)], f, make(), docs.get(f.name, ""))
            value = _initial_value(f, initial)
            if value is not MISSING:
                self._editors[f.name].set_value(value)
            self._editors[f.name].edited.connect(self._on_edited)
        for f in shown:
            if f not in plain:
                layout.addWidget(self._add_inner(f, hints[f.name], _initial_value(f, initial), docs.get(f.name, "")))
        layout.addWidget(self._problem)

    def _add_row(self, form: QFormLayout, f: Field[Any], editor: Editor, doc: str) -> None:
        label = QLabel(_title(f.name))
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

    def _add_inner(self, f: Field[Any], kind: type[Any], value: Any, doc: str) -> QWidget:
        """The form of a config inside the config; folded unless it is to lie open."""
        initial, opened = None if value is MISSING else value, f.name in self._unfolded
        inner = ConfigForm(kind, initial, self._hide if opened else (), choosers=self._choosers)
        inner.changed.connect(self._on_edited)
        self._inner[f.name] = inner
        if opened:
            return inner
        fold = Fold(_title(f.name), inner, doc or (kind.__doc__ or "").strip())
        fold.setObjectName(f"fold_{f.name}")
        self._folds[f.name] = fold
        return fold

    def editor(self, name: str) -> Editor:
        """The editor of a field."""
        return self._editors[name]

    def inner(self, name: str) -> "ConfigForm[Any]":
        """The form of a config inside the config."""
        return self._inner[name]

    def value(self) -> C:
        """The config. Raises ValueError with the first problem."""
        values = {name: editor.value() for name, editor in self._editors.items()}
        inner = {name: form.value() for name, form in self._inner.items()}
        return self._cls(**self._hidden, **values, **inner)

    def set_config(self, config: C) -> None:
        """Show other values, those of hidden fields too. Tells that it changed once, at the end."""
        self._show_config(config)
        self._on_edited()

    def _show_config(self, config: C) -> None:
        self._hidden = {name: getattr(config, name) for name in self._hidden}
        for name, editor in self._editors.items():
            editor.set_value_quietly(getattr(config, name))
        for name, form in self._inner.items():
            form._show_config(getattr(config, name))
            form.validate()

    def validate(self) -> C | None:
        """Show what is wrong, if anything; the config when nothing is."""
        values: dict[str, Any] = {}
        for name, editor in self._editors.items():
            text = ""
            try:
                values[name] = editor.value()
            except ValueError as error:
                text = str(error)
            _show(self._problems[name], text)
            editor.set_invalid(bool(text))
        for name, form in self._inner.items():
            inner = form.validate()
            if name in self._folds:
                self._folds[name].set_invalid(inner is None)
            if inner is not None:
                values[name] = inner
        _show(self._problem, "")
        if len(values) < len(self._editors) + len(self._inner):
            return None
        try:
            return self._cls(**self._hidden, **values)
        except (ValueError, TypeError) as error:
            self._place(str(error))
            return None

    def _place(self, message: str) -> None:
        """Show an error of __post_init__ beside the field that it names first, else below the form."""
        found = {name: re.search(rf"\b{re.escape(name)}\b", message) for name in self._editors}
        named = min((match.start(), name) for name, match in found.items() if match)[1] if any(found.values()) else None
        if named is None:
            _show(self._problem, message)
            return
        _show(self._problems[named], message)
        self._editors[named].set_invalid(True)

    def _on_edited(self) -> None:
        self.validate()
        self.changed.emit()


def _title(name: str) -> str:
    words = [word.upper() if word in ABBREVIATIONS else word for word in name.split("_")]
    return " ".join((words[0][:1].upper() + words[0][1:], *words[1:]))


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
