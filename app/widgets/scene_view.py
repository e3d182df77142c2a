"""The 3-D view: MuJoCo draws a model straight into the framebuffer of a Qt OpenGL widget."""

# mujoco has no stubs: pyright sees none of its names
# pyright: reportAttributeAccessIssue=false

import time

import mujoco
from PyQt6.QtCore import QPointF, QSize, Qt, pyqtSignal, pyqtSlot
from PyQt6.QtGui import QFocusEvent, QImage, QKeyEvent, QMouseEvent, QWheelEvent
from PyQt6.QtOpenGLWidgets import QOpenGLWidget
from PyQt6.QtWidgets import QWidget
from typing_extensions import override

from app.drawing_pace import DrawingPace
from app.scene_pose import PoseWriter, ScenePose
from app.theme import METRICS
from app.widgets.ghosts import add_beside, add_ghosts
from app.widgets.gl_renderer import is_software, surface_format
from app.widgets.key_names import key_name
from app.widgets.orbit_camera import OrbitCamera
from app.widgets.small_picture import SmallPicture

MAX_GEOMS = 2000
SHADOW_SIZE = 2048
SOFTWARE_SHADOW_SIZE = 1024
RATE_WINDOW_S = 1.0


class SceneView(QOpenGLWidget):
    """Shows poses of one model. Left drag orbits, right or Shift drag pans, the wheel zooms.

    Alone it draws whatever it is told at once and in full. An owner that sets `paced` calls `draw_if_due` at its own
    rate instead, and `pace` decides.
    """

    key_pressed = pyqtSignal(str)
    key_released = pyqtSignal(str)
    focus_changed = pyqtSignal(bool)
    failed = pyqtSignal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("scene_view")
        self.setFormat(surface_format())
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
        self._model: mujoco.MjModel | None = None
        self._data: mujoco.MjData | None = None
        self._beside: mujoco.MjData | None = None
        self._writer: PoseWriter | None = None
        self._scene: mujoco.MjvScene | None = None
        self._context: mujoco.MjrContext | None = None
        self._option = mujoco.MjvOption()
        self._pose = ScenePose.standing()
        self._last_mouse = QPointF()
        self._frame_times: list[float] = []
        self._names_down: dict[int, str] = {}
        self._wanted = False
        self._compose_began_s = 0.0
        self._small = SmallPicture()
        self.aboutToCompose.connect(self._on_about_to_compose)
        self.frameSwapped.connect(self._on_frame_swapped)

    def set_model(self, model: mujoco.MjModel) -> None:
        """Show another model, owned by this view from now on."""
        self._release_context()
        self._model, self._data, self._beside = model, mujoco.MjData(model), None
        self._writer = PoseWriter(model)
        self._scene = mujoco.MjvScene(model, MAX_GEOMS)
        self._option = _visual_option()
        self.set_pose(self._pose)

    def set_pose(self, pose: ScenePose) -> None:
        """Show a pose at the next repaint."""
        self._pose = pose
        self.orbit_camera.track(pose.base_pos_w)
        self.ask_to_draw()

    def ask_to_draw(self) -> None:
        """Have what changed drawn: with the next painting of the window, or when it is due."""
        self._wanted = True
        if not self.paced:
            self.update()

    def draw_if_due(self) -> None:
        """Have what changed drawn now if a frame is due."""
        if self._wanted and self.pace.is_due():
            self.update()

    @property
    def pose(self) -> ScenePose:
        """What is shown."""
        return self._pose

    def screenshot(self) -> QImage:
        """The picture now, in device pixels."""
        return self.grabFramebuffer()

    def _release_context(self) -> None:
        if self._context is None:
            return
        self.makeCurrent()
        self._context.free()
        self._context = None
        self._small.release()
        self.doneCurrent()

    def _make_context(self) -> None:
        assert self._model is not None
        software = is_software()
        self._model.vis.quality.shadowsize = SOFTWARE_SHADOW_SIZE if software else SHADOW_SIZE
        # the picture goes to the widget's framebuffer: MuJoCo's own may be tiny
        self._model.vis.global_.offwidth = self._model.vis.global_.offheight = 16
        self._model.vis.quality.offsamples = 0
        self._context = mujoco.MjrContext(self._model, mujoco.mjtFontScale.mjFONTSCALE_100)
        assert self._scene is not None
        self._scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = not software

    @override
    def initializeGL(self) -> None:
        self._context = None
        context = self.context()
        assert context is not None
        context.aboutToBeDestroyed.connect(self._release_context)

    @override
    def paintGL(self) -> None:
        if self._model is None or self._data is None or self._writer is None or self._scene is None:
            return
        try:
            if self._context is None:
                self._make_context()
            began_s = time.perf_counter()
            self._render(self._model, self._data, self._writer, self._scene)
            self._count_frame(began_s)
        except mujoco.FatalError as error:
            self._model = None
            self.failed.emit(str(error))

    def _render(self, model: mujoco.MjModel, data: mujoco.MjData, writer: PoseWriter, scene: mujoco.MjvScene) -> None:
        assert self._context is not None
        other = self._pose.beside
        if other is not None:
            self._beside = self._beside or mujoco.MjData(model)
            writer.write(self._beside, other)
        writer.write(data, self._pose)
        everything = mujoco.mjtCatBit.mjCAT_ALL
        mujoco.mjv_updateScene(model, data, self._option, None, self.orbit_camera.camera, everything, scene)
        if other is not None and self._beside is not None:
            add_beside(scene, model, self._beside, self._option)
        scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = self.shadows and self.pace.detail == "full"
        if self.show_ghosts:
            add_ghosts(scene, self._pose.ghosts)
        self._draw(scene, self._context)

    def _draw(self, scene: mujoco.MjvScene, context: mujoco.MjrContext) -> None:
        size = QSize(round(self.width() * self.devicePixelRatioF()), round(self.height() * self.devicePixelRatioF()))
        # fewer pixels cannot be enlarged into a framebuffer with several samples a pixel (graphics cards)
        small = self.pace.detail == "coarse" and self.format().samples() <= 1
        target, viewport = self.defaultFramebufferObject(), mujoco.MjrRect(0, 0, size.width(), size.height())
        if small:
            target, viewport = self._small.begin(size)
        own = context.offFBO
        context.offFBO = target
        try:
            mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, context)
            mujoco.mjr_render(viewport, scene, context)
        finally:
            context.offFBO = own
        if small:
            self._small.enlarge(size)
        if is_software():
            mujoco.mjr_finish()  # the window waits for it in any case; here its time is seen

    def _count_frame(self, began_s: float) -> None:
        now = time.perf_counter()
        self._wanted = False
        self.pace.drew(began_s, now - began_s)
        self._frame_times = [t for t in self._frame_times if now - t < RATE_WINDOW_S] + [now]
        self.rate_hz = len(self._frame_times) / RATE_WINDOW_S

    @pyqtSlot()
    def _on_about_to_compose(self) -> None:
        self._compose_began_s = time.perf_counter()

    @pyqtSlot()
    def _on_frame_swapped(self) -> None:
        self.pace.composed(time.perf_counter() - self._compose_began_s)

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


def _visual_option() -> mujoco.MjvOption:
    """Visual geoms only: groups 0 to 2 of MuJoCo's convention; collision geoms are group 3."""
    option = mujoco.MjvOption()
    mujoco.mjv_defaultOption(option)
    option.geomgroup[3:] = 0
    return option
