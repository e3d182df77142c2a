"""A drop-down list of trained planners: the shipped ones, those of runs, and any file."""

from collections.abc import Callable
from pathlib import Path

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import QComboBox, QFileDialog
from typing_extensions import override

from trainer.planner_files import PLANNER_FILE, PlannerFile, find_planners, read_if_planner

FILE_TEXT = "Choose a file…"
FILE_FILTER = "Planners (*.safetensors *.onnx);;All files (*)"


class PlannerBox(QComboBox):
    """Chooses the file of a planner; the list is read anew whenever it is opened."""

    chosen = pyqtSignal(Path)

    def __init__(
        self, runs_root: Path, tip: str, find: Callable[[Path], tuple[PlannerFile, ...]] = find_planners
    ) -> None:
        super().__init__()
        self.setObjectName("checkpoint")
        self.setToolTip(tip)
        self._runs_root = runs_root
        self._find = find
        self._shown: Path | None = None
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(12)
        self.activated.connect(self._on_activated)
        self.read()

    def read(self) -> None:
        """Look for planners again; what is shown stays shown."""
        self.clear()
        for planner in self._find(self._runs_root):
            self._add(planner.title, planner.hint, planner.path)
        self._add(FILE_TEXT, "Any planner.safetensors, or a planner.onnx that was exported", None)
        self.show_path(self._shown)

    def _add(self, text: str, hint: str, path: Path | None) -> None:
        self.addItem(text, path)
        self.setItemData(self.count() - 1, hint, Qt.ItemDataRole.ToolTipRole)

    @property
    def first(self) -> Path | None:
        """What is offered first, None when no planner was found."""
        return self.itemData(0)

    def show_path(self, path: Path | None) -> None:
        """Show a planner without telling anyone; one that is not in the list is added to it."""
        self._shown = path
        if path is None:
            self.setCurrentIndex(-1)
            return
        for index in range(self.count()):
            listed = self.itemData(index)
            if listed is not None and listed.absolute() in (path.absolute(), path.absolute() / PLANNER_FILE):
                self.setCurrentIndex(index)
                return
        planner = read_if_planner(path)  # an export has no words of its own
        self.insertItem(0, path.name if planner is None else planner.title, path)
        self.setItemData(0, str(path) if planner is None else planner.hint, Qt.ItemDataRole.ToolTipRole)
        self.setCurrentIndex(0)

    def ask_file(self) -> None:
        """Choose a file in a dialog; cancelling changes nothing."""
        name, _ = QFileDialog.getOpenFileName(self, "Open a planner", str(self._runs_root), FILE_FILTER)
        if name:
            self.chosen.emit(Path(name))
        else:
            self.show_path(self._shown)

    def _on_activated(self, index: int) -> None:
        path = self.itemData(index)
        if path is None:
            self.ask_file()
        else:
            self.chosen.emit(path)

    @override
    def showPopup(self) -> None:
        self.read()
        super().showPopup()
