"""The keys of keyboard teleoperation, lit while they are down."""

from itertools import groupby

from PyQt6.QtCore import pyqtSlot
from PyQt6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from app.state import AppState
from app.theme import METRICS
from app.widgets.roles import label, set_property
from core.teleop.keyboard import BINDINGS, Binding, Group

GROUPS: dict[Group, str] = {
    "walk": "Walk",
    "select": "Which hand",
    "hands": "Move hands",
    "rotate": "Turn hands",
    "grippers": "Grippers",
    "session": "Session",
}
COLUMNS: tuple[tuple[Group, ...], ...] = (("walk",), ("select", "grippers"), ("hands",), ("rotate",), ("session",))
KEY_TEXT = {
    "up": "↑", "down": "↓", "left": "←", "right": "→", "page_up": "PgUp", "page_down": "PgDn", "home": "Home",
    "end": "End", "shift": "Shift", "space": "Space", "escape": "Esc", "return": "Enter", "delete": "Del", "f12": "F12",
}  # fmt: skip


class CheatSheet(QWidget):
    """Made from `core.teleop.keyboard.BINDINGS`, so that it cannot lie."""

    def __init__(self, state: AppState) -> None:
        super().__init__()
        self.setObjectName("cheat_sheet")
        self._state = state
        self._keys: dict[str, QLabel] = {}
        self._build()
        state.ticked.connect(self._on_ticked)

    def _build(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(METRICS.margin, METRICS.gap, METRICS.margin, METRICS.gap)
        layout.addWidget(label("Choose the source Keyboard, press Start, click the picture.", "muted"))
        columns = QHBoxLayout()
        columns.setSpacing(3 * METRICS.gap)
        ordered = sorted(BINDINGS, key=lambda b: list(GROUPS).index(b.group))
        groups = {group: list(bindings) for group, bindings in groupby(ordered, key=lambda b: b.group)}
        for together in COLUMNS:
            column = QVBoxLayout()
            for group in together:
                column.addLayout(self._build_group(GROUPS[group], groups[group]))
            column.addStretch(1)
            columns.addLayout(column)
        columns.addStretch(1)
        layout.addLayout(columns)
        layout.addStretch(1)

    def _build_group(self, title: str, bindings: list[Binding]) -> QGridLayout:
        grid = QGridLayout()
        grid.setVerticalSpacing(METRICS.tight)
        grid.setHorizontalSpacing(METRICS.gap)
        grid.setColumnStretch(1, 1)
        grid.addWidget(label(title, "section"), 0, 0, 1, 2)
        for row, binding in enumerate(bindings, start=1):
            key = label(KEY_TEXT.get(binding.key, binding.key.upper()), "key")
            self._keys[binding.key] = key
            grid.addWidget(key, row, 0)
            grid.addWidget(label(binding.text, "muted"), row, 1)
        return grid

    @pyqtSlot()
    def _on_ticked(self) -> None:
        if self.isVisible():
            for key, widget in self._keys.items():
                set_property(widget, "down", key in self._state.keys_down)
