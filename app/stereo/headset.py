"""The picture's half of OpenXR: an OpenGL session, a swapchain an eye, one frame after the other."""

# pyopenxr's wrappers take and give ctypes that its annotations do not describe
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import xr
from OpenGL import GL

from app.stereo.eyes import Fov
from core.teleop.openxr_gl import EglContext, NoGraphicsError, egl_binding
from core.teleop.poses import Pose, from_openxr

STEREO = xr.ViewConfigurationType.PRIMARY_STEREO
# the first one is the only one that is safe on every runtime
FORMATS = (GL.GL_SRGB8_ALPHA8, GL.GL_RGBA8)
EXTENSIONS = ("XR_KHR_opengl_enable", "XR_MNDX_egl_enable")
ENDING = (xr.SessionState.STOPPING, xr.SessionState.LOSS_PENDING, xr.SessionState.EXITING)

Draw = Callable[[int, Pose, Fov, int], None]
"""Draw an eye (0 left, 1 right), at a pose of the room, through a field of view, into a texture."""


@dataclass
class _Eye:
    """A swapchain and its textures."""

    swapchain: Any
    textures: list[int]


class HeadsetPicture:
    """Open it, then `frame` again and again; every call may raise what `xr` raises when the runtime dies."""

    def __init__(self, resolution: float) -> None:
        """resolution: share of the size that the runtime recommends. Raises NoGraphicsError, xr exceptions."""
        offered = {p.extension_name.decode() for p in xr.enumerate_instance_extension_properties()}
        if not offered >= set(EXTENSIONS):
            raise NoGraphicsError("the runtime takes no OpenGL pictures over EGL")
        self._running = False
        self._session: Any = None
        self.recentred = True
        "the frame of the poses was moved (or is new): look for a new reference"
        self._egl = EglContext(core=False)  # MuJoCo's renderer uses the fixed pipeline
        self._instance = xr.create_instance(
            xr.InstanceCreateInfo(
                application_info=xr.ApplicationInfo("REFINE-DP Studio, picture", 1, "", 0, xr.Version(1, 0, 0)),
                enabled_extension_names=list(EXTENSIONS),
            )
        )
        try:
            self._open(resolution)
        except BaseException:
            self.close()
            raise

    def _open(self, resolution: float) -> None:
        system = xr.get_system(self._instance, xr.SystemGetInfo(xr.FormFactor.HEAD_MOUNTED_DISPLAY))
        xr.get_opengl_graphics_requirements_khr(self._instance, system)  # the runtime insists on being asked
        binding = egl_binding(self._egl)
        self._session = xr.create_session(self._instance, xr.SessionCreateInfo(system_id=system, next=binding))
        self._space = xr.create_reference_space(
            self._session, xr.ReferenceSpaceCreateInfo(xr.ReferenceSpaceType.LOCAL, xr.Posef())
        )
        views = xr.enumerate_view_configuration_views(self._instance, system, STEREO)
        view = views[0]
        self.width = max(64, round(resolution * view.recommended_image_rect_width))
        self.height = max(64, round(resolution * view.recommended_image_rect_height))
        self._eyes = [self._make_eye() for _ in views]

    def _make_eye(self) -> _Eye:
        offered = list(xr.enumerate_swapchain_formats(self._session))
        chosen = next((f for f in FORMATS if f in offered), offered[0])
        swapchain = xr.create_swapchain(
            self._session,
            xr.SwapchainCreateInfo(
                usage_flags=xr.SwapchainUsageFlags.COLOR_ATTACHMENT_BIT,
                format=chosen,
                sample_count=1,
                width=self.width,
                height=self.height,
                face_count=1,
                array_size=1,
                mip_count=1,
            ),
        )
        images = xr.enumerate_swapchain_images(swapchain, xr.SwapchainImageOpenGLKHR)
        return _Eye(swapchain, [image.image for image in images])

    def poll(self) -> None:
        """Follow the session's state. Raises xr.SessionLostError when the runtime wants it to end."""
        while True:
            try:
                event = xr.poll_event(self._instance)
            except xr.EventUnavailable:
                return
            if event.type == xr.StructureType.EVENT_DATA_REFERENCE_SPACE_CHANGE_PENDING:
                self.recentred = True
            if event.type != xr.StructureType.EVENT_DATA_SESSION_STATE_CHANGED:
                continue
            state = ctypes.cast(ctypes.byref(event), ctypes.POINTER(xr.EventDataSessionStateChanged)).contents.state
            if state == xr.SessionState.READY:
                xr.begin_session(self._session, xr.SessionBeginInfo(STEREO))
                self._running = True
            elif xr.SessionState(state) in ENDING:
                self._stop(state == xr.SessionState.STOPPING)
                raise xr.SessionLostError

    def _stop(self, asked: bool) -> None:
        if self._running and asked:
            self._running = False
            xr.end_session(self._session)

    def frame(self, draw: Draw) -> bool:
        """One frame at the headset's rate; whether anything was drawn."""
        if not self._running:
            return False
        state = xr.wait_frame(self._session, xr.FrameWaitInfo())
        xr.begin_frame(self._session, xr.FrameBeginInfo())
        layers, projection = [], None
        if state.should_render:
            projection = self._projection(state.predicted_display_time, draw)
        if projection is not None:
            layers.append(ctypes.byref(projection))
        xr.end_frame(
            self._session, xr.FrameEndInfo(state.predicted_display_time, xr.EnvironmentBlendMode.OPAQUE, layers=layers)
        )
        return projection is not None

    def _projection(self, moment: Any, draw: Draw) -> Any:
        view_state, views = xr.locate_views(self._session, xr.ViewLocateInfo(STEREO, moment, self._space))
        valid = xr.ViewStateFlags.ORIENTATION_VALID_BIT | xr.ViewStateFlags.POSITION_VALID_BIT
        if view_state.view_state_flags & valid != valid:
            return None
        shown = (xr.CompositionLayerProjectionView * len(views))()
        for index, view in enumerate(views):
            eye = self._eyes[index]
            image = xr.acquire_swapchain_image(eye.swapchain, xr.SwapchainImageAcquireInfo())
            xr.wait_swapchain_image(eye.swapchain, xr.SwapchainImageWaitInfo(timeout=xr.INFINITE_DURATION))
            p, q, f = view.pose.position, view.pose.orientation, view.fov
            pose = from_openxr((p.x, p.y, p.z), (q.x, q.y, q.z, q.w))
            draw(index, pose, Fov(f.angle_left, f.angle_right, f.angle_up, f.angle_down), eye.textures[image])
            xr.release_swapchain_image(eye.swapchain, xr.SwapchainImageReleaseInfo())
            area = xr.Rect2Di(xr.Offset2Di(0, 0), xr.Extent2Di(self.width, self.height))
            shown[index] = xr.CompositionLayerProjectionView(
                pose=view.pose, fov=view.fov, sub_image=xr.SwapchainSubImage(eye.swapchain, area, 0)
            )
        return xr.CompositionLayerProjection(space=self._space, views=shown)

    def close(self) -> None:
        """Take everything apart, in this order; a runtime that is gone already is no error."""
        steps: list[Callable[[], object]] = []
        if self._session is not None:
            steps.append(lambda: xr.destroy_session(self._session))
        steps.append(lambda: xr.destroy_instance(self._instance))
        for step in steps:
            try:
                step()
            except xr.exception.XrException:
                continue
        self._egl.close()
