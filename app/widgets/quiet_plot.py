"""A pyqtgraph plot that is painted together with the rest of its window."""

import pyqtgraph as pg
from PyQt6.QtWidgets import QGraphicsView


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
