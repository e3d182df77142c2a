"""The 3-D view: pose, camera, mouse and keys; a canvas below it draws, in the window's thread or beside it."""

# mujoco has no stubs: pyright sees none of its names
# pyright: reportAttributeAccessIssue=false

import copy
import time

import mujoco
from PyQt6.QtCore import QPointF, Qt, pyqtSignal, pyqtSlot
from PyQt6.QtGui import (
    QCloseEvent,
    QFocusEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QOpenGLContext,
    QResizeEvent,
    QShowEvent,
    QWheelEvent,
)
from PyQt6.QtWidgets import QVBoxLayout, QWidget
from typing_extensions import override

from app.drawing_pace import DrawingPace
from app.scene_pose import ScenePose
from app.theme import METRICS
from app.widgets.gl_canvas import GlCanvas
from app.widgets.gl_renderer import is_software
from app.widgets.image_canvas import ImageCanvas
from app.widgets.key_names import key_name
from app.widgets.orbit_camera import OrbitCamera
from app.widgets.scene_painter import Frame

RATE_WINDOW_S = 1.0


class SceneView(QWidget):
    """Shows poses of one model. Left drag orbits, right or Shift drag pans, the wheel zooms.

    Alone it draws whatever it is told at once and in full. An owner that sets `paced` calls `draw_if_due` at its own
    rate instead, and `pace` decides.
    """

    key_pressed = pyqtSignal(str)
    key_released = pyqtSignal(str)
    focus_changed = pyqtSignal(bool)
    failed = pyqtSignal(str)
    frame_shown = pyqtSignal()

    def __init__(self, parent: QWidget | None = None, beside: bool | None = None) -> None:
        """`beside`: draw in a thread of its own (default: where the processor draws)."""
        super().__init__(parent)
        self.setObjectName("scene_view")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumSize(METRICS.view_min_width, METRICS.view_min_height)
        self.setAccessibleName("3-D view of the robot")
        self.orbit_camera = OrbitCamera()
        self.show_ghosts = True
        self.shadows = True
        self.paced = False
        "an owner calls `draw_if_due`"
        self.pace = DrawingPace()
        self.pace.choose("full")
        self.rate_hz = 0.0
        "frames drawn in the last second"
        if beside is None:
            beside = is_software() and QOpenGLContext.supportsThreadedOpenGL()
        self.canvas = ImageCanvas(self) if beside else GlCanvas(self)
        self._pose = ScenePose.standing()
        self._last_mouse = QPointF()
        self._frame_times: list[float] = []
        self._names_down: dict[int, str] = {}
        self._wanted = False
        self._build()

    def _build(self) -> None:
        # mouse and keyboard belong to the view
        self.canvas.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.canvas.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.canvas)
        self.canvas.drawn.connect(self._on_drawn)
        self.canvas.composed.connect(lambda cost_s: self.pace.composed(cost_s))
        self.canvas.failed.connect(self.failed)

    def set_model(self, model: mujoco.MjModel) -> None:
        """Show another model, owned by this view from now on."""
        self.canvas.set_model(model)
        self.set_pose(self._pose)

    def set_pose(self, pose: ScenePose) -> None:
        """Show a pose at the next repaint."""
        self._pose = pose
        self.orbit_camera.track(pose.base_pos_w)
        self.ask_to_draw()

    def ask_to_draw(self) -> None:
        """Have what changed drawn: now, or when it is due."""
        self._wanted = True
        if not self.paced:
            self._draw()

    def draw_if_due(self) -> None:
        """Have what changed drawn now if a frame is due."""
        if self._wanted and not self.canvas.busy and self.pace.is_due():
            self._draw()

    def _draw(self) -> None:
        if self.isVisible():
            self._wanted = False
            self.canvas.show_frame(self._frame())

    def _frame(self) -> Frame:
        camera = copy.copy(self.orbit_camera.camera)
        return Frame(self._pose, camera, self.shadows, self.show_ghosts, self.pace.detail)

    @property
    def pose(self) -> ScenePose:
        """What is shown."""
        return self._pose

    def screenshot(self) -> QImage:
        """The picture now, in device pixels."""
        return self.canvas.picture(self._frame())

    def end(self) -> None:
        """Nothing is drawn beside the window any more. Safe to call twice."""
        self.canvas.end()

    @pyqtSlot(float, float)
    def _on_drawn(self, began_s: float, cost_s: float) -> None:
        now = time.perf_counter()
        self.pace.drew(began_s, cost_s)
        self._frame_times = [t for t in self._frame_times if now - t < RATE_WINDOW_S] + [now]
        self.rate_hz = len(self._frame_times) / RATE_WINDOW_S
        self.frame_shown.emit()

    @override
    def showEvent(self, a0: QShowEvent | None) -> None:
        super().showEvent(a0)
        self.ask_to_draw()

    @override
    def resizeEvent(self, a0: QResizeEvent | None) -> None:
        super().resizeEvent(a0)
        self.ask_to_draw()

    @override
    def closeEvent(self, a0: QCloseEvent | None) -> None:
        self.end()
        super().closeEvent(a0)

    @override
    def mousePressEvent(self, a0: QMouseEvent | None) -> None:
        assert a0 is not None
        self._last_mouse = a0.position()

    @override
    def mouseMoveEvent(self, a0: QMouseEvent | None) -> None:
        assert a0 is not None
        delta = (a0.position() - self._last_mouse) / max(self.height(), 1)
        self._last_mouse = a0.position()
        shift = bool(a0.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        if a0.buttons() & Qt.MouseButton.LeftButton and not shift:
            self.orbit_camera.orbit(delta.x(), delta.y())
        elif a0.buttons():
            self.orbit_camera.pan(delta.x(), delta.y())
        self.ask_to_draw()

    @override
    def wheelEvent(self, a0: QWheelEvent | None) -> None:
        assert a0 is not None
        self.orbit_camera.zoom(a0.angleDelta().y() / 120.0)
        self.ask_to_draw()

    @override
    def keyPressEvent(self, a0: QKeyEvent | None) -> None:
        assert a0 is not None
        name = key_name(a0)
        if name and not a0.isAutoRepeat():
            if a0.nativeScanCode():
                self._names_down[a0.nativeScanCode()] = name
            self.key_pressed.emit(name)
        a0.setAccepted(bool(name))

    @override
    def keyReleaseEvent(self, a0: QKeyEvent | None) -> None:
        assert a0 is not None
        if a0.isAutoRepeat():
            return
        # Shift pressed meanwhile renames a key (1 becomes !): what went down under a name comes up under it
        name = self._names_down.pop(a0.nativeScanCode(), key_name(a0))
        if name:
            self.key_released.emit(name)
        a0.setAccepted(bool(name))

    @override
    def focusInEvent(self, a0: QFocusEvent | None) -> None:
        super().focusInEvent(a0)
        self.focus_changed.emit(True)

    @override
    def focusOutEvent(self, a0: QFocusEvent | None) -> None:
        super().focusOutEvent(a0)
        self._names_down.clear()
        self.focus_changed.emit(False)
