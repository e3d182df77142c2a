"""One plot of the Train page: lines of several runs with their intervals, and a legend that reads out values."""

# pyqtgraph adds methods and signals to classes at run time, which its annotations do not tell
# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportCallIssue=false

import numpy as np
import pyqtgraph as pg
from PyQt6.QtCore import Qt
from PyQt6.QtGui import QColor
from PyQt6.QtWidgets import QGraphicsItem
from typing_extensions import override

from app.theme import METRICS, Theme
from app.training.plot_data import Axis, Line, Plot, PlotSpec
from app.widgets.hover_card import HoverCard
from app.widgets.readout import Chip

BAND_ALPHA = 40
RAW_ALPHA = 70
DOT_SIZE = 6
STYLES = {"solid": Qt.PenStyle.SolidLine, "dashed": Qt.PenStyle.DashLine, "dots": Qt.PenStyle.DotLine}
AXIS_TITLES: dict[Axis, str] = {"iterations": "iteration", "steps": "steps learned from", "minutes": "minutes of work"}


class CurveCard(HoverCard):
    """Shows a `Plot`. The wheel zooms, a drag moves, a double click shows everything again."""

    def __init__(self, spec: PlotSpec, theme: Theme) -> None:
        super().__init__()
        self.setObjectName(f"curve_{spec.key}")
        self.spec = spec
        self.lines: tuple[Line, ...] = ()
        self._theme = theme
        self._items: dict[Line, list[QGraphicsItem]] = {}
        self._build()
        self.apply_theme(theme)

    def _build(self) -> None:
        unit = f"  [{self.spec.unit}]" if self.spec.unit else ""
        self._lay_out(f"{self.spec.title}{unit}", METRICS.curve_height)
        item = self.plot.getPlotItem()
        for name in ("left", "bottom"):
            item.getAxis(name).enableAutoSIPrefix(False)
        item.setLogMode(y=self.spec.logarithmic)
        if self.spec.bounds is not None:
            item.vb.setLimits(yMin=self.spec.bounds[0] - 5, yMax=self.spec.bounds[1] + 5)
            item.vb.setYRange(*self.spec.bounds, padding=0.02)
        item.vb.sigRangeChanged.connect(lambda *_: self.plot.show_changes())
        self.plot.scene().sigMouseClicked.connect(self._on_mouse_clicked)

    def apply_theme(self, theme: Theme) -> None:
        """Take the colours of a theme."""
        self._theme = theme
        self._colour_plot(theme)
        for line in list(self._items):
            self._forget(line)
        self._draw()

    def show_plot(self, plot: Plot, axis: Axis) -> None:
        """Draw other lines; those that are drawn already stay, and so does a zoom."""
        self.lines = plot.lines
        self.setToolTip(f"over {AXIS_TITLES[axis]}; the wheel zooms, a drag moves, a double click shows everything")
        for line in [line for line in self._items if line not in plot.lines]:
            self._forget(line)
        self._draw()

    def show_all(self) -> None:
        """Undo zoom and moves."""
        box = self.plot.getPlotItem().vb
        box.enableAutoRange(x=True, y=self.spec.bounds is None)
        if self.spec.bounds is not None:
            box.setYRange(*self.spec.bounds, padding=0.02)
        self.plot.show_changes()

    def _forget(self, line: Line) -> None:
        for item in self._items.pop(line):
            self.plot.removeItem(item)

    def _draw(self) -> None:
        for line in self.lines:
            if line not in self._items:
                self._items[line] = []
                self._draw_line(line)
        self._show_readout()

    def _draw_line(self, line: Line) -> None:
        colour = self._colour(line)
        if line.low is not None and line.high is not None:
            if line.look == "dots":
                self._draw_bars(line, colour)
            else:
                self._draw_band(line, colour)
        if line.raw is not None:
            faint = QColor(colour)
            faint.setAlpha(RAW_ALPHA)
            self._add(line, pg.PlotDataItem(*line.raw, pen=pg.mkPen(faint, width=1), connect="finite"))
        pen = pg.mkPen(colour, width=1, style=STYLES[line.look])
        dots = line.look == "dots" or len(line.x) == 1
        symbol = {"symbol": "o", "symbolSize": DOT_SIZE, "symbolBrush": colour, "symbolPen": None} if dots else {}
        self._add(line, pg.PlotDataItem(line.x, line.y, pen=pen, connect="finite", **symbol))

    def _draw_band(self, line: Line, colour: QColor) -> None:
        assert line.low is not None
        assert line.high is not None
        brush = QColor(colour)
        brush.setAlpha(BAND_ALPHA)
        ends = [pg.PlotCurveItem(*end, connect="finite") for end in (line.low, line.high)]
        self._add(line, pg.FillBetweenItem(*ends, brush=brush))

    def _draw_bars(self, line: Line, colour: QColor) -> None:
        assert line.low is not None
        assert line.high is not None
        count = min(len(line.x), len(line.low[1]), len(line.high[1]))
        x, y = line.x[:count], line.y[:count]
        bars = pg.ErrorBarItem(
            x=x, y=y, top=line.high[1][:count] - y, bottom=y - line.low[1][:count], pen=pg.mkPen(colour, width=1)
        )
        self._add(line, bars)

    def _add(self, line: Line, item: QGraphicsItem) -> None:
        self.plot.addItem(item)
        self._items[line].append(item)

    def _colour(self, line: Line) -> QColor:
        return QColor(self._theme.series[line.colour % len(self._theme.series)])

    # ------------------------------------------------------------------ readout

    def _on_mouse_clicked(self, event: object) -> None:
        if event.double():
            self.show_all()

    def readout(self) -> tuple[str, ...]:
        """The value of each line under the mouse, else its newest; as it was told, not smoothed."""
        return tuple(self._value_text(line) for line in self.lines)

    def _value_text(self, line: Line) -> str:
        x, y = line.raw or (line.x, line.y)
        finite = np.flatnonzero(np.isfinite(y))
        if len(finite) == 0:
            return "–"
        at = finite[-1]
        if self._hover_x is not None:
            at = finite[np.argmin(np.abs(x[finite] - self._hover_x))]
        text = f"{y[at]:.{self.spec.decimals}f}"
        if line.low is None or line.high is None:
            return text
        low, high = (np.interp(x[at], *end) for end in (line.low, line.high))
        return f"{text} ({low:.{self.spec.decimals}f}–{high:.{self.spec.decimals}f})"

    @override
    def _show_readout(self) -> None:
        self.plot.show_changes()
        several = len({line.run for line in self.lines}) > 1
        chips = tuple(
            Chip(self._colour(line).name(), "" if several else line.label, text, dashed=line.look != "solid")
            for line, text in zip(self.lines, self.readout())
        )
        self._legend.show_chips(chips[:6], self._theme.text, self._theme.muted)
