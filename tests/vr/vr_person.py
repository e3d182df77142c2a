"""A person with a headset, as a script: the plan of the person at the keyboard, done by hands, sticks and buttons."""

import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from monado import Controller, RemoteOperator

from core.teleop.poses import Pose, mul
from core.teleop.samples import Quaternion
from core.teleop.xr_sample import NO_BUTTON, Button
from trainer.session.messages import Telemetry

sys.path.insert(0, str(Path(__file__).parents[1] / "end_to_end"))

from keyboard_operator import KeyboardOperator

HAND_M_S = 0.15
HAND_RAD_S = 0.8
PRECISE = 0.3
WIGGLE_M = 2e-5
"""A person never holds still to the last bit."""


class VrPerson:
    """Looks at what the window shows and moves head and hands in Monado."""

    def __init__(self, remote: RemoteOperator) -> None:
        self.remote = remote
        self.plan = KeyboardOperator()
        self.drops = 0
        self._last_s: float | None = None
        self._wiggle = 1.0
        self._engaged = False

    def act(self, t: Telemetry) -> None:
        """One look, one packet."""
        assert t.vr is not None
        dt = 0.0 if self._last_s is None else max(0.0, t.time_s - self._last_s)
        self._last_s = t.time_s
        following = t.vr.hands == ("engaged", "engaged")
        self.drops += self._engaged and not following
        self._engaged = following
        keys = set(self.plan.press(t)) if following else set()
        factor = PRECISE if "shift" in keys else 1.0
        self._wiggle = -self._wiggle
        self.remote.left = self._hand(self.remote.left, keys, factor * dt, 1.0)
        self.remote.right = self._hand(self.remote.right, keys, factor * dt, -1.0)
        self._sticks(keys, factor if t.vr.walking else 0.0)
        self._grips(t.vr.hands)
        self.remote.send()

    def _hand(self, one: Controller, keys: set[str], dt: float, outwards: float) -> Controller:
        spread = outwards * _axis(keys, "end", "home")
        step = HAND_M_S * dt
        x, y, z = one.pose.pos
        pos = (
            x + step * _axis(keys, "up", "down") + WIGGLE_M * self._wiggle,
            y + step * max(-1.0, min(1.0, _axis(keys, "left", "right") + spread)),
            z + step * _axis(keys, "page_up", "page_down"),
        )
        turn = (-outwards * _axis(keys, "u", "o"), _axis(keys, "k", "i"), outwards * _axis(keys, "j", "l"))
        return replace(one, pose=Pose(pos, _turned(one.pose.quat, turn, HAND_RAD_S * dt)))

    def _sticks(self, keys: set[str], factor: float) -> None:
        """The dead zone is jumped over: 0.1 + 0.9 x gives x."""
        left = (-_axis(keys, "a", "d"), _axis(keys, "w", "s"))
        turn = -_axis(keys, "q", "e")
        tilt = lambda v: math.copysign(0.1 + 0.9 * factor * abs(v), v) if v and factor else 0.0  # noqa: E731
        self.remote.left = replace(self.remote.left, stick=(tilt(left[0]), tilt(left[1])))
        self.remote.right = replace(self.remote.right, stick=(tilt(turn), 0.0))

    def _grips(self, hands: tuple[str, str]) -> None:
        """Squeeze; let go first where the clutch wants to see that."""
        self.remote.left = replace(self.remote.left, squeeze=0.0 if hands[0] == "release" else 1.0)
        self.remote.right = replace(self.remote.right, squeeze=0.0 if hands[1] == "release" else 1.0)

    def press(self, side: str, button: Button) -> None:
        """Button down."""
        setattr(self.remote, side, replace(getattr(self.remote, side), buttons=button))
        self.remote.send()

    def let_go(self) -> None:
        """Every button up."""
        self.remote.both(buttons=NO_BUTTON)


def _axis(keys: set[str], positive: str, negative: str) -> float:
    return float(positive in keys) - float(negative in keys)


def _turned(quat: Quaternion, axis: tuple[float, float, float], angle: float) -> Quaternion:
    size = math.sqrt(sum(a * a for a in axis))
    if size * angle < 1e-9:
        return quat
    half = 0.5 * angle * size
    s = math.sin(half) / size
    turned = np.array(mul((math.cos(half), s * axis[0], s * axis[1], s * axis[2]), quat))
    w, x, y, z = (turned / np.linalg.norm(turned)).tolist()
    return w, x, y, z
