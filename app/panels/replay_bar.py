"""The bar of a replay below the 3-D view: time slider, play and pause, speed."""

from PyQt6.QtCore import Qt, pyqtSlot
from PyQt6.QtWidgets import QComboBox, QFrame, QHBoxLayout, QLabel, QSlider

from app.replay import SPEEDS
from app.state import AppState
from app.theme import METRICS, mono_font
from app.widgets.roles import label
from app.widgets.tool import tool

SLIDER_STEPS = 10_000


class ReplayBar(QFrame):
    """Time slider, play and pause, speed, back to the live robot."""

    def __init__(self, state: AppState) -> None:
        super().__init__()
        self.setObjectName("view_bar")
        self._state = state
        self.play = tool("Play", "replay_play", "Play or pause the replay")
        self.back = tool("◂", "replay_back", "One sample back")
        self.forth = tool("▸", "replay_forth", "One sample on")
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.time = QLabel()
        self.apart = label("", "muted", "replay_apart")
        self.speed = QComboBox()
        self.live = tool("Back to live", "replay_leave", "Show the live robot again")
        self._build()
        self._connect()

    def _build(self) -> None:
        self.slider.setObjectName("replay_slider")
        self.slider.setRange(0, SLIDER_STEPS)
        self.time.setFont(mono_font())
        self.speed.setObjectName("replay_speed")
        for speed in SPEEDS:
            self.speed.addItem(f"{speed:g} ×", speed)
        self.speed.setCurrentIndex(SPEEDS.index(1.0))
        row = QHBoxLayout(self)
        row.setContentsMargins(METRICS.gap, METRICS.tight, METRICS.gap, METRICS.tight)
        for widget in (self.play, self.back, self.forth):
            row.addWidget(widget)
        row.addWidget(self.slider, 1)
        for widget in (self.apart, self.time, self.speed, self.live):
            row.addWidget(widget)

    def _connect(self) -> None:
        self.play.clicked.connect(self._on_play_clicked)
        self.back.clicked.connect(lambda: self._on_stepped(-1))
        self.forth.clicked.connect(lambda: self._on_stepped(1))
        self.slider.sliderMoved.connect(self._on_slider_moved)
        self.speed.activated.connect(self._on_speed_activated)
        self.live.clicked.connect(self._state.leave_replay)
        self._state.ticked.connect(self.show_position)
        self._state.replay_changed.connect(self._on_replay_changed)

    @pyqtSlot()
    def _on_replay_changed(self) -> None:
        self._on_speed_activated()
        self.show_position()

    @pyqtSlot()
    def show_position(self) -> None:
        """Show where the replay is."""
        replay = self._state.replay
        if replay is None:
            return
        if not self.slider.isSliderDown():
            share = replay.position_s / replay.duration_s if replay.duration_s > 0 else 0.0
            self.slider.setValue(round(SLIDER_STEPS * share))
        self.time.setText(f"{replay.position_s:6.2f} / {replay.duration_s:.2f} s  #{replay.index}")
        self.apart.setText(replay.apart())
        self.play.setText("Pause" if replay.playing else "Play")

    @pyqtSlot()
    def _on_play_clicked(self) -> None:
        replay = self._state.replay
        if replay is not None:
            replay.pause() if replay.playing else replay.play()

    def _on_stepped(self, samples: int) -> None:
        if self._state.replay is not None:
            self._state.replay.step(samples)

    @pyqtSlot(int)
    def _on_slider_moved(self, value: int) -> None:
        replay = self._state.replay
        if replay is not None:
            replay.pause()
            replay.seek(replay.duration_s * value / SLIDER_STEPS)

    @pyqtSlot()
    def _on_speed_activated(self) -> None:
        if self._state.replay is not None:
            self._state.replay.speed = float(self.speed.currentData())
