"""Which control of which controller does what: the table that the runtime is told (facts of the OpenXR registry)."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["pose", "float", "boolean", "vector", "vibration"]
HANDS = ("left", "right")


@dataclass(frozen=True)
class ActionSpec:
    """One action, for both hands."""

    name: str
    kind: Kind
    text: str
    "what the runtime's own binding page calls it"


ACTIONS: tuple[ActionSpec, ...] = (
    ActionSpec("grip", "pose", "Hand"),
    ActionSpec("aim", "pose", "Pointing"),
    ActionSpec("squeeze", "float", "Robot hand follows"),
    ActionSpec("trigger", "float", "Close gripper"),
    ActionSpec("stick", "vector", "Walk and turn"),
    ActionSpec("primary", "boolean", "A, X: record, home"),
    ActionSpec("secondary", "boolean", "B, Y: discard, next"),
    ActionSpec("menu", "boolean", "Menu: start, pause"),
    ActionSpec("stick_click", "boolean", "Both: stop"),
    ActionSpec("trigger_click", "boolean", "Trigger pressed through"),
    ActionSpec("haptic", "vibration", "Vibration"),
)

_POSES = (("grip", "input/grip/pose"), ("aim", "input/aim/pose"), ("haptic", "output/haptic"))
_ANALOG = (
    ("squeeze", "input/squeeze/value"),
    ("trigger", "input/trigger/value"),
    ("stick", "input/thumbstick"),
    ("stick_click", "input/thumbstick/click"),
)


@dataclass(frozen=True)
class Profile:
    """An interaction profile with its bindings; both: of both hands, left and right: of one."""

    path: str
    name: str
    both: tuple[tuple[str, str], ...]
    left: tuple[tuple[str, str], ...] = ()
    right: tuple[tuple[str, str], ...] = ()
    extension: str = ""
    "the instance extension that it needs, '' for none"

    def bindings(self) -> list[tuple[str, str]]:
        """(action, full path) of every binding."""
        sides = {"left": self.left, "right": self.right}
        return [
            (action, f"/user/hand/{side}/{path}") for side, own in sides.items() for action, path in (*self.both, *own)
        ]


_X_Y = (("primary", "input/x/click"), ("secondary", "input/y/click"), ("menu", "input/menu/click"))
_A_B = (("primary", "input/a/click"), ("secondary", "input/b/click"))

PROFILES: tuple[Profile, ...] = (
    Profile("/interaction_profiles/oculus/touch_controller", "Oculus Touch", (*_POSES, *_ANALOG), _X_Y, _A_B),
    Profile(
        "/interaction_profiles/valve/index_controller",
        "Valve Index",
        (*_POSES, *_ANALOG, ("trigger_click", "input/trigger/click"), *_A_B),
        # no menu button that an application may have: the left touch pad, pressed
        left=(("menu", "input/trackpad/force"),),
    ),
    Profile(
        "/interaction_profiles/bytedance/pico4_controller", "Pico 4", (*_POSES, *_ANALOG), _X_Y, _A_B,
        extension="XR_BD_controller_interaction",
    ),
    Profile(
        "/interaction_profiles/khr/simple_controller",
        "simple controller",
        # two buttons only: select is the clutch; the right menu records, the left one starts, both together stop
        (*_POSES, ("squeeze", "input/select/click"), ("menu", "input/menu/click")),
        right=(("primary", "input/menu/click"),),
    ),
)  # fmt: skip
"""Never `input/system`: that button belongs to the runtime."""
