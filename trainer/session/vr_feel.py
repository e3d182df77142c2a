"""What the operator feels and reads: every event of a VR session as vibration and as one line of words (no torch)."""

import time
from collections.abc import Callable

from core.control.stop import StopLevel
from core.teleop.clutch import IN_WORDS
from core.teleop.presses import Side
from core.teleop.xr_link import Pulse
from core.teleop.xr_operator import Happened
from trainer.session.messages import EpisodeFinished, RecordingChanged, SessionError, StopChanged, WorkerEvent

BOTH: tuple[Side, Side] = ("left", "right")
LINE_S = 4.0
"""How long a line stays."""
LIMIT_PERIOD_S = 0.5
"""Between two ticks of a hand that is kept at a limit."""

Feeling = tuple[float, float, int]
"""Amplitude, seconds, count."""
ENGAGED: Feeling = (0.5, 0.04, 1)
DROPPED: Feeling = (0.8, 0.06, 2)
LIMIT: Feeling = (0.3, 0.02, 1)
STOPPED: Feeling = (1.0, 0.6, 1)
REFUSED: Feeling = (0.9, 0.04, 4)
DONE: Feeling = (0.5, 0.1, 2)
RECORDING: dict[str, Feeling] = {
    "started": (0.6, 0.15, 1),
    "kept": (0.6, 0.08, 3),
    "discarded": (0.4, 0.3, 1),
    "undone": (0.4, 0.3, 2),
}
"""One pulse: recording; three: kept; a long one: discarded; two long ones: the last kept is removed."""


class Feel:
    """Turns events into pulses and the head-up line. Called from several threads; each call is short."""

    def __init__(self, pulse: Callable[[Pulse], None], now: Callable[[], float] = time.monotonic) -> None:
        self._pulse = pulse
        self._now = now
        self._line = ("", float("-inf"))
        self._limit_told_s: dict[Side, float] = {"left": float("-inf"), "right": float("-inf")}

    @property
    def line(self) -> str:
        """What to show now, '' for nothing."""
        text, since_s = self._line
        return text if self._now() - since_s < LINE_S else ""

    def say(self, text: str, feeling: Feeling | None = None, sides: tuple[Side, ...] = BOTH) -> None:
        """Show a line and vibrate."""
        self._line = text, self._now()
        if feeling is not None:
            for side in sides:
                self._pulse(Pulse(side, *feeling))

    def happened(self, what: Happened) -> None:
        """Something about the operator."""
        sides = BOTH if what.side is None else (what.side,)
        match what.kind:
            case "engaged":
                self.say(f"{what.side} hand follows", ENGAGED, sides)
            case "released":
                self.say(f"{what.side} hand let go")
            case "dropped":
                why = IN_WORDS.get(what.why, what.why)
                self.say(f"{what.side} hand dropped: {why}; let go of the grip, then squeeze again", DROPPED, sides)
            case "calibrated":
                self.say(what.text, DONE)
            case "refused":
                self.say(what.text, REFUSED)
            case "action":
                pass  # said by what it does

    def limits(self, limited: tuple[bool, bool]) -> None:
        """Hands that cannot follow as far as asked."""
        for side, at_limit in zip(BOTH, limited):
            if at_limit and self._now() - self._limit_told_s[side] >= LIMIT_PERIOD_S:
                self._limit_told_s[side] = self._now()
                self._pulse(Pulse(side, *LIMIT))

    def stop_asked(self, level: StopLevel) -> None:
        """The operator pressed a stop: felt at once, before the loop has obeyed."""
        self.say("hard stop" if level == StopLevel.HARD else "soft stop", STOPPED)

    def heard(self, event: WorkerEvent) -> None:
        """What the session tells the window, as far as the operator wants to know."""
        match event:
            case RecordingChanged():
                words = {
                    "started": "recording",
                    "kept": f"kept: {event.episodes} episodes",
                    "discarded": "discarded",
                    "undone": f"last episode removed: {event.episodes} are left",
                }
                self.say(words[event.action], RECORDING[event.action])
            case SessionError():
                self.say(f"{event.what}; {event.remedy}" if event.remedy else event.what, REFUSED)
            case StopChanged(state="none"):
                self.say("stop cleared", DONE)
            case EpisodeFinished():
                self.say("success" if event.success else f"episode ended: {event.reason}", DONE)
            case _:
                pass
