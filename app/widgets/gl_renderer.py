"""Which OpenGL renderer draws the picture: a graphics card, or the processor (Mesa's software renderers)."""

from functools import cache

from PyQt6.QtGui import QOffscreenSurface, QOpenGLContext, QSurfaceFormat
from PyQt6.QtOpenGL import QOpenGLVersionFunctionsFactory, QOpenGLVersionProfile

SOFTWARE_RENDERERS = ("llvmpipe", "softpipe", "swiftshader", "swrast", "gdi generic")
_GL_RENDERER = 0x1F01
SAMPLES = 4


def base_format() -> QSurfaceFormat:
    """What MuJoCo's renderer needs: OpenGL with the fixed pipeline, a depth buffer and a stencil."""
    result = QSurfaceFormat()
    result.setProfile(QSurfaceFormat.OpenGLContextProfile.CompatibilityProfile)
    result.setVersion(2, 1)
    result.setDepthBufferSize(24)
    result.setStencilBufferSize(8)
    # the clock of the window is its 30 Hz timer; waiting for the screen as well would hold up the controls
    result.setSwapInterval(0)
    return result


def surface_format() -> QSurfaceFormat:
    """The format of the 3-D view: smoothed edges only on a graphics card (on a processor they double the cost)."""
    result = base_format()
    if not is_software():
        result.setSamples(SAMPLES)
    return result


@cache
def renderer_name() -> str:
    """Name of the OpenGL renderer, '' where there is no OpenGL. Needs a QGuiApplication."""
    surface, context = QOffscreenSurface(), QOpenGLContext()
    surface.setFormat(base_format())
    surface.create()
    context.setFormat(base_format())
    if not context.create() or not context.makeCurrent(surface):
        return ""
    profile = QOpenGLVersionProfile()
    profile.setVersion(2, 1)
    functions = QOpenGLVersionFunctionsFactory.get(profile, context)
    # the class of the functions is chosen at run time by the profile
    name = str(functions.glGetString(_GL_RENDERER)) if functions is not None else ""  # type: ignore[attr-defined]
    context.doneCurrent()
    return name


def is_software() -> bool:
    """Whether the processor draws."""
    return any(name in renderer_name().lower() for name in SOFTWARE_RENDERERS)
