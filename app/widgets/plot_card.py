"""A plot with a title and a legend that reads out values: the newest ones, or those under the mouse."""

# pyqtgraph adds methods and signals to classes at run time, which its annotations do not tell
# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportCallIssue=false

import numpy as np
import pyqtgraph as pg
from PyQt6.QtCore import Qt
from typing_extensions import override

from app.theme import METRICS, Theme
from app.widgets.hover_card import HoverCard
from app.widgets.readout import Chip


class PlotCard(HoverCard):
    """Lines over time. Times are shown relative to the newest sample unless told otherwise."""

    def __init__(
        self,
        title: str,
        unit: str,
        names: tuple[str, ...],
        dashed: tuple[int, ...] = (),
        colours: tuple[int, ...] = (),
        decimals: int = 2,
        limit: float | None = None,
        time_axis: bool = True,
    ) -> None:
        super().__init__()
        self.setObjectName(f"plot_{title.lower().replace(' ', '_')}")
        self._names, self._dashed, self._decimals = names, dashed, decimals
        self._colours = colours or tuple(range(len(names)))
        self._times, self._values = np.empty(0), np.empty((0, len(names)))
        self._curves: list[pg.PlotDataItem] = [self.plot.plot() for _ in names]
        self._limit = pg.InfiniteLine(pos=limit, angle=0) if limit is not None else None
        self._theme: Theme | None = None
        self.plot.getPlotItem().getAxis("bottom").setStyle(showValues=time_axis)
        self._build(title, unit)

    def _build(self, title: str, unit: str) -> None:
        self._lay_out(f"{title}  [{unit}]", METRICS.plot_height)
        self.plot.setMouseEnabled(x=False, y=False)
        self.plot.showGrid(x=True, y=True)
        item = self.plot.getPlotItem()
        item.setDownsampling(auto=True, mode="peak")
        item.setClipToView(True)
        if self._limit is not None:
            self.plot.addItem(self._limit, ignoreBounds=True)

    def apply_theme(self, theme: Theme) -> None:
        """Take the colours of a theme."""
        self._theme = theme
        self._colour_plot(theme)
        for i, curve in enumerate(self._curves):
            dash = Qt.PenStyle.DashLine if i in self._dashed else Qt.PenStyle.SolidLine
            # a pen of width 1 is drawn by Qt's fast path; wider ones cost ten times as much
            curve.setPen(pg.mkPen(self._colour(i), width=1, style=dash))
        if self._limit is not None:
            self._limit.setPen(pg.mkPen(theme.disabled, width=1, style=Qt.PenStyle.DotLine))
        self._show_readout()

    def _colour(self, index: int) -> str:
        assert self._theme is not None
        return self._theme.series[self._colours[index] % len(self._theme.series)]

    def set_data(self, times: np.ndarray, values: np.ndarray, span_s: float) -> None:
        """Show times (T,) and values (T, K); the last `span_s` seconds end at the right edge."""
        self._times = times - times[-1] if len(times) else times
        self._values = values
        for curve, column in zip(self._curves, values.T):
            curve.setData(self._times, column, connect="finite", skipFiniteCheck=False)
        self.plot.setXRange(-span_s, 0.0, padding=0.0)
        self._show_readout()

    def readout(self) -> np.ndarray:
        """Values (K,) under the mouse, else the newest; NaN without data."""
        if len(self._times) == 0:
            return np.full(len(self._names), np.nan)
        index = len(self._times) - 1
        if self._hover_x is not None:
            index = int(np.clip(np.searchsorted(self._times, self._hover_x), 0, index))
        return self._values[index]

    @override
    def _show_readout(self) -> None:
        self.plot.show_changes()
        if self._theme is not None:
            self._legend.show_chips(self._chips(), self._theme.text, self._theme.muted)

    def _chips(self) -> tuple[Chip, ...]:
        """One for each line; a dashed line's value stands beside that of its solid partner."""
        texts = [f"{v:.{self._decimals}f}" if np.isfinite(v) else "–" for v in self.readout()]
        chips = []
        for i, name in enumerate(self._names):
            if self._is_pair(i):
                continue
            beside = f"/{texts[i - 1]}" if i > 0 and self._is_pair(i - 1) else ""
            chips.append(Chip(self._colour(i), name, texts[i], beside, i in self._dashed))
        return tuple(chips)

    def _is_pair(self, index: int) -> bool:
        """Whether this is a dashed line followed by a solid one of its colour."""
        after = index + 1
        return index in self._dashed and after < len(self._names) and self._colours[after] == self._colours[index]
