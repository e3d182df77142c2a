"""The plot of one field of an episode: chosen columns, the replay cursor, and the part to keep when trimming."""

# pyqtgraph adds methods and signals to classes at run time, which its annotations do not tell
# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportCallIssue=false

import numpy as np
import pyqtgraph as pg
from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import QVBoxLayout, QWidget
from pyqtgraph.GraphicsScene.mouseEvents import MouseClickEvent

from app.episodes import FieldSeries
from app.theme import Theme
from app.widgets.quiet_plot import QuietPlot


class FieldPlot(QWidget):
    """Lines over the time of an episode. A click moves the replay there."""

    time_clicked = pyqtSignal(float)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("field_plot")
        self.plot = QuietPlot()
        self._series: FieldSeries | None = None
        self._columns: tuple[int, ...] = ()
        self._theme: Theme | None = None
        self._cursor = pg.InfiniteLine(angle=90)
        self._region = pg.LinearRegionItem()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.plot)
        self.plot.setMenuEnabled(False)
        for name in ("left", "bottom"):
            self.plot.getPlotItem().getAxis(name).enableAutoSIPrefix(False)
        self.plot.addItem(self._cursor, ignoreBounds=True)
        self.plot.addItem(self._region, ignoreBounds=True)
        self._cursor.hide()
        self._region.hide()
        self.plot.setLabel("bottom", "select an episode, then a field")
        self.plot.scene().sigMouseClicked.connect(self._on_mouse_clicked)
        self._region.sigRegionChanged.connect(self.plot.show_changes)

    def apply_theme(self, theme: Theme) -> None:
        """Take the colours of a theme."""
        self._theme = theme
        self.plot.apply_theme(theme)
        self._cursor.setPen(pg.mkPen(theme.danger, width=1))
        self._draw()

    def show_series(self, series: FieldSeries | None, columns: tuple[int, ...]) -> None:
        """Show some columns of a field."""
        self._series, self._columns = series, columns
        self._draw()

    @property
    def shown(self) -> tuple[str, ...]:
        """Names of the lines drawn."""
        return tuple(self._series.columns[i] for i in self._columns) if self._series is not None else ()

    def show_cursor(self, time_s: float | None) -> None:
        """Mark the time of the replay."""
        self._cursor.setVisible(time_s is not None)
        if time_s is not None:
            self._cursor.setPos(time_s)
        self.plot.show_changes()

    def show_region(self, on: bool) -> None:
        """Let the person mark a part."""
        if on and self._series is not None:
            self._region.setBounds((0.0, float(self._series.time_s[-1])))
            self._region.setRegion((0.0, float(self._series.time_s[-1])))
        self._region.setVisible(on)
        self.plot.show_changes()

    def set_region(self, start_s: float, stop_s: float) -> None:
        """Mark a part."""
        self._region.setRegion((start_s, stop_s))

    def marked_samples(self) -> tuple[int, int] | None:
        """First sample of the marked part and the one after its last; None when nothing is marked."""
        if self._series is None or not self._region.isVisible():
            return None
        start_s, stop_s = map(float, self._region.getRegion())  # type: ignore[arg-type]  # two numbers, says its docs
        times = self._series.time_s
        return int(np.searchsorted(times, start_s - 1e-6)), int(np.searchsorted(times, stop_s + 1e-6))

    def _draw(self) -> None:
        item = self.plot.getPlotItem()
        for curve in list(item.curves):
            item.removeItem(curve)
        self.plot.show_changes()
        series, theme = self._series, self._theme
        if series is None or theme is None:
            return
        for column in self._columns:
            pen = pg.mkPen(theme.series[column % len(theme.series)], width=1)
            self.plot.plot(series.time_s, series.values[:, column], pen=pen)
        unit = f"  [{series.unit}]" if series.unit else ""
        self.plot.setLabel("bottom", f"{series.episode}  ·  {series.name}{unit}  ·  s")
        self.plot.autoRange()

    def _on_mouse_clicked(self, event: MouseClickEvent) -> None:
        box = self.plot.getPlotItem().vb
        if box.sceneBoundingRect().contains(event.scenePos()):
            self.time_clicked.emit(float(box.mapSceneToView(event.scenePos()).x()))
