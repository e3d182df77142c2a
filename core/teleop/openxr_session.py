"""A connection to an OpenXR runtime: instance, session, actions; samples out, vibration in. One a process.

Runs in the input process only (`core.teleop.openxr_process`): a vendor's runtime is loaded into this process and may
crash it.
"""

# pyopenxr's wrappers take and give ctypes that its annotations do not describe
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false

import ctypes
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import xr

from core.teleop.openxr_actions import Controllers
from core.teleop.openxr_bindings import PROFILES
from core.teleop.openxr_fingers import HAND_TRACKING, FingerTrackers
from core.teleop.openxr_gl import GlFrames
from core.teleop.openxr_poses import located
from core.teleop.xr_joints import XrJoints
from core.teleop.xr_sample import XrSample

HEADLESS = "XR_MND_headless"
CLOCK = "XR_KHR_convert_timespec_time"
GL = ("XR_KHR_opengl_enable", "XR_MNDX_egl_enable")
LEAVE_S = 0.5
ENDING = (xr.SessionState.LOSS_PENDING, xr.SessionState.EXITING)


class MissingExtensionError(RuntimeError):
    """The runtime cannot do what the input needs."""


@dataclass(frozen=True)
class RuntimeFacts:
    """What the runtime says about itself."""

    runtime: str
    headset: str
    headless: bool
    joints: bool
    "finger joints are offered"


