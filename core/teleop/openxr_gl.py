"""For runtimes without headless sessions: the smallest OpenGL session, whose frames are empty.

The runtime gives input only to an application that submits frames. A thread of its own does that with an EGL context
that draws nothing, so that sampling keeps its own rate.
"""

# pyopenxr's wrappers take and give ctypes that its annotations do not describe
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false

import ctypes
import os
import threading
from typing import Any

import xr


class NoGraphicsError(RuntimeError):
    """No OpenGL context can be had."""


class GlFrames:
    """An EGL context, the binding that tells the runtime of it, and the thread that ends empty frames."""

    def __init__(self, instance: Any, system: Any, extensions: list[str]) -> None:
        """Raises NoGraphicsError where the runtime or the computer offers no EGL."""
        if "XR_MNDX_egl_enable" not in extensions or "XR_KHR_opengl_enable" not in extensions:
            raise NoGraphicsError("the runtime has neither headless sessions nor OpenGL over EGL")
        os.environ.setdefault("PYOPENGL_PLATFORM", "egl")
        self._egl = EglContext()
        xr.get_opengl_graphics_requirements_khr(instance, system)  # the runtime insists on being asked
        self.binding = egl_binding(self._egl)
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._session: Any = None

    def start(self, session: Any) -> None:
        """Begin to end frames."""
        self._session = session
        self._stopping.clear()
        self._egl.release()
        self._thread = threading.Thread(target=self._run, name="openxr-frames", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        self._egl.make_current()
        try:
            while not self._stopping.is_set():
                frame = xr.wait_frame(self._session, xr.FrameWaitInfo())
                xr.begin_frame(self._session, xr.FrameBeginInfo())
                xr.end_frame(
                    self._session,
                    xr.FrameEndInfo(frame.predicted_display_time, xr.EnvironmentBlendMode.OPAQUE, layers=[]),
                )
        except xr.exception.XrException:
            pass  # the sampling thread meets the same error and reports it
        finally:
            self._egl.release()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(2.0)
            self._thread = None

    def close(self) -> None:
        """Release the context."""
        self.stop()
        self._egl.close()


class EglContext:
    """A context without a surface and without a screen."""

    _SURFACELESS = 0x31DD
    _OPENGL_API = 0x30A2
    _CONFIG = (0x3033, 0, 0x3040, 0x0008, 0x3038)  # any surface type, renderable by OpenGL
    _CORE_3_3 = (0x3098, 3, 0x30FB, 3, 0x30FD, 1, 0x3038)

    def __init__(self, core: bool = True) -> None:
        """core: OpenGL 3.3 without the fixed pipeline; else with it. Raises NoGraphicsError."""
        try:
            self.library = ctypes.CDLL("libEGL.so.1")
        except OSError as error:
            raise NoGraphicsError(f"EGL is not installed: {error}") from error
        egl = self.library
        for name in ("eglGetDisplay", "eglGetPlatformDisplay", "eglCreateContext", "eglGetProcAddress"):
            getattr(egl, name).restype = ctypes.c_void_p
        egl.eglGetPlatformDisplay.argtypes = [ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p]
        self.display = ctypes.c_void_p(egl.eglGetPlatformDisplay(self._SURFACELESS, None, None))
        self.config, self.context = ctypes.c_void_p(), ctypes.c_void_p()
        if not egl.eglInitialize(self.display, None, None) or not egl.eglBindAPI(self._OPENGL_API):
            raise NoGraphicsError("EGL has no OpenGL on its surfaceless platform")
        count = ctypes.c_int()
        chosen = (ctypes.c_int * len(self._CONFIG))(*self._CONFIG)
        egl.eglChooseConfig(self.display, chosen, ctypes.byref(self.config), 1, ctypes.byref(count))
        wanted = (ctypes.c_int * len(self._CORE_3_3))(*self._CORE_3_3)
        profile = wanted if core else None
        self.context = ctypes.c_void_p(egl.eglCreateContext(self.display, self.config, None, profile))
        if not self.context:
            raise NoGraphicsError("EGL gives no OpenGL context")
        self.make_current()

    def make_current(self) -> None:
        """For the calling thread."""
        self.library.eglMakeCurrent(self.display, None, None, self.context)

    def release(self) -> None:
        """From the calling thread."""
        self.library.eglMakeCurrent(self.display, None, None, None)

    def close(self) -> None:
        """Destroy the context."""
        self.release()
        self.library.eglDestroyContext(self.display, self.context)


def egl_binding(egl: EglContext) -> Any:
    """What a session is told of the context (XR_MNDX_egl_enable)."""
    kinds = dict(xr.GraphicsBindingEGLMNDX._fields_)  # pointer types of its own
    return xr.GraphicsBindingEGLMNDX(
        get_proc_address=ctypes.cast(egl.library.eglGetProcAddress, kinds["get_proc_address"]),
        display=ctypes.cast(egl.display, kinds["display"]),
        config=ctypes.cast(egl.config, kinds["config"]),
        context=ctypes.cast(egl.context, kinds["context"]),
    )
