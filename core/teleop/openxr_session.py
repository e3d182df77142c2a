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

from core.teleop.openxr_bindings import ACTIONS, HANDS, PROFILES, Kind
from core.teleop.openxr_gl import GlFrames
from core.teleop.poses import ORIGIN, Pose, from_openxr
from core.teleop.samples import ZERO, Vector3
from core.teleop.xr_sample import NOTHING, Button, Flag, XrHand, XrSample

HEADLESS = "XR_MND_headless"
CLOCK = "XR_KHR_convert_timespec_time"
GL = ("XR_KHR_opengl_enable", "XR_MNDX_egl_enable")
ACTION_TYPES: dict[Kind, xr.ActionType] = {
    "pose": xr.ActionType.POSE_INPUT,
    "float": xr.ActionType.FLOAT_INPUT,
    "boolean": xr.ActionType.BOOLEAN_INPUT,
    "vector": xr.ActionType.VECTOR2F_INPUT,
    "vibration": xr.ActionType.VIBRATION_OUTPUT,
}
BUTTONS = {
    "primary": Button.PRIMARY,
    "secondary": Button.SECONDARY,
    "menu": Button.MENU,
    "stick_click": Button.STICK,
    "trigger_click": Button.TRIGGER,
}
VALID = xr.SpaceLocationFlags.POSITION_VALID_BIT | xr.SpaceLocationFlags.ORIENTATION_VALID_BIT
TRACKED = xr.SpaceLocationFlags.POSITION_TRACKED_BIT | xr.SpaceLocationFlags.ORIENTATION_TRACKED_BIT
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
        offered = {p.extension_name.decode() for p in xr.enumerate_instance_extension_properties()}
        if CLOCK not in offered:
            raise MissingExtensionError(f"the runtime lacks {CLOCK}: the time of a pose cannot be told")
        headless = want_headless and HEADLESS in offered
        wanted = {CLOCK, *(p.extension for p in PROFILES)} | ({HEADLESS} if headless else set(GL))
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
        self.facts = RuntimeFacts(name, headset, headless)
        binding = None
        if not headless:
            self._frames = GlFrames(self._instance, system, self.extensions)
            binding = self._frames.binding
        self._session = xr.create_session(self._instance, xr.SessionCreateInfo(system_id=system, next=binding))
        self._floor = self._reference_space()
        self._view = xr.create_reference_space(
            self._session, xr.ReferenceSpaceCreateInfo(xr.ReferenceSpaceType.VIEW, xr.Posef())
        )
        self._attach_actions()

    def _reference_space(self) -> Any:
        """The floor where the runtime knows it; the frame only has to stand still."""
        offered = [xr.ReferenceSpaceType(kind) for kind in xr.enumerate_reference_spaces(self._session)]
        stage = xr.ReferenceSpaceType.STAGE
        kind = stage if stage in offered else xr.ReferenceSpaceType.LOCAL
        return xr.create_reference_space(self._session, xr.ReferenceSpaceCreateInfo(kind, xr.Posef()))

    def _attach_actions(self) -> None:
        path = lambda text: xr.string_to_path(self._instance, text)  # noqa: E731
        self._hands = [path(f"/user/hand/{side}") for side in HANDS]
        self._set = xr.create_action_set(
            self._instance, xr.ActionSetCreateInfo(action_set_name="teleop", localized_action_set_name="Teleoperation")
        )
        self._actions = {
            spec.name: xr.create_action(
                self._set,
                xr.ActionCreateInfo(
                    action_name=spec.name,
                    action_type=ACTION_TYPES[spec.kind],
                    subaction_paths=self._hands,
                    localized_action_name=spec.text,
                ),
            )
            for spec in ACTIONS
        }
        for profile in PROFILES:
            if profile.extension and profile.extension not in self.extensions:
                continue
            bindings = [xr.ActionSuggestedBinding(self._actions[a], path(where)) for a, where in profile.bindings()]
            xr.suggest_interaction_profile_bindings(
                self._instance,
                xr.InteractionProfileSuggestedBinding(
                    interaction_profile=path(profile.path), suggested_bindings=bindings
                ),
            )
        self._spaces = {
            (name, side): xr.create_action_space(
                self._session, xr.ActionSpaceCreateInfo(self._actions[name], self._hands[side], xr.Posef())
            )
            for name in ("grip", "aim")
            for side in (0, 1)
        }
        xr.attach_session_action_sets(self._session, xr.SessionActionSetsAttachInfo(action_sets=[self._set]))

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
        if not self._sync():
            return XrSample(self._sequence, time_s, recentres=self._recentres)
        moment = self._moment(time_s + lookahead_s)
        head, flags, _ = self._locate(self._view, moment)
        return XrSample(
            self._sequence, time_s, True, self._recentres, flags, head, self._hand(0, moment), self._hand(1, moment)
        )

    def _sync(self) -> bool:
        active = xr.ActiveActionSet(action_set=self._set, subaction_path=xr.NULL_PATH)
        try:
            xr.sync_actions(self._session, xr.ActionsSyncInfo(active_action_sets=[active]))
        except xr.SessionNotFocused:
            return False
        return True

    def _moment(self, time_s: float) -> xr.Time:
        seconds = int(time_s)
        return xr.convert_timespec_time_to_time_khr(self._instance, xr.timespec(seconds, int((time_s - seconds) * 1e9)))

    def _locate(self, space: Any, moment: xr.Time) -> tuple[Pose, Flag, tuple[Vector3, Vector3]]:
        location, velocity = xr.locate_space_with_velocity(space, self._floor, moment)
        flags = NOTHING
        if location.location_flags & VALID == VALID:
            flags |= Flag.VALID
        if location.location_flags & TRACKED == TRACKED:
            flags |= Flag.TRACKED
        if Flag.VALID not in flags:
            return ORIGIN, flags, (ZERO, ZERO)
        p, q = location.pose.position, location.pose.orientation
        v, w = velocity.linear_velocity, velocity.angular_velocity
        return from_openxr((p.x, p.y, p.z), (q.x, q.y, q.z, q.w)), flags, ((-v.z, -v.x, v.y), (-w.z, -w.x, w.y))

    def _hand(self, side: int, moment: xr.Time) -> XrHand:
        if not self._state_of(xr.get_action_state_pose, "grip", side).is_active:
            return XrHand(buttons=self._buttons(side))
        grip, flags, (linear, angular) = self._locate(self._spaces["grip", side], moment)
        aim, _, _ = self._locate(self._spaces["aim", side], moment)
        stick = self._state_of(xr.get_action_state_vector2f, "stick", side).current_state
        return XrHand(
            flags=flags | Flag.ACTIVE,
            buttons=self._buttons(side),
            grip=grip,
            aim=aim,
            linear_m_s=linear,
            angular_rad_s=angular,
            trigger=self._state_of(xr.get_action_state_float, "trigger", side).current_state,
            squeeze=self._state_of(xr.get_action_state_float, "squeeze", side).current_state,
            stick=(stick.x, stick.y),
        )

    def _buttons(self, side: int) -> Button:
        down = Button(0)
        for name, button in BUTTONS.items():
            if self._state_of(xr.get_action_state_boolean, name, side).current_state:
                down |= button
        return down

    def _state_of(self, get: Callable[..., Any], name: str, side: int) -> Any:
        return get(self._session, xr.ActionStateGetInfo(self._actions[name], self._hands[side]))

    def profiles(self) -> tuple[str, str]:
        """What each hand holds, in words; '' for nothing."""
        names = {profile.path: profile.name for profile in PROFILES}
        held = []
        for hand in self._hands:
            path = xr.get_current_interaction_profile(self._session, hand).interaction_profile
            text = xr.path_to_string(self._instance, path) if path != xr.NULL_PATH else ""
            text = text.decode() if isinstance(text, bytes) else str(text)
            held.append(names.get(text, text))
        return held[0], held[1]

    def vibrate(self, side: int, amplitude: float, seconds: float) -> None:
        """One pulse; a runtime that is not focused ignores it."""
        pulse = xr.HapticVibration(duration=int(seconds * 1e9), frequency=0.0, amplitude=amplitude)
        info = xr.HapticActionInfo(self._actions["haptic"], self._hands[side])
        try:
            xr.apply_haptic_feedback(
                self._session, info, ctypes.cast(ctypes.byref(pulse), ctypes.POINTER(xr.HapticBaseHeader)).contents
            )
        except xr.SessionNotFocused:
            return

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
        if self._session is not None:
            session, self._session = self._session, None
            xr.destroy_session(session)
