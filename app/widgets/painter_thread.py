"""A thread that draws with an OpenGL context of its own: where the processor draws, the window must not wait for it.

MuJoCo and OpenGL release Python's lock while they draw, so that the window's thread goes on: stops, heartbeat, panels.
The thread has the window's own priority: a lesser one would be held up while it has the lock, and the window with it.
"""

# mujoco has no stubs: pyright sees none of its names
# pyright: reportAttributeAccessIssue=false

import ctypes
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import mujoco
import numpy as np
from PyQt6.QtCore import QSize
from PyQt6.QtGui import QImage, QOffscreenSurface, QOpenGLContext
from PyQt6.QtOpenGL import QOpenGLFramebufferObject

from app.widgets.gl_renderer import base_format
from app.widgets.scene_painter import Frame, ScenePainter, Target, framebuffer

_GL_BGRA, _GL_UNSIGNED_BYTE = 0x80E1, 0x1401
END_S = 10.0


@dataclass(frozen=True)
class Job:
    """A frame of a painter in so many pixels, and who wants it."""

    painter: ScenePainter
    frame: Frame
    size: QSize
    done: Callable[["Picture"], None]
    "called in the thread that draws"


@dataclass(frozen=True)
class Picture:
    """What came of a job."""

    image: QImage
    "null when it failed"
    began_s: float
    cost_s: float
    "wall time, of time.perf_counter"
    error: str = ""


class PainterThread:
    """Draws one job after another."""

    def __init__(self) -> None:
        self._surface = QOffscreenSurface()  # Qt wants it made in the window's thread
        self._surface.setFormat(base_format())
        self._surface.create()
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="scene-painter", daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> None:
        """Have it drawn after what was asked for before."""
        self._jobs.put(job)

    def end(self) -> None:
        """End the thread after the frame at hand. Safe to call twice."""
        self._jobs.put(None)
        self._thread.join(END_S)

    def _run(self) -> None:
        studio = _Studio(self._surface)
        try:
            while (job := self._jobs.get()) is not None:
                job.done(studio.draw(job))
        finally:
            studio.close()


class _Studio:
    """The context, the framebuffer and the painter of the thread."""

    def __init__(self, surface: QOffscreenSurface) -> None:
        self._context = QOpenGLContext()
        self._context.setFormat(base_format())
        self._works = self._context.create() and self._context.makeCurrent(surface)
        address = self._context.getProcAddress(b"glReadPixels") if self._works else None
        kinds = (ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_uint, ctypes.c_uint, ctypes.c_void_p)
        # ctypes lets other threads go on while the picture is finished; MuJoCo's own reading is slower (no alpha)
        self._read_pixels = ctypes.CFUNCTYPE(None, *kinds)(int(address)) if address is not None else None
        self._painter: ScenePainter | None = None
        self._buffer: QOpenGLFramebufferObject | None = None

    def draw(self, job: Job) -> Picture:
        """The border of the thread: whatever OpenGL cannot do is told with the picture."""
        began_s = time.perf_counter()
        try:
            image = self._draw(job)
        except (mujoco.FatalError, RuntimeError) as error:
            return Picture(QImage(), began_s, 0.0, str(error))
        return Picture(image, began_s, time.perf_counter() - began_s)

    def _draw(self, job: Job) -> QImage:
        if self._read_pixels is None:
            raise RuntimeError("no OpenGL context could be made beside the window's")
        if job.painter is not self._painter:
            if self._painter is not None:
                self._painter.release()
            self._painter = job.painter
        if self._buffer is None or self._buffer.size() != job.size:
            self._buffer = framebuffer(job.size)
        job.painter.draw(job.frame, Target(self._buffer.handle(), job.size, self._buffer))
        width, height = job.size.width(), job.size.height()
        pixels = np.empty((height, width, 4), np.uint8)
        self._buffer.bind()
        self._read_pixels(0, 0, width, height, _GL_BGRA, _GL_UNSIGNED_BYTE, pixels.ctypes.data)
        upright = np.ascontiguousarray(pixels[::-1])  # OpenGL's first row is the lowest
        rows = upright.data  # any buffer will do, whatever the annotations say; the copy owns its memory
        return QImage(rows, width, height, 4 * width, QImage.Format.Format_RGB32).copy()  # type: ignore[call-overload]

    def close(self) -> None:
        """Give everything back, in the thread that made it."""
        if self._painter is not None:
            self._painter.release()
        self._painter = self._buffer = None
        if self._works:
            self._context.doneCurrent()
