"""Pictures drawn by a thread and painted as images: for computers whose processor draws.

Without an OpenGL widget in it, the window is not put together by OpenGL either, which costs a processor as much again.
"""

# mujoco has no stubs: pyright sees none of its names
# pyright: reportAttributeAccessIssue=false

import queue
from collections.abc import Callable

import mujoco
from PyQt6.QtCore import QSize, Qt, pyqtSignal, pyqtSlot
from PyQt6.QtGui import QImage, QPainter, QPaintEvent
from PyQt6.QtWidgets import QWidget
from typing_extensions import override

from app.widgets.gl_renderer import is_software
from app.widgets.painter_thread import Job, PainterThread, Picture
from app.widgets.scene_painter import Frame, ScenePainter

WAIT_S = 30.0


class ImageCanvas(QWidget):
    """Shows the newest picture."""

    drawn = pyqtSignal(float, float)
    "when a frame was begun and how long it took, s of time.perf_counter"
    composed = pyqtSignal(float)
    "never told: nothing is put together"
    failed = pyqtSignal(str)
    _finished = pyqtSignal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("image_canvas")
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self._thread: PainterThread | None = None
        self._painter: ScenePainter | None = None
        self._image = QImage()
        self._busy = False
        self._next: Frame | None = None
        "asked for while another was drawn"
        self._finished.connect(self._on_finished)

    @property
    def busy(self) -> bool:
        """Whether a frame is being drawn."""
        return self._busy

    def set_model(self, model: mujoco.MjModel) -> None:
        """Show another model, owned by this widget from now on."""
        self._painter = ScenePainter(model, is_software())

    def show_frame(self, frame: Frame) -> None:
        """Have it drawn by the thread; of those asked for meanwhile only the last."""
        if self._busy:
            self._next = frame
        elif self._painter is not None:
            self._busy = True
            self._submit(self._painter, frame, self._finished.emit)

    def picture(self, frame: Frame) -> QImage:
        """Have it drawn and wait for it; in device pixels, null when it cannot be drawn."""
        if self._painter is None:
            return QImage()
        results: queue.SimpleQueue[Picture] = queue.SimpleQueue()
        self._submit(self._painter, frame, results.put)
        try:
            return results.get(timeout=WAIT_S).image
        except queue.Empty:
            return QImage()

    def end(self) -> None:
        """End the thread; the next frame starts another. Safe to call twice."""
        if self._thread is not None:
            self._thread.end()
            self._thread, self._busy, self._next = None, False, None

    def _submit(self, painter: ScenePainter, frame: Frame, done: Callable[[Picture], None]) -> None:
        self._thread = self._thread or PainterThread()
        ratio = self.devicePixelRatioF()
        size = QSize(max(1, round(self.width() * ratio)), max(1, round(self.height() * ratio)))
        self._thread.submit(Job(painter, frame, size, done))

    @pyqtSlot(object)
    def _on_finished(self, picture: Picture) -> None:
        self._busy = False
        if picture.error:
            self._painter = None
            self.failed.emit(picture.error)
            return
        self._image = picture.image
        self.update()
        self.drawn.emit(picture.began_s, picture.cost_s)
        if self._next is not None:
            frame, self._next = self._next, None
            self.show_frame(frame)

    @override
    def paintEvent(self, a0: QPaintEvent | None) -> None:
        painter = QPainter(self)
        if self._image.isNull():
            painter.fillRect(self.rect(), self.palette().window())
        else:
            painter.drawImage(self.rect(), self._image)
