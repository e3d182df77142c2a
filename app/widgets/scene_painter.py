"""Draws poses of one model with MuJoCo into an OpenGL framebuffer that somebody else owns."""

# mujoco has no stubs: pyright sees none of its names
# pyright: reportAttributeAccessIssue=false

from dataclasses import dataclass

import mujoco
from PyQt6.QtCore import QRect, QSize
from PyQt6.QtOpenGL import QOpenGLFramebufferObject, QOpenGLFramebufferObjectFormat

from app.drawing_pace import Detail
from app.scene_pose import PoseWriter, ScenePose
from app.widgets.ghosts import add_beside, add_ghosts

MAX_GEOMS = 2000
SHADOW_SIZE = 2048
SOFTWARE_SHADOW_SIZE = 1024
COARSE = 0.5
"Where the processor draws, pixels are what costs: a coarse picture has this part of them each way, and is enlarged"
_GL_COLOR_BUFFER_BIT, _GL_LINEAR = 0x4000, 0x2601


@dataclass(frozen=True)
class Frame:
    """What a picture is to show. Nothing of it is written after it is put here."""

    pose: ScenePose
    camera: mujoco.MjvCamera
    shadows: bool = True
    ghosts: bool = True
    detail: Detail = "full"


@dataclass(frozen=True)
class Target:
    """Where a picture goes: a framebuffer of the current OpenGL context, and its size in pixels."""

    handle: int
    size: QSize
    buffer: QOpenGLFramebufferObject | None = None
    "None: the widget's own"
    enlargeable: bool = True
    "whether a smaller picture can be copied into it: not into several samples a pixel"


class ScenePainter:
    """Owns a model and, from the first picture on, what OpenGL holds of it. One thread, one context."""

    def __init__(self, model: mujoco.MjModel, software: bool) -> None:
        self.model, self.data = model, mujoco.MjData(model)
        self._beside: mujoco.MjData | None = None
        self._writer = PoseWriter(model)
        self._scene = mujoco.MjvScene(model, MAX_GEOMS)
        self._scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = not software
        self._option = _visual_option()
        self._context: mujoco.MjrContext | None = None
        self._small: QOpenGLFramebufferObject | None = None
        model.vis.quality.shadowsize = SOFTWARE_SHADOW_SIZE if software else SHADOW_SIZE
        # the picture goes to a framebuffer of somebody else: MuJoCo's own may be tiny
        model.vis.global_.offwidth = model.vis.global_.offheight = 16
        model.vis.quality.offsamples = 0

    def draw(self, frame: Frame, target: Target) -> None:
        """Draw a picture. Raises mujoco.FatalError when OpenGL cannot."""
        if self._context is None:
            self._context = mujoco.MjrContext(self.model, mujoco.mjtFontScale.mjFONTSCALE_100)
        self._update_scene(frame)
        if frame.detail != "coarse" or not target.enlargeable:
            self._render(target.handle, target.size, self._context)
            return
        small = self._small_buffer(target.size)
        self._render(small.handle(), small.size(), self._context)
        whole, part = QRect(0, 0, target.size.width(), target.size.height()), QRect(0, 0, small.width(), small.height())
        QOpenGLFramebufferObject.blitFramebuffer(target.buffer, whole, small, part, _GL_COLOR_BUFFER_BIT, _GL_LINEAR)

    def release(self) -> None:
        """Give back what OpenGL holds. Safe to call twice."""
        if self._context is not None:
            self._context.free()
        self._context = self._small = None

    def _update_scene(self, frame: Frame) -> None:
        model, scene, other = self.model, self._scene, frame.pose.beside
        if other is not None:
            self._beside = self._beside or mujoco.MjData(model)
            self._writer.write(self._beside, other)
        self._writer.write(self.data, frame.pose)
        everything = mujoco.mjtCatBit.mjCAT_ALL
        mujoco.mjv_updateScene(model, self.data, self._option, None, frame.camera, everything, scene)
        if other is not None and self._beside is not None:
            add_beside(scene, model, self._beside, self._option)
        scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = frame.shadows and frame.detail == "full"
        if frame.ghosts:
            add_ghosts(scene, frame.pose.ghosts)

    def _render(self, handle: int, size: QSize, context: mujoco.MjrContext) -> None:
        own = context.offFBO
        context.offFBO = handle
        try:
            mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, context)
            mujoco.mjr_render(mujoco.MjrRect(0, 0, size.width(), size.height()), self._scene, context)
        finally:
            context.offFBO = own

    def _small_buffer(self, size: QSize) -> QOpenGLFramebufferObject:
        wanted = QSize(max(1, round(COARSE * size.width())), max(1, round(COARSE * size.height())))
        if self._small is None or self._small.size() != wanted:
            self._small = framebuffer(wanted)
        return self._small


def framebuffer(size: QSize) -> QOpenGLFramebufferObject:
    """One that MuJoCo can draw into: colour, depth and stencil. Needs a current context."""
    layout = QOpenGLFramebufferObjectFormat()
    layout.setAttachment(QOpenGLFramebufferObject.Attachment.CombinedDepthStencil)
    return QOpenGLFramebufferObject(size, layout)


def _visual_option() -> mujoco.MjvOption:
    """Visual geoms only: groups 0 to 2 of MuJoCo's convention; collision geoms are group 3."""
    option = mujoco.MjvOption()
    mujoco.mjv_defaultOption(option)
    option.geomgroup[3:] = 0
    return option
