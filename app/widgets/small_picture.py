"""A picture drawn with fewer pixels and enlarged: where the processor draws, pixels are what costs."""

# mujoco has no stubs: pyright sees none of its names
# pyright: reportAttributeAccessIssue=false

import mujoco
from PyQt6.QtCore import QRect, QSize
from PyQt6.QtOpenGL import QOpenGLFramebufferObject, QOpenGLFramebufferObjectFormat

SCALE = 0.5
_GL_COLOR_BUFFER_BIT, _GL_LINEAR = 0x4000, 0x2601


class SmallPicture:
    """A framebuffer of a fraction of the size. Everything needs the widget's current OpenGL context."""

    def __init__(self) -> None:
        self._buffer: QOpenGLFramebufferObject | None = None

    def begin(self, size: QSize) -> tuple[int, mujoco.MjrRect]:
        """Framebuffer and viewport to draw into for a picture of this size in pixels."""
        small = QSize(max(1, round(SCALE * size.width())), max(1, round(SCALE * size.height())))
        if self._buffer is None or self._buffer.size() != small:
            layout = QOpenGLFramebufferObjectFormat()
            layout.setAttachment(QOpenGLFramebufferObject.Attachment.CombinedDepthStencil)
            self._buffer = QOpenGLFramebufferObject(small, layout)
        return self._buffer.handle(), mujoco.MjrRect(0, 0, small.width(), small.height())

    def enlarge(self, size: QSize) -> None:
        """Copy what was drawn into the widget's framebuffer, smoothly enlarged."""
        assert self._buffer is not None
        from_rect, to_rect = (
            QRect(0, 0, self._buffer.width(), self._buffer.height()),
            QRect(0, 0, size.width(), size.height()),
        )
        QOpenGLFramebufferObject.blitFramebuffer(
            None, to_rect, self._buffer, from_rect, _GL_COLOR_BUFFER_BIT, _GL_LINEAR
        )

    def release(self) -> None:
        """Give the memory back."""
        self._buffer = None
