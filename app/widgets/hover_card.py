"""What plots with a title and a legend that reads out values under the mouse have in common."""

# pyqtgraph adds methods and signals to classes at run time, which its annotations do not tell
# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportCallIssue=false

import pyqtgraph as pg
from PyQt6.QtCore import QPointF
from PyQt6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.theme import METRICS, Theme
from app.widgets.quiet_plot import QuietPlot
from app.widgets.readout import Readout
from app.widgets.roles import label


class HoverCard(QWidget):
    """Title and legend above a plot; a vertical line follows the mouse. Its kinds draw, and fill the legend."""

    def __init__(self) -> None:
        super().__init__()
        self.plot = QuietPlot()
        self._legend = Readout()
        self._hover_x: float | None = None
        "where the mouse is over the horizontal axis"
        self._cursor = pg.InfiniteLine(angle=90, movable=False)

    def _lay_out(self, title: str, height: int) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        header = QHBoxLayout()
        header.setSpacing(METRICS.gap)
        header.addWidget(label(title, "section"))
        header.addWidget(self._legend, 1)
        layout.addLayout(header)
        layout.addWidget(self.plot, 1)
        self.plot.setMinimumHeight(height)
        self.plot.setMenuEnabled(False)
        self.plot.hideButtons()
        self.plot.getPlotItem().getAxis("left").setWidth(METRICS.axis_width)
        self.plot.addItem(self._cursor, ignoreBounds=True)
        self._cursor.hide()
        self.plot.scene().sigMouseMoved.connect(self._on_mouse_moved)
        self.plot.scene().sigMouseHover.connect(self._on_mouse_hover)

    def _colour_plot(self, theme: Theme) -> None:
        self.plot.apply_theme(theme)
        self._cursor.setPen(pg.mkPen(theme.muted, width=1))

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

    def _show_readout(self) -> None:
        raise NotImplementedError
