"""The 3-D view: MuJoCo draws a model straight into the framebuffer of a Qt OpenGL widget."""

# mujoco has no stubs: pyright sees none of its names
# pyright: reportAttributeAccessIssue=false

import time

import mujoco
from PyQt6.QtCore import QPointF, Qt, pyqtSignal
from PyQt6.QtGui import QFocusEvent, QImage, QKeyEvent, QMouseEvent, QWheelEvent
from PyQt6.QtOpenGLWidgets import QOpenGLWidget
from PyQt6.QtWidgets import QWidget
from typing_extensions import override

from app.scene_pose import PoseWriter, ScenePose
from app.theme import METRICS
from app.widgets.ghosts import add_beside, add_ghosts
from app.widgets.gl_renderer import is_software, surface_format
from app.widgets.orbit_camera import OrbitCamera

MAX_GEOMS = 2000
SHADOW_SIZE = 2048
SOFTWARE_SHADOW_SIZE = 1024
RATE_WINDOW_S = 1.0


class SceneView(QOpenGLWidget):
    """Shows poses of one model. Left drag orbits, right or Shift drag pans, the wheel zooms."""

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
            self._render(self._model, self._data, self._writer, self._scene)
            self._count_frame()
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
        scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = self.shadows
        if self.show_ghosts:
            add_ghosts(scene, self._pose.ghosts)
        own = self._context.offFBO
        self._context.offFBO = self.defaultFramebufferObject()
        try:
            mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._context)
            mujoco.mjr_render(self._viewport(), scene, self._context)
        finally:
            self._context.offFBO = own

    def _viewport(self) -> mujoco.MjrRect:
        ratio = self.devicePixelRatioF()
        return mujoco.MjrRect(0, 0, round(self.width() * ratio), round(self.height() * ratio))

    def _count_frame(self) -> None:
        now = time.perf_counter()
        self._frame_times = [t for t in self._frame_times if now - t < RATE_WINDOW_S] + [now]
        self.rate_hz = len(self._frame_times) / RATE_WINDOW_S

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
        self.update()

    @override
    def wheelEvent(self, a0: QWheelEvent | None) -> None:
        assert a0 is not None
        self.orbit_camera.zoom(a0.angleDelta().y() / 120.0)
        self.update()

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


_KEY_NAMES = {
    Qt.Key.Key_Left: "left",
    Qt.Key.Key_Right: "right",
    Qt.Key.Key_Up: "up",
    Qt.Key.Key_Down: "down",
    Qt.Key.Key_Shift: "shift",
    Qt.Key.Key_PageUp: "page_up",
    Qt.Key.Key_PageDown: "page_down",
    Qt.Key.Key_Home: "home",
    Qt.Key.Key_End: "end",
    Qt.Key.Key_Delete: "delete",
    Qt.Key.Key_Return: "return",
    Qt.Key.Key_Enter: "return",
}


def key_name(event: QKeyEvent) -> str:
    """The name of a key for teleoperation: a lower-case character, or a word; empty for keys without a name."""
    named = _KEY_NAMES.get(Qt.Key(event.key())) if event.key() in Qt.Key._value2member_map_ else None
    if named:
        return named
    # the code, not the text: Shift must not rename a key that is being held
    return chr(event.key()).lower() if 0x20 < event.key() < 0x7F else ""


def _visual_option() -> mujoco.MjvOption:
    """Visual geoms only: groups 0 to 2 of MuJoCo's convention; collision geoms are group 3."""
    option = mujoco.MjvOption()
    mujoco.mjv_defaultOption(option)
    option.geomgroup[3:] = 0
    return option
