"""A drop-down list whose unavailable entries are listed, greyed out, with the reason as a tooltip."""

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QStandardItem, QStandardItemModel
from PyQt6.QtWidgets import QComboBox

from app.sources import Choice


class ChoiceBox(QComboBox):
    """Chooses one key."""

    chosen = pyqtSignal(str)

    def __init__(self, choices: tuple[Choice, ...], name: str, tip: str) -> None:
        super().__init__()
        self.setObjectName(name)
        self.setToolTip(tip)
        self._choices = choices
        model = QStandardItemModel(self)
        for choice in choices:
            model.appendRow(_item(choice))
        self.setModel(model)
        self.activated.connect(self._on_activated)

    @property
    def choice(self) -> Choice:
        """What is chosen."""
        return self._choices[self.currentIndex()]

    def choose(self, key: str) -> None:
        """Show a key without telling anyone."""
        index = next((i for i, choice in enumerate(self._choices) if choice.key == key), -1)
        if index >= 0:
            self.setCurrentIndex(index)

    def _on_activated(self, index: int) -> None:
        if self._choices[index].available:
            self.chosen.emit(self._choices[index].key)


def _item(choice: Choice) -> QStandardItem:
    item = QStandardItem(choice.text if choice.available else f"{choice.text} – not available")
    item.setToolTip(choice.hint)
    item.setData(choice.key, Qt.ItemDataRole.UserRole)
    if not choice.available:
        item.setFlags(Qt.ItemFlag.NoItemFlags)
    return item
