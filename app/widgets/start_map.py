"""A map of where robots started, seen from above: one dot an episode, coloured by success."""

# pyqtgraph adds methods and signals to classes at run time, which its annotations do not tell
# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportCallIssue=false

import numpy as np
import pyqtgraph as pg
from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import QVBoxLayout, QWidget

from app.starts import Starts, directions, measures_text, outline, positions
from app.theme import Theme
from app.widgets.quiet_plot import QuietPlot
from app.widgets.roles import label

DOT_SIZE = 8
LOOK_M = 0.08
"Length of the line that shows where a robot looks"


class StartMap(QWidget):
    """The object at 0, the range of the task as an outline. A click on a dot chooses its episode."""

    episode_clicked = pyqtSignal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("start_map")
        self.plot = QuietPlot()
        self.words = label("", "muted", "start_measures")
        self._starts = Starts()
        self._theme: Theme | None = None
        self._range = pg.PlotDataItem()
        self._looks = pg.PlotDataItem(connect="pairs")
        self.dots = pg.ScatterPlotItem(size=DOT_SIZE, pxMode=True, hoverable=True, tip=None)
        self._object = pg.ScatterPlotItem(size=DOT_SIZE, symbol="s", x=[0.0], y=[0.0])
        self._build()

    def _build(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self.words.setWordWrap(True)
        layout.addWidget(self.plot, 1)
        layout.addWidget(self.words)
        self.plot.setMenuEnabled(False)
        self.plot.setAspectLocked(True)
        self.plot.setLabel("bottom", "start of the robot, seen from above  ·  object at 0  ·  m")
        for name in ("left", "bottom"):
            self.plot.getPlotItem().getAxis(name).enableAutoSIPrefix(False)
        for item in (self._range, self._looks, self._object, self.dots):
            self.plot.addItem(item)
        self.dots.sigClicked.connect(self._on_clicked)
        self.dots.sigHovered.connect(self._on_hovered)

    def apply_theme(self, theme: Theme) -> None:
        """Take the colours of a theme."""
        self._theme = theme
        self.plot.apply_theme(theme)
        self._range.setPen(pg.mkPen(theme.muted, width=1, style=Qt.PenStyle.DashLine))
        self._looks.setPen(pg.mkPen(theme.disabled, width=1))
        self._object.setBrush(pg.mkBrush(theme.accent))
        self._draw()

    def show_starts(self, starts: Starts) -> None:
        """Show the starts of a data set."""
        self._starts = starts
        self._draw()
        self.plot.autoRange()

    def _draw(self) -> None:
        starts, theme = self._starts, self._theme
        if theme is None:
            return
        where, looks = positions(starts.values), directions(starts.values)
        pairs = np.stack((where, where + LOOK_M * looks), axis=1).reshape(-1, 2)
        self._looks.setData(pairs[:, 0], pairs[:, 1])
        brushes = [pg.mkBrush(theme.good if good else theme.danger) for good in starts.success[: len(where)]]
        self.dots.setData(where[:, 0], where[:, 1], brush=brushes, pen=None, data=starts.names[: len(where)])
        border = np.empty((0, 2)) if starts.ranges is None else outline(starts.ranges)
        self._range.setData(border[:, 0], border[:, 1])
        self.words.setText(self._words())
        self.plot.show_changes()

    def _words(self) -> str:
        if self._starts.names and self._starts.ranges is None:
            return "the task of this data set has no start range"
        return measures_text(self._starts.measures) or "no episodes yet"

    def _on_clicked(self, _: object, points: list[pg.SpotItem]) -> None:
        if len(points):
            self.episode_clicked.emit(str(points[0].data()))

    def _on_hovered(self, _: object, points: list[pg.SpotItem]) -> None:
        self.plot.setToolTip(str(points[0].data()) if len(points) else "")
