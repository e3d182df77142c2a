"""Chooses a path from what there is, or any other by typing or browsing."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QComboBox, QFileDialog, QPushButton
from typing_extensions import override

from app.editors import Editor


@dataclass(frozen=True)
class PathChoice:
    """One path to choose, and what it is."""

    path: str
    hint: str


Find = Callable[[], tuple[PathChoice, ...]]
Browse = Literal["file", "new file"]


class PathBox(QComboBox):
    """An editable list that is made anew each time it opens."""

    def __init__(self, find: Find, empty: str) -> None:
        super().__init__()
        self._find = find
        self.setEditable(True)
        self.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        line = self.lineEdit()
        assert line is not None
        line.setPlaceholderText(empty)

    @override
    def showPopup(self) -> None:
        self.fill()
        super().showPopup()

    def fill(self) -> None:
        """List what there is now; the text stays."""
        text = self.currentText()
        self.blockSignals(True)
        self.clear()
        for choice in self._find():
            self.addItem(choice.path)
            self.setItemData(self.count() - 1, choice.hint, Qt.ItemDataRole.ToolTipRole)
        self.setEditText(text)
        self.blockSignals(False)


def path_editor(find: Find, optional: bool, empty: str, browse: Browse, filters: str) -> Editor:
    """An editor for a Path field with a list to choose from."""
    box = PathBox(find, empty)

    def read() -> Path | None:
        text = box.currentText().strip()
        if not text and not optional:
            raise ValueError("a path is needed")
        return Path(text).expanduser() if text else None

    editor = Editor(box, read, lambda value: box.setEditText("" if value is None else str(value)))
    box.editTextChanged.connect(editor.edited)
    button = QPushButton("…")
    button.setToolTip("Choose a file")
    button.clicked.connect(lambda: _ask(box, browse, filters))
    layout = editor.layout()
    assert layout is not None
    layout.addWidget(button)
    return editor


def _ask(box: PathBox, browse: Browse, filters: str) -> None:
    if browse == "file":
        name, _ = QFileDialog.getOpenFileName(box, "Choose a file", box.currentText(), filters)
    else:
        options = QFileDialog.Option.DontConfirmOverwrite
        name, _ = QFileDialog.getSaveFileName(box, "Choose a file", box.currentText(), filters, options=options)
    if name:
        box.setEditText(name)
