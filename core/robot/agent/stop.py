"""The agent's hard stop: latched, asked for by call and by frames at once, repeated until the robot confirms."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from core.control.stop import StopLevel
from core.robot.agent.log import SafetyLog
from core.robot.view import Link
from core.robot.wire import Api, Mode

REPEAT_S = 0.05
NOT_CONFIRMED = "NOT CONFIRMED: use the remote"
SILENT = "nothing was sent, this session only watches: stop the robot with its remote"


@dataclass(frozen=True)
class StopRecord:
    """The course of one stop; times of the monotonic clock, 0 for what did not happen yet."""

    level: StopLevel = StopLevel.NONE
    reason: str = ""
    pressed_s: float = 0.0
    latched_s: float = 0.0
    asked_s: float = 0.0
    "the first call was handed to the network"
    framed_s: float = 0.0
    "the first damping frame was"
    confirmed_s: float = 0.0
    "the robot said that it is in damping"
    overdue: bool = False
    "not confirmed in time"
    by_person: bool = False
    "pressed by somebody, not found by a guard"
    from_mode: int = Mode.UNKNOWN
    "of the robot when it was latched"
    silent: bool = False
    "nothing was sent: the session is a shadow"

    @property
    def words(self) -> str:
        """One line for people."""
        if self.level == StopLevel.NONE:
            return ""
        name = "hard stop" if self.level == StopLevel.HARD else "soft stop"
        text = f"{name} ({self.reason})" if self.reason else name
        if self.silent:
            return f"{text}: {SILENT}"
        if self.level != StopLevel.HARD:
            return text
        if self.confirmed_s:
            return f"{text}: the robot confirmed after {1e3 * (self.confirmed_s - self.pressed_s):.1f} ms"
        return f"{text}: {NOT_CONFIRMED}" if self.overdue else f"{text}: waiting for the robot"


class AgentStop:
    """The latch and the thread that carries a hard stop out. `request` returns at once and may come from any thread."""

    def __init__(
        self,
        link: Link,
        log: SafetyLog,
        confirm_s: float,
        wake: Callable[[], None],
        now: Callable[[], float] = time.monotonic,
        silent: bool = False,
    ) -> None:
        """wake: makes the stream send its next frame now. silent: latch, but send nothing."""
        self.record = StopRecord()
        self.confirmed: Callable[[StopRecord], None] = lambda _: None
        "told once of every hard stop that the robot confirmed"
        self._silent = silent
        self._link, self._log, self._confirm_s, self._wake, self._now = link, log, confirm_s, wake, now
        self._lock = threading.Lock()
        self._hard = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hard-stop", daemon=True)
        self._thread.start()

    @property
    def level(self) -> StopLevel:
        """What is latched."""
        return self.record.level

    def request(self, level: StopLevel, reason: str, pressed_s: float | None = None, by_person: bool = False) -> None:
        """Stop at least this far; pressed_s: when a person pressed, for the measurement."""
        now_s = self._now()
        with self._lock:
            if level <= self.record.level:
                return
            self.record = StopRecord(
                level, reason, pressed_s or now_s, now_s, by_person=by_person, from_mode=self._link.view.mode,
                silent=self._silent,
            )  # fmt: skip
        if level == StopLevel.HARD and not self._silent:
            self._hard.set()
            self._wake()
        self._log.add("stop", level=level.name.lower(), reason=reason)

    def framed(self) -> None:
        """The stream sent a damping frame."""
        if self.record.framed_s == 0.0:
            self._note(framed_s=self._now())

    def clear(self) -> str:
        """Release the latch; why it cannot be, '' when it was."""
        with self._lock:
            record = self.record
            if record.level == StopLevel.HARD and not record.confirmed_s and not record.silent:
                return "the robot has not confirmed damping yet"
            self.record = StopRecord()
            self._hard.clear()
        self._log.add("stop_cleared")
        return ""

    def close(self) -> None:
        """End the thread."""
        self._closing.set()
        self._hard.set()
        self._thread.join(2.0)

    def _note(self, **changes: float | bool) -> None:
        with self._lock:
            self.record = replace(self.record, **changes)  # type: ignore[arg-type]  # fields of the record

    def _run(self) -> None:
        while not self._closing.is_set():
            self._hard.wait()
            if self._closing.is_set():
                return
            self._carry_out()

    def _carry_out(self) -> None:
        while self._hard.is_set() and not self._closing.is_set():
            record, view = self.record, self._link.view
            if not record.confirmed_s:
                self._link.fire(Api.CHANGE_MODE, {"mode": int(Mode.DAMPING)}, "stop")
                if not record.asked_s:
                    self._note(asked_s=self._now())
            self._await_confirmation(record, REPEAT_S)
            record = self.record
            if record.confirmed_s:
                self._log.add("stop_confirmed", ms=1e3 * (record.confirmed_s - record.pressed_s), mode=view.mode)
                self.confirmed(record)
                # cleared and asked for anew between two looks is another stop, which nobody confirmed yet
                while self._hard.is_set() and self.record.confirmed_s and not self._closing.wait(REPEAT_S):
                    pass
                continue
            if not record.overdue and self._now() - record.latched_s > self._confirm_s:
                self._note(overdue=True)
                self._log.add("stop_not_confirmed", remedy=NOT_CONFIRMED)

    def _await_confirmation(self, record: StopRecord, seconds: float) -> None:
        """Only a word of the robot that is newer than the stop counts."""
        deadline = self._now() + seconds
        while self._now() < deadline and not self._closing.is_set():
            view = self._link.view
            if view.mode == Mode.DAMPING and view.mode_s > record.latched_s:
                self._note(confirmed_s=view.mode_s)
                return
            self._closing.wait(0.001)
