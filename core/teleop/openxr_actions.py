"""The controllers of an OpenXR session: actions, bindings, input, vibration. Runs in the input process only."""

# pyopenxr's wrappers take and give ctypes that its annotations do not describe
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false

import ctypes
from collections.abc import Callable
from typing import Any

import xr

from core.teleop.openxr_bindings import ACTIONS, HANDS, PROFILES, Kind
from core.teleop.openxr_poses import located
from core.teleop.xr_sample import Button, Flag, XrHand

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


class Controllers:
    """Both of them."""

    def __init__(self, instance: Any, session: Any, extensions: list[str]) -> None:
        """Tell the runtime the bindings and attach the actions: once a session."""
        self._instance = instance
        self._session = session
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
            if profile.extension and profile.extension not in extensions:
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

    def sync(self) -> bool:
        """Take the newest input; False while it does not come to us."""
        active = xr.ActiveActionSet(action_set=self._set, subaction_path=xr.NULL_PATH)
        try:
            xr.sync_actions(self._session, xr.ActionsSyncInfo(active_action_sets=[active]))
        except xr.SessionNotFocused:
            return False
        return True

    def hand(self, side: int, floor: Any, moment: xr.Time) -> XrHand:
        """One controller: its pose at a moment, its buttons and axes now."""
        if not self._state_of(xr.get_action_state_pose, "grip", side).is_active:
            return XrHand(buttons=self._buttons(side))
        grip, flags, (linear, angular) = located(self._spaces["grip", side], floor, moment)
        aim, _, _ = located(self._spaces["aim", side], floor, moment)
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
