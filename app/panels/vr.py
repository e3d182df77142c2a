"""The page of the headset: is there a runtime, what is connected, does every button arrive, how late is everything."""

from collections.abc import Callable

from PyQt6.QtCore import pyqtSlot
from PyQt6.QtWidgets import QHBoxLayout, QWidget

from app.panels.vr_buttons import ButtonCheck
from app.panels.vr_hands import HandsAndLatency
from app.panels.vr_picture import PictureInHeadset
from app.panels.vr_runtime import RuntimeAndSettings
from app.state import AppState
from app.stereo.eyes import Stand
from app.theme import METRICS
from app.workers.stereo import StereoPicture

SHOW_EVERY_TICKS = 3


class VrPanel(QWidget):
    """Shows `Telemetry.vr`; before the source is VR, what this computer has."""

    def __init__(self, state: AppState, make_picture: Callable[[Stand], StereoPicture] = StereoPicture) -> None:
        super().__init__()
        self.setObjectName("vr_panel")
        self._state = state
        self._ticks = 0
        self.runtime = RuntimeAndSettings(state)
        self.picture = PictureInHeadset(state, make_picture)
        self.hands = HandsAndLatency()
        self.buttons = ButtonCheck()
        self._build()
        state.ticked.connect(self._on_ticked)
        state.session_changed.connect(self._show)
        self._show()

    def _build(self) -> None:
        layout = QHBoxLayout(self)
        layout.setContentsMargins(METRICS.margin, METRICS.gap, METRICS.margin, METRICS.gap)
        layout.setSpacing(3 * METRICS.gap)
        self.runtime.column.addWidget(self.picture)
        for part in (self.runtime, self.hands, self.buttons):
            part.column.addStretch(1)
            layout.addWidget(part, 1)

    @pyqtSlot()
    def _on_ticked(self) -> None:
        self._ticks += 1
        if self.isVisible() and self._ticks % SHOW_EVERY_TICKS == 0:
            self._show()

    @pyqtSlot()
    def _show(self) -> None:
        chosen, telemetry = self._state.settings.source == "vr", self._state.telemetry
        vr = telemetry.vr if telemetry is not None and chosen else None
        self.runtime.show_operator(vr, chosen)
        if vr is not None:
            self.hands.show_operator(vr)
            self.buttons.show_operator(vr)
