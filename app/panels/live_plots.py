"""Live plots: base velocity, hand tracking, foot placement and loop time over the last seconds."""

from PyQt6.QtCore import pyqtSlot
from PyQt6.QtWidgets import QComboBox, QHBoxLayout, QToolButton, QVBoxLayout, QWidget

from app.state import AppState
from app.theme import METRICS, Theme
from app.widgets.plot_card import PlotCard
from app.widgets.roles import label

SPANS_S = (10.0, 20.0, 60.0, 120.0)
DRAW_EVERY_TICKS, SLOW_EVERY_TICKS = 3, 6
"Plots are redrawn at 10 Hz: they cost as much as the 3-D view; at 5 Hz where the computer draws slowly"


class LivePlots(QWidget):
    """One card a quantity, all over the same span of time."""

    def __init__(self, state: AppState) -> None:
        super().__init__()
        self.setObjectName("live_plots")
        self._state = state
        self._ticks = 0
        self._span = QComboBox()
        self._hold = QToolButton()
        last = state.series.quantities[-1]
        self.cards = {
            q.key: PlotCard(q.title, q.unit, q.names, q.dashed, q.colours, q.decimals, q.limit, time_axis=q is last)
            for q in state.series.quantities
        }
        self._build()
        self._connect()
        self._on_theme_changed(state.theme)

    def _build(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(METRICS.margin, METRICS.gap, METRICS.margin, METRICS.gap)
        layout.setSpacing(METRICS.tight)
        bar = QHBoxLayout()
        bar.addWidget(label("Last", "muted"))
        for span in SPANS_S:
            self._span.addItem(f"{span:.0f} s", span)
        self._span.setCurrentIndex(1)
        self._span.setObjectName("plot_span")
        self._hold.setText("Hold")
        self._hold.setCheckable(True)
        self._hold.setToolTip("Keep the plots still to read them; recording and the robot go on")
        bar.addWidget(self._span)
        bar.addWidget(self._hold)
        bar.addStretch(1)
        layout.addLayout(bar)
        for card in self.cards.values():
            layout.addWidget(card, 1)

    def _connect(self) -> None:
        self._state.ticked.connect(self._on_ticked)
        self._state.theme_changed.connect(self._on_theme_changed)
        self._span.currentIndexChanged.connect(self.draw)

    @pyqtSlot()
    def _on_ticked(self) -> None:
        self._ticks += 1
        every = SLOW_EVERY_TICKS if self._state.draws_slowly else DRAW_EVERY_TICKS
        if self._ticks % every == 0 and self.isVisible() and not self._hold.isChecked():
            self.draw()

    @pyqtSlot()
    def draw(self) -> None:
        """Show what the series hold now."""
        span = float(self._span.currentData())
        for key, card in self.cards.items():
            card.set_data(*self._state.series.window(key, span), span)

    @pyqtSlot(object)
    def _on_theme_changed(self, theme: Theme) -> None:
        for card in self.cards.values():
            card.apply_theme(theme)
