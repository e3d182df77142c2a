"""The keyboard of a terminal as an operator's device: a terminal tells presses and repeats, never releases.

So a key counts as down for a while after each of its characters: long enough after the first to bridge the pause before
the keyboard repeats, shorter after a repeat. Who lets go is still by the end of that while.
"""

import os
import select
import sys
import termios
import threading
import time
import tty
from collections.abc import Callable
from typing import Literal

from core.teleop.keyboard import MOTION_KEYS

FIRST_S = 0.6
"""How long a key is down after its first character (keyboards begin to repeat after 0.25 to 0.5 s)."""
REPEAT_S = 0.15
"""How long after a repeated one (they come at 25 to 30 Hz)."""
TELL_PERIOD_S = 0.05
ESCAPE_WAIT_S = 0.03
"""A lone Esc is told from the begin of a sequence by what follows within this time."""

Deed = Literal["soft_stop", "hard_stop", "clear_stop", "record", "keep", "discard", "undo"]
SEQUENCES = {
    b"[A": "up", b"[B": "down", b"[C": "right", b"[D": "left", b"[5~": "page_up", b"[6~": "page_down", b"[H": "home",
    b"OH": "home", b"[1~": "home", b"[F": "end", b"OF": "end", b"[4~": "end", b"[3~": "delete", b"[24~": "f12",
}  # fmt: skip
"""What follows Esc in the sequences of xterm and its relatives."""
DEEDS: dict[str, Deed] = {
    "escape": "soft_stop", "space": "soft_stop", "f12": "hard_stop", "X": "hard_stop", "c": "clear_stop",
    "r": "record", "return": "keep", "delete": "discard", "z": "undo",
}  # fmt: skip
HELP = (
    "w s a d q e walk and turn, arrows and page keys move the hands, g h grippers (all: docs/session.md); "
    "space: soft stop, X or F12: hard stop, c: clear the stop, Ctrl-C: end"
)


class HeldKeys:
    """Which motion keys are down, from characters and their times."""

    def __init__(self) -> None:
        self._until_s: dict[str, float] = {}

    def typed(self, key: str, time_s: float) -> None:
        """A character of a motion key came."""
        repeated = self._until_s.get(key, float("-inf")) > time_s
        self._until_s[key] = time_s + (REPEAT_S if repeated else FIRST_S)

    def release(self) -> None:
        """None is down."""
        self._until_s.clear()

    def down(self, time_s: float) -> tuple[str, ...]:
        """Those that are down."""
        self._until_s = {key: until_s for key, until_s in self._until_s.items() if until_s > time_s}
        return tuple(sorted(self._until_s))


def keys_of(data: bytes) -> tuple[list[str], bytes]:
    """Names of the keys in what a terminal sent, and the begin of a sequence that is not complete yet."""
    keys: list[str] = []
    while data:
        if data[:1] != b"\x1b":
            keys += _characters(data[:1])
            data = data[1:]
            continue
        sequence = next((s for s in sorted(SEQUENCES, key=len, reverse=True) if data[1:].startswith(s)), None)
        if sequence is not None:
            keys.append(SEQUENCES[sequence])
            data = data[1 + len(sequence) :]
        elif any(s.startswith(data[1:]) for s in SEQUENCES):
            return keys, data
        else:
            keys.append("escape")
            data = data[1:]
    return keys, b""


def _characters(byte: bytes) -> list[str]:
    """A plain character; a capital is the letter with shift, which makes motion slow and precise."""
    if byte in (b"\r", b"\n"):
        return ["return"]
    if byte == b" ":
        return ["space"]
    if byte == b"\x7f":
        return ["delete"]
    text = byte.decode("ascii", errors="ignore")
    if text in DEEDS:
        return [text]
    if text.isalpha() and text.isupper():
        return ["shift", text.lower()]
    return [text] if text in MOTION_KEYS else []


class TerminalKeyboard:
    """Reads a terminal on a thread. Use as a context: leaving it gives the terminal its old mode back."""

    def __init__(
        self,
        tell: Callable[[tuple[str, ...]], None],
        do: Callable[[Deed], None],
        file: int | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """tell: every motion key that is down, at 20 Hz; do: everything else. Raises ValueError without a terminal."""
        self._file = sys.stdin.fileno() if file is None else file
        if not os.isatty(self._file):
            raise ValueError("the source keyboard needs a terminal on the standard input; or use the window")
        self._tell, self._do, self._now = tell, do, now
        self._keys = HeldKeys()
        self._closing = threading.Event()
        self._before = termios.tcgetattr(self._file)
        self._thread = threading.Thread(target=self._run, name="terminal-keyboard", daemon=True)

    def __enter__(self) -> "TerminalKeyboard":
        tty.setcbreak(self._file)  # characters at once and unseen; Ctrl-C still interrupts
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._thread.join(1.0)
        termios.tcsetattr(self._file, termios.TCSADRAIN, self._before)

    def _run(self) -> None:
        rest, told = b"", ()
        while not self._closing.is_set():
            readable, _, _ = select.select([self._file], [], [], ESCAPE_WAIT_S if rest else TELL_PERIOD_S)
            data = os.read(self._file, 256) if readable else b""
            keys, rest = keys_of(rest + data) if data else (["escape"] if rest else [], b"")
            for key in keys:
                self._press(key)
            down = self._keys.down(self._now())
            if down or down != told:
                self._tell(down)
            told = down

    def _press(self, key: str) -> None:
        if key in DEEDS:
            self._keys.release()
            self._do(DEEDS[key])
        else:
            self._keys.typed(key, self._now())
