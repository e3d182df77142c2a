"""The keyboard as an operator's device: which keys are down becomes a sample (no Qt, no torch)."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from core.teleop.samples import HandSample, OperatorSample, Vector3

Group = Literal["walk", "hands", "rotate", "grippers", "select", "session"]
Selected = Literal["left", "right", "both"]


@dataclass(frozen=True)
class Binding:
    """One key and what it does, also for the list of shortcuts."""

    key: str
    "lower-case character, or: up down left right page_up page_down home end space escape return delete shift f12"
    group: Group
    text: str


BINDINGS: tuple[Binding, ...] = (
    Binding("w", "walk", "walk forward"),
    Binding("s", "walk", "walk backward"),
    Binding("a", "walk", "step to the left"),
    Binding("d", "walk", "step to the right"),
    Binding("q", "walk", "turn left"),
    Binding("e", "walk", "turn right"),
    Binding("1", "select", "move the left hand"),
    Binding("2", "select", "move the right hand"),
    Binding("3", "select", "move both hands"),
    Binding("up", "hands", "selected hands forward"),
    Binding("down", "hands", "selected hands backward"),
    Binding("left", "hands", "selected hands to the left"),
    Binding("right", "hands", "selected hands to the right"),
    Binding("page_up", "hands", "selected hands up"),
    Binding("page_down", "hands", "selected hands down"),
    Binding("home", "hands", "both hands together (squeeze)"),
    Binding("end", "hands", "both hands apart"),
    Binding("u", "rotate", "turn the palms up"),
    Binding("o", "rotate", "turn the palms down"),
    Binding("i", "rotate", "fingers up"),
    Binding("k", "rotate", "fingers down"),
    Binding("j", "rotate", "fingers outwards"),
    Binding("l", "rotate", "fingers inwards"),
    Binding("g", "grippers", "close the selected grippers"),
    Binding("h", "grippers", "open the selected grippers"),
    Binding("shift", "hands", "hold for slow, precise motion of everything"),
    Binding("space", "session", "soft stop: stand still, hands held"),
    Binding("escape", "session", "soft stop too"),
    Binding("f12", "session", "hard stop: all joints damped"),
    Binding("r", "session", "start recording"),
    Binding("return", "session", "keep the recording"),
    Binding("delete", "session", "discard the recording"),
    Binding("z", "session", "undo: remove the episode kept last"),
)
"""Every key. Those of the group 'session' are carried out by whoever owns the session, the others by the mapper."""

MOTION_KEYS = frozenset(b.key for b in BINDINGS if b.group not in ("session",))
_SELECTORS: dict[str, Selected] = {"1": "left", "2": "right", "3": "both"}


class KeyboardDevice:
    """Turns the set of keys that are down into samples."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._told: tuple[frozenset[str], float] = (frozenset(), now())  # one attribute: set and read by two threads
        self.selected: Selected = "both"

    def set_down(self, keys: Iterable[str]) -> None:
        """Every key that is down now. Raises ValueError for a key that is not in BINDINGS."""
        down = frozenset(keys)
        unknown = sorted(down - {b.key for b in BINDINGS})
        if unknown:
            raise ValueError(f"key {unknown[0]!r} does nothing; known: {', '.join(b.key for b in BINDINGS)}")
        for key in down - self._told[0]:
            self.selected = _SELECTORS.get(key, self.selected)
        self._told = (down, self._now())

    def release_all(self) -> None:
        """As if every key were let go (the window lost the focus, a new episode begins)."""
        self.set_down(())

    def new_episode(self) -> None:
        """Keys that are held go on: the operator sees the new episode and can let go."""

    def heard_s(self) -> float:
        """The last word from the keyboard while motion is asked for, else now."""
        down, told_s = self._told
        return told_s if down & MOTION_KEYS else self._now()

    def sample(self) -> OperatorSample:
        """What the keys ask for. Its time is that of the last word from the keyboard while motion is asked for."""
        down, _ = self._told
        return OperatorSample(
            time_s=self.heard_s(),
            base=(_axis(down, "w", "s"), _axis(down, "a", "d"), _axis(down, "q", "e")),
            left=_hand(down, "left", self.selected),
            right=_hand(down, "right", self.selected),
            precise="shift" in down,
        )


def _axis(down: frozenset[str], positive: str, negative: str) -> float:
    return float(positive in down) - float(negative in down)


def _hand(down: frozenset[str], side: Literal["left", "right"], selected: Selected) -> HandSample:
    outwards = 1.0 if side == "left" else -1.0
    spread = outwards * _axis(down, "end", "home")
    if selected not in (side, "both"):
        return HandSample(linear=(0.0, spread, 0.0))
    linear: Vector3 = (
        _axis(down, "up", "down"),
        max(-1.0, min(1.0, _axis(down, "left", "right") + spread)),
        _axis(down, "page_up", "page_down"),
    )
    # about forward (negative turns the left palm up), about left (positive points the fingers down), about up
    angular: Vector3 = (-outwards * _axis(down, "u", "o"), _axis(down, "k", "i"), outwards * _axis(down, "j", "l"))
    return HandSample(linear, angular, _axis(down, "g", "h"))


assert {b.group for b in BINDINGS} == set(get_args(Group))
assert len({b.key for b in BINDINGS}) == len(BINDINGS)
