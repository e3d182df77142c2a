"""Buttons of a controller to actions: a short press, a long press, two buttons together (pure code)."""

from dataclasses import dataclass
from typing import Literal

from core.teleop.xr_sample import Button, XrHand

Side = Literal["left", "right"]
Action = Literal[
    "record", "discard", "again", "home", "calibrate", "next", "undo", "start_or_pause", "clear_soft_stop",
    "soft_stop", "hard_stop",
]  # fmt: skip
LONG_PRESS_S = 0.7
HARD_STOP_AFTER_S = 0.8
"""Both sticks held down for this long make a hard stop of the soft one."""


@dataclass(frozen=True)
class ButtonUse:
    """What one button does, also for the page that explains it."""

    side: Side
    button: Button
    name: str
    "as it is printed on the controllers"
    short: Action
    short_text: str
    long: Action | None = None
    long_text: str = ""


BUTTONS: tuple[ButtonUse, ...] = (
    ButtonUse("right", Button.PRIMARY, "A", "record", "start recording; again: keep what was recorded"),
    ButtonUse("right", Button.SECONDARY, "B", "discard", "discard the recording", "again", "record the episode again"),
    ButtonUse(
        "left", Button.PRIMARY, "X", "home", "hands back to where the episode began", "calibrate",
        "measure your reach (arms straight forward)",
    ),
    ButtonUse("left", Button.SECONDARY, "Y", "next", "next episode", "undo", "remove the episode kept last"),
    ButtonUse(
        "left", Button.MENU, "menu", "start_or_pause", "start, pause or go on", "clear_soft_stop", "clear a soft stop"
    ),
)  # fmt: skip
"""Every button. Both sticks pressed: soft stop; held: hard stop. On a simple controller the two menu buttons."""


class Presses:
    """Watches the buttons of both controllers; a button counts from a press that it saw begin."""

    def __init__(self) -> None:
        self._since: dict[tuple[Side, Button], float | None] = {}
        self._stop_since: float | None = None
        self._hard_told = False

    def feed(self, left: XrHand, right: XrHand, time_s: float, focused: bool) -> list[Action]:
        """The actions that this sample completes. Without the focus nothing is pressed and nothing completes."""
        if not focused:
            self.forget()
            self._stop_since, self._hard_told = None, False
            return []
        done = self._stops(left.buttons, right.buttons, time_s)
        for use in BUTTONS:
            action = self._press(use, use.button in (left if use.side == "left" else right).buttons, time_s)
            if action is not None and self._stop_since is None:
                done.append(action)
        return done

    def forget(self) -> None:
        """Nothing was seen for a while: what is down may have been let go of and pressed anew. Stops go on."""
        self._since = {(use.side, use.button): None for use in BUTTONS}

    def _stops(self, left: Button, right: Button, time_s: float) -> list[Action]:
        both = left & right
        if not both & (Button.STICK | Button.MENU):
            self._stop_since, self._hard_told = None, False
            return []
        self.forget()  # part of the stop, no press of their own
        if self._stop_since is None:
            self._stop_since = time_s
            return ["soft_stop"]
        if not self._hard_told and time_s - self._stop_since >= HARD_STOP_AFTER_S:
            self._hard_told = True
            return ["hard_stop"]
        return []

    def _press(self, use: ButtonUse, down: bool, time_s: float) -> Action | None:
        """None in `_since`: down already when first seen, or done; missing: up."""
        key = use.side, use.button
        if not down:
            since = self._since.pop(key, None)
            return use.short if since is not None else None
        since = self._since.setdefault(key, time_s if self._stop_since is None else None)
        if since is None or use.long is None or time_s - since < LONG_PRESS_S:
            return None
        self._since[key] = None
        return use.long
