"""Every button of the controllers: what it does, whether it is down, and which was never seen."""

from PyQt6.QtWidgets import QGridLayout, QLabel, QVBoxLayout, QWidget

from app.theme import METRICS
from app.widgets.roles import label, set_property, yielding
from core.teleop.presses import BUTTONS, Side
from core.teleop.xr_sample import Button
from trainer.session.messages import VrView

STICKS: tuple[tuple[Side, str], ...] = (
    ("left", "both pressed: soft stop; held: hard stop"),
    ("right", "turn; the left one walks"),
)


class ButtonCheck(QWidget):
    """The third column of the page."""

    def __init__(self) -> None:
        super().__init__()
        self.column = QVBoxLayout(self)
        self.keys: dict[tuple[Side, Button], QLabel] = {}
        self.checked = label("", "muted", "vr_checked")
        self._seen: set[tuple[Side, Button]] = set()
        self._build()

    def _build(self) -> None:
        self.column.setContentsMargins(0, 0, 0, 0)
        self.column.setSpacing(METRICS.tight)
        self.column.addWidget(label("Press each button once to check it", "section"))
        grid = QGridLayout()
        grid.setHorizontalSpacing(METRICS.gap)
        grid.setVerticalSpacing(METRICS.tight)
        grid.setColumnStretch(1, 1)
        for use in BUTTONS:
            text = use.short_text + (f"; held: {use.long_text}" if use.long else "")
            self._add_key(grid, use.side, use.button, use.name, text)
        for side, text in STICKS:
            self._add_key(grid, side, Button.STICK, f"{side} stick", text)
        self.column.addLayout(grid)
        self.column.addWidget(self.checked)

    def _add_key(self, grid: QGridLayout, side: Side, which: Button, name: str, text: str) -> None:
        row = grid.rowCount()
        key = self.keys[side, which] = label(name, "key")
        explained = yielding(text, "muted", left=True)  # cut where the window is narrow, whole in its tool tip
        explained.setToolTip(text)
        grid.addWidget(key, row, 0)
        grid.addWidget(explained, row, 1)

    def show_operator(self, vr: VrView) -> None:
        """Light what is down, list what is missing."""
        for (side, which), key in self.keys.items():
            down = bool(vr.buttons[0 if side == "left" else 1] & which)
            set_property(key, "down", down)
            if down:
                self._seen.add((side, which))
        missing = [key.text() for place, key in self.keys.items() if place not in self._seen]
        self.checked.setText(f"not seen yet: {', '.join(missing)}" if missing else "every button arrives")