class OpenXrSession:
    """Open it, then `poll` and `sample` at a fixed rate; any call may raise what `xr` raises for a dead runtime."""

    def __init__(self, want_headless: bool = True, now: Callable[[], float] = time.monotonic) -> None:
        """Raises xr.RuntimeUnavailableError, xr.RuntimeFailureError, xr.FormFactorUnavailableError as it finds it."""
        self._now = now
        self._state = xr.SessionState.UNKNOWN
        self._running = False
        self._recentres = 0
        self._sequence = 0
        self._frames: GlFrames | None = None
        self._session: Any = None
        self._fingers: FingerTrackers | None = None
        offered = {p.extension_name.decode() for p in xr.enumerate_instance_extension_properties()}
        if CLOCK not in offered:
            raise MissingExtensionError(f"the runtime lacks {CLOCK}: the time of a pose cannot be told")
        headless = want_headless and HEADLESS in offered
        wanted = {CLOCK, HAND_TRACKING, *(p.extension for p in PROFILES)} | ({HEADLESS} if headless else set(GL))
        self.extensions = sorted(wanted & offered)
        self._instance = xr.create_instance(
            xr.InstanceCreateInfo(
                application_info=xr.ApplicationInfo("REFINE-DP Studio", 1, "", 0, xr.Version(1, 0, 0)),
                enabled_extension_names=self.extensions,
            )
        )
        try:
            self._open(headless)
        except BaseException:
            self.close()
            raise

    def _open(self, headless: bool) -> None:
        properties = xr.get_instance_properties(self._instance)
        system = xr.get_system(self._instance, xr.SystemGetInfo(xr.FormFactor.HEAD_MOUNTED_DISPLAY))
        headset = xr.get_system_properties(self._instance, system).system_name.decode(errors="replace")
        version = xr.Version(properties.runtime_version)
        name = f"{properties.runtime_name.decode(errors='replace')} {version.major}.{version.minor}.{version.patch}"
        binding = None
        if not headless:
            self._frames = GlFrames(self._instance, system, self.extensions)
            binding = self._frames.binding
        self._session = xr.create_session(self._instance, xr.SessionCreateInfo(system_id=system, next=binding))
        self._floor = self._reference_space()
        self._view = xr.create_reference_space(
            self._session, xr.ReferenceSpaceCreateInfo(xr.ReferenceSpaceType.VIEW, xr.Posef())
        )
        self._controllers = Controllers(self._instance, self._session, self.extensions)
        if HAND_TRACKING in self.extensions:
            self._fingers = FingerTrackers.open(self._session)
        self.facts = RuntimeFacts(name, headset, headless, self._fingers is not None)

    def _reference_space(self) -> Any:
        """The floor where the runtime knows it; the frame only has to stand still."""
        offered = [xr.ReferenceSpaceType(kind) for kind in xr.enumerate_reference_spaces(self._session)]
        stage = xr.ReferenceSpaceType.STAGE
        kind = stage if stage in offered else xr.ReferenceSpaceType.LOCAL
        return xr.create_reference_space(self._session, xr.ReferenceSpaceCreateInfo(kind, xr.Posef()))

    # ------------------------------------------------------------------ use

    @property
    def focused(self) -> bool:
        """Whether input comes to us."""
        return self._state == xr.SessionState.FOCUSED

    def poll(self) -> None:
        """Follow what the runtime decides about the session. Raises xr.SessionLostError when it wants us to end."""
        while True:
            try:
                event = xr.poll_event(self._instance)
            except xr.EventUnavailable:
                return
            if event.type == xr.StructureType.EVENT_DATA_SESSION_STATE_CHANGED:
                changed = ctypes.cast(ctypes.byref(event), ctypes.POINTER(xr.EventDataSessionStateChanged)).contents
                self._enter(xr.SessionState(changed.state))
            elif event.type == xr.StructureType.EVENT_DATA_REFERENCE_SPACE_CHANGE_PENDING:
                self._recentres += 1
            elif event.type == xr.StructureType.EVENT_DATA_INSTANCE_LOSS_PENDING:
                raise xr.InstanceLostError

    def _enter(self, state: xr.SessionState) -> None:
        self._state = state
        if state == xr.SessionState.READY:
            xr.begin_session(self._session, xr.SessionBeginInfo(xr.ViewConfigurationType.PRIMARY_STEREO))
            self._running = True
            if self._frames is not None:
                self._frames.start(self._session)
        elif state == xr.SessionState.STOPPING:
            self._end()
        elif state in ENDING:
            raise xr.SessionLostError

    def _end(self) -> None:
        if self._frames is not None:
            self._frames.stop()
        if self._running:
            self._running = False
            xr.end_session(self._session)

    def sample(self, lookahead_s: float = 0.0) -> XrSample:
        """Everything now, or predicted so far ahead (its time is then that of the prediction's start)."""
        self._sequence += 1
        time_s = self._now()
        if not (self._running and self.focused):
            return XrSample(self._sequence, time_s, recentres=self._recentres)
        if not self._controllers.sync():
            return XrSample(self._sequence, time_s, recentres=self._recentres)
        moment = self._moment(time_s + lookahead_s)
        head, flags, _ = located(self._view, self._floor, moment)
        left, right = (self._controllers.hand(side, self._floor, moment) for side in (0, 1))
        return XrSample(self._sequence, time_s, True, self._recentres, flags, head, left, right)

    def joints(self) -> XrJoints | None:
        """The fingers now; None where the runtime has none, does not give us its input, or sees no hand."""
        if self._fingers is None or not (self._running and self.focused):
            return None
        time_s = self._now()
        return self._fingers.locate(self._floor, self._moment(time_s), time_s)

    def profiles(self) -> tuple[str, str]:
        """What each hand holds, in words; '' for nothing."""
        return self._controllers.profiles()

    def vibrate(self, side: int, amplitude: float, seconds: float) -> None:
        """One pulse; a runtime that is not focused ignores it."""
        self._controllers.vibrate(side, amplitude, seconds)

    def _moment(self, time_s: float) -> xr.Time:
        seconds = int(time_s)
        return xr.convert_timespec_time_to_time_khr(self._instance, xr.timespec(seconds, int((time_s - seconds) * 1e9)))

    def close(self) -> None:
        """Leave as the runtime wants it, then take everything apart; one that is gone already is no error."""
        for step in (self._leave, self._destroy_session, lambda: xr.destroy_instance(self._instance)):
            try:
                step()
            except xr.exception.XrException:
                continue
        if self._frames is not None:
            self._frames.close()

    def _leave(self) -> None:
        """Ask for the end and follow the runtime through it; after half a second go anyway."""
        if not self._running:
            return
        xr.request_exit_session(self._session)
        until = self._now() + LEAVE_S
        while self._running and self._now() < until:
            self.poll()
            time.sleep(0.002)
        if self._frames is not None:
            self._frames.stop()

    def _destroy_session(self) -> None:
        fingers, self._fingers = self._fingers, None
        if fingers is not None:
            fingers.close()
        if self._session is not None:
            session, self._session = self._session, None
            xr.destroy_session(session)
