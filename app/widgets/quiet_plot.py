"""A pyqtgraph plot that is painted together with the rest of its window."""

# pyqtgraph adds methods to classes at run time, which its annotations do not tell
# pyright: reportOptionalMemberAccess=false, reportCallIssue=false

import pyqtgraph as pg
from PyQt6.QtWidgets import QGraphicsView

from app.theme import TICK_POINTS, Theme, mono_font


class QuietPlot(pg.PlotWidget):
    """Call `show_changes` after changing what it shows.

    A QGraphicsView has its window painted at once whenever its scene changed. In a window with an OpenGL view each such
    painting puts the whole window together anew: six plots cost six times that (measured: 9 paintings for each drawing
    of the plots). Told to keep quiet, all plots and the 3-D view are painted in one go.
    """

    def __init__(self) -> None:
        super().__init__()
        self.setViewportUpdateMode(QGraphicsView.ViewportUpdateMode.NoViewportUpdate)

    def show_changes(self) -> None:
        """Have it painted with the next painting of the window."""
        viewport = self.viewport()
        assert viewport is not None
        viewport.update()

    def apply_theme(self, theme: Theme) -> None:
        """Take the colours of a theme: background, axes and grid."""
        self.setBackground(theme.plot)
        for name in ("left", "bottom"):
            axis = self.getPlotItem().getAxis(name)
            axis.setPen(pg.mkPen(theme.border))
            axis.setTextPen(pg.mkPen(theme.muted))
            axis.setTickFont(mono_font(TICK_POINTS))
        self.showGrid(x=True, y=True, alpha=theme.grid_alpha)
