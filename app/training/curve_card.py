"""One plot of the Train page: lines of several runs with their intervals, and a legend that reads out values."""

# pyqtgraph adds methods and signals to classes at run time, which its annotations do not tell
# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportCallIssue=false

import numpy as np
import pyqtgraph as pg
from PyQt6.QtCore import QPointF, Qt
from PyQt6.QtGui import QColor
from PyQt6.QtWidgets import QGraphicsItem, QHBoxLayout, QVBoxLayout, QWidget

from app.theme import METRICS, TICK_POINTS, Theme, mono_font
from app.training.plot_data import Axis, Line, Plot, PlotSpec
from app.widgets.quiet_plot import QuietPlot
from app.widgets.readout import Chip, Readout
from app.widgets.roles import label

BAND_ALPHA = 40
RAW_ALPHA = 70
DOT_SIZE = 6
STYLES = {"solid": Qt.PenStyle.SolidLine, "dashed": Qt.PenStyle.DashLine, "dots": Qt.PenStyle.DotLine}
AXIS_TITLES: dict[Axis, str] = {"iterations": "iteration", "steps": "steps learned from", "minutes": "minutes of work"}


class CurveCard(QWidget):
    """Shows a `Plot`. The wheel zooms, a drag moves, a double click shows everything again."""

    def __init__(self, spec: PlotSpec, theme: Theme) -> None:
        super().__init__()
        self.setObjectName(f"curve_{spec.key}")
        self.spec = spec
        self.lines: tuple[Line, ...] = ()
        self.plot = QuietPlot()
        self._theme = theme
        self._legend = Readout()
        self._items: dict[Line, list[QGraphicsItem]] = {}
        self._hover_x: float | None = None
        self._cursor = pg.InfiniteLine(angle=90, movable=False)
        self._build()
        self.apply_theme(theme)

    def _build(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        header = QHBoxLayout()
        header.setSpacing(METRICS.gap)
        unit = f"  [{self.spec.unit}]" if self.spec.unit else ""
        header.addWidget(label(f"{self.spec.title}{unit}", "section"))
        header.addWidget(self._legend, 1)
        layout.addLayout(header)
        layout.addWidget(self.plot, 1)
        self.plot.setMinimumHeight(METRICS.curve_height)
        self.plot.setMenuEnabled(False)
        self.plot.hideButtons()
        item = self.plot.getPlotItem()
        item.getAxis("left").setWidth(METRICS.axis_width)
        for name in ("left", "bottom"):
            item.getAxis(name).enableAutoSIPrefix(False)
        item.setLogMode(y=self.spec.logarithmic)
        if self.spec.bounds is not None:
            item.vb.setLimits(yMin=self.spec.bounds[0] - 5, yMax=self.spec.bounds[1] + 5)
            item.vb.setYRange(*self.spec.bounds, padding=0.02)
        self.plot.addItem(self._cursor, ignoreBounds=True)
        self._cursor.hide()
        item.vb.sigRangeChanged.connect(lambda *_: self.plot.show_changes())
        self.plot.scene().sigMouseMoved.connect(self._on_mouse_moved)
        self.plot.scene().sigMouseHover.connect(self._on_mouse_hover)
        self.plot.scene().sigMouseClicked.connect(self._on_mouse_clicked)

    def apply_theme(self, theme: Theme) -> None:
        """Take the colours of a theme."""
        self._theme = theme
        self.plot.setBackground(theme.plot)
        for name in ("left", "bottom"):
            axis = self.plot.getPlotItem().getAxis(name)
            axis.setPen(pg.mkPen(theme.border))
            axis.setTextPen(pg.mkPen(theme.muted))
            axis.setTickFont(mono_font(TICK_POINTS))
        self.plot.showGrid(x=True, y=True, alpha=theme.grid_alpha)
        self._cursor.setPen(pg.mkPen(theme.muted, width=1))
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

    def _on_mouse_hover(self, items: list[object]) -> None:
        if not items:
            self._set_hover(None)

    def _on_mouse_moved(self, position: QPointF) -> None:
        box = self.plot.getPlotItem().vb
        inside = box.sceneBoundingRect().contains(position)
        self._set_hover(box.mapSceneToView(position).x() if inside else None)

    def _set_hover(self, x: float | None) -> None:
        self._hover_x = x
        self._cursor.setVisible(x is not None)
        if x is not None:
            self._cursor.setPos(x)
        self._show_readout()

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

    def _show_readout(self) -> None:
        self.plot.show_changes()
        several = len({line.run for line in self.lines}) > 1
        chips = tuple(
            Chip(self._colour(line).name(), "" if several else line.label, text, dashed=line.look != "solid")
            for line, text in zip(self.lines, self.readout())
        )
        self._legend.show_chips(chips[:6], self._theme.text, self._theme.muted)
