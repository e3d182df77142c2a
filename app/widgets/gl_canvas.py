"""Pictures drawn in the window's thread, straight into the framebuffer of a Qt OpenGL widget: for graphics cards."""

# mujoco has no stubs: pyright sees none of its names
# pyright: reportAttributeAccessIssue=false

import time

import mujoco
from PyQt6.QtCore import QSize, pyqtSignal, pyqtSlot
from PyQt6.QtGui import QImage
from PyQt6.QtOpenGLWidgets import QOpenGLWidget
from PyQt6.QtWidgets import QWidget
from typing_extensions import override

from app.widgets.gl_renderer import is_software, surface_format
from app.widgets.scene_painter import Frame, ScenePainter, Target


class GlCanvas(QOpenGLWidget):
    """Shows one frame."""

    drawn = pyqtSignal(float, float)
    "when a frame was begun and how long it took, s of time.perf_counter"
    composed = pyqtSignal(float)
    "how long it took to put the window together, s"
    failed = pyqtSignal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("gl_canvas")
        self.setFormat(surface_format())
        self._painter: ScenePainter | None = None
        self._frame: Frame | None = None
        self._compose_began_s = 0.0
        self.aboutToCompose.connect(self._on_about_to_compose)
        self.frameSwapped.connect(self._on_frame_swapped)

    @property
    def busy(self) -> bool:
        """Whether a frame is being drawn: what is asked for is drawn with the next painting of the window."""
        return False

    def set_model(self, model: mujoco.MjModel) -> None:
        """Show another model, owned by this widget from now on."""
        self._release()
        self._painter = ScenePainter(model, is_software())

    def show_frame(self, frame: Frame) -> None:
        """Draw it with the next painting of the window."""
        self._frame = frame
        self.update()

    def picture(self, frame: Frame) -> QImage:
        """Draw it now, in device pixels."""
        self._frame = frame
        return self.grabFramebuffer()

    def end(self) -> None:
        """Nothing goes on here by itself."""

    def _release(self) -> None:
        if self._painter is not None and self.isValid():
            self.makeCurrent()
            self._painter.release()
            self.doneCurrent()

    @override
    def initializeGL(self) -> None:
        context = self.context()
        assert context is not None
        context.aboutToBeDestroyed.connect(self._release)

    @override
    def paintGL(self) -> None:
        if self._painter is None or self._frame is None:
            return
        began_s = time.perf_counter()
        ratio = self.devicePixelRatioF()
        size = QSize(round(self.width() * ratio), round(self.height() * ratio))
        target = Target(self.defaultFramebufferObject(), size, enlargeable=self.format().samples() <= 1)
        try:
            self._painter.draw(self._frame, target)
        except mujoco.FatalError as error:
            self._painter = None
            self.failed.emit(str(error))
            return
        if is_software():
            mujoco.mjr_finish()  # the window waits for it in any case; here its time is seen
        self.drawn.emit(began_s, time.perf_counter() - began_s)

    @pyqtSlot()
    def _on_about_to_compose(self) -> None:
        self._compose_began_s = time.perf_counter()

    @pyqtSlot()
    def _on_frame_swapped(self) -> None:
        self.composed.emit(time.perf_counter() - self._compose_began_s)
