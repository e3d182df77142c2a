"""The choice of a picture in the headset, and the process that draws it."""

from collections.abc import Callable

from PyQt6.QtCore import pyqtSlot
from PyQt6.QtWidgets import QComboBox, QVBoxLayout, QWidget

from app.state import AppState
from app.stereo.eyes import Stand
from app.theme import METRICS
from app.widgets.roles import label
from app.workers.stereo import StereoPicture
from trainer.session.messages import SceneChanged

PICTURES: tuple[tuple[str, Stand | None], ...] = (
    ("no picture in the headset", None),
    ("picture in the headset: from the robot's head", "head"),
    ("picture in the headset: from behind the robot", "stand"),
)


class PictureInHeadset(QWidget):
    """Feeds the process with scene and state while one is wanted."""

    def __init__(self, state: AppState, make_picture: Callable[[Stand], StereoPicture]) -> None:
        super().__init__()
        self._state = state
        self._make_picture = make_picture
        self.process: StereoPicture | None = None
        self.choice = QComboBox()
        self.says = label("", "muted", "vr_picture_says")
        self._build()
        self.choice.activated.connect(self._on_chosen)
        state.ticked.connect(self._on_ticked)
        state.scene_changed.connect(self._show_scene)

    def _build(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(METRICS.tight)
        self.choice.setObjectName("vr_in_headset")
        self.choice.setToolTip("A process of its own draws it; the input does not depend on it. Needs a graphics card")
        for text, stand in PICTURES:
            self.choice.addItem(text, stand)
        column.addWidget(self.choice)
        column.addWidget(self.says)

    @pyqtSlot(int)
    def _on_chosen(self, _: int) -> None:
        self.end()
        stand = self.choice.currentData()
        if stand:
            self.process = self._make_picture(stand)
            self._show_scene()

    @pyqtSlot()
    def _show_scene(self) -> None:
        state = self._state
        if self.process is not None and state.scene is not None:
            self.process.show_scene(SceneChanged(state.scene, state.settings.task, state.time_limit_s))

    @pyqtSlot()
    def _on_ticked(self) -> None:
        if self.process is None:
            return
        if self._state.telemetry is not None:
            self.process.show(self._state.telemetry)
        said = self.process.lines[-1] if self.process.lines else "starting…"
        self.says.setText(said if self.process.alive else f"the picture process ended: {said}")

    def end(self) -> None:
        """End the process, if there is one."""
        process, self.process = self.process, None
        if process is not None:
            process.close()
        self.says.setText("")
