"""The legend of a plot with values that change many times a second, drawn without asking the layout."""

from dataclasses import dataclass

from PyQt6.QtCore import QPointF, QSize
from PyQt6.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent
from PyQt6.QtWidgets import QSizePolicy, QWidget
from typing_extensions import override

from app.theme import READOUT_POINTS, mono_font


@dataclass(frozen=True)
class Chip:
    """One line of the plot: its colour, its name, its value."""

    colour: str
    name: str
    value: str
    beside: str = ""
    "a second value, in a quieter colour: what was commanded"
    dashed: bool = False

    @property
    def text(self) -> str:
        """As it reads."""
        return f"{self.name} {self.value}{self.beside}"


class Readout(QWidget):
    """Chips, right-aligned. A label would have the window laid out and painted for each change of a text."""

    def __init__(self) -> None:
        super().__init__()
        self.setFont(mono_font(READOUT_POINTS))
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._chips: tuple[Chip, ...] = ()
        self._text = self._quiet = ""

    def show_chips(self, chips: tuple[Chip, ...], text: str, quiet: str) -> None:
        """Show chips, values in colour `text` and second values in colour `quiet`."""
        if (chips, text, quiet) != (self._chips, self._text, self._quiet):
            self._chips, self._text, self._quiet = chips, text, quiet
            self.update()

    @property
    def text(self) -> str:
        """What is read."""
        return "  ".join(chip.text for chip in self._chips)

    @override
    def sizeHint(self) -> QSize:
        return QSize(0, round(QFontMetricsF(self.font()).height()))

    @override
    def paintEvent(self, a0: QPaintEvent | None) -> None:
        painter, metrics = QPainter(self), QFontMetricsF(self.font())
        parts = [part for chip in self._chips for part in self._parts(chip)]
        x = self.width() - sum(metrics.horizontalAdvance(text) for _, text in parts)
        baseline = 0.5 * (self.height() + metrics.ascent() - metrics.descent())
        for colour, text in parts:
            painter.setPen(QColor(colour))
            painter.drawText(QPointF(x, baseline), text)
            x += metrics.horizontalAdvance(text)
        painter.end()

    def _parts(self, chip: Chip) -> tuple[tuple[str, str], ...]:
        mark = "┅" if chip.dashed else "━"
        name, value = f" {mark} {chip.name} ", chip.value
        return ((chip.colour, name), (self._text, value), (self._quiet, chip.beside))
