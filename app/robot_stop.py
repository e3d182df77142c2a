"""A stop of the real robot as the window sees it: sent a second way, and timed by the window's own clock.

The session worker passes a stop on at once, but it may be what hangs. So the window also tells the hardware agent
directly, and says NOT CONFIRMED by itself when nobody confirms in time.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from core.robot.client import AgentClient, AgentError, AgentGoneError, SessionFile, running_sessions
from core.robot.status import Confirmation, RobotStatus, confirmation_of

CONFIRM_S = 0.5
"""A hard stop that nobody confirmed by then is shown as NOT CONFIRMED."""
ASK_PERIOD_S = 0.002
GIVE_UP_S = 5.0

Level = Literal["soft", "hard"]


@dataclass(frozen=True)
class StopShown:
    """What the bar of the stops says about the robot."""

    confirmation: Confirmation = ""
    ms: float = float("nan")
    "from the press to the robot's own word"

    @property
    def words(self) -> str:
        """One line, '' where there is nothing to say."""
        match self.confirmation:
            case "confirmed":
                return f"robot confirmed after {self.ms:.1f} ms"
            case "NOT CONFIRMED":
                return "NOT CONFIRMED: use the remote"
            case "waiting":
                return "waiting for the robot"
        return ""


class RobotStopWatch:
    """Follows one hard stop from the press to the robot's word. Everything but the second way is on one thread."""

    def __init__(
        self,
        now: Callable[[], float] = time.monotonic,
        sessions: Callable[[], list[SessionFile]] = running_sessions,
    ) -> None:
        self._now = now
        self._sessions = sessions
        self._agent_pid = 0
        self._pressed_s: float | None = None
        self._confirmed_ms: float | None = None
        self._clearing = False
        self._status: RobotStatus | None = None
        self._threads: list[threading.Thread] = []
        self._closing = threading.Event()

    def heard(self, status: RobotStatus | None) -> None:
        """What telemetry says of the robot; None where there is none."""
        self._status = status
        if status is None:
            return
        self._agent_pid = status.agent_pid
        if self._clearing and status.stop == "none":
            self._pressed_s = self._confirmed_ms = None
            self._clearing = False
        if status.confirmation == "confirmed" and self._pressed_s is not None:
            self._confirmed_ms = status.stop_ms

    def pressed(self, level: Level) -> None:
        """A person stops the robot now: the agent is told past the session worker."""
        if not self._agent_pid:
            return
        pressed_s = self._now()
        if level == "hard":
            self._pressed_s, self._confirmed_ms, self._clearing = pressed_s, None, False
        thread = threading.Thread(target=self._tell_agent, args=(level, pressed_s), name="robot-stop", daemon=True)
        self._threads = [running for running in self._threads if running.is_alive()] + [thread]
        thread.start()

    def clear_asked(self) -> None:
        """A person released the stop: what is shown goes when the agent says that it let go."""
        self._clearing = True

    def shown(self) -> StopShown:
        """What to show now."""
        if self._confirmed_ms is not None:
            return StopShown("confirmed", self._confirmed_ms)
        if self._pressed_s is not None:
            late = self._now() - self._pressed_s > CONFIRM_S
            return StopShown("NOT CONFIRMED" if late else "waiting")
        if self._status is None:
            return StopShown()
        return StopShown(self._status.confirmation, self._status.stop_ms)  # somebody else stopped it

    def close(self) -> None:
        """End the threads, as far as they can be: one that an agent does not answer ends with the program."""
        self._closing.set()
        for thread in self._threads:
            thread.join(0.5)

    def _tell_agent(self, level: Level, pressed_s: float) -> None:
        found = [session for session in self._sessions() if session.pid == self._agent_pid]
        for session in found:
            try:
                client = session.connect()
                client.stop(level, "window", pressed_s)
                if level == "hard":
                    self._await_confirmation(client, pressed_s)
                client.close()
            except (AgentGoneError, AgentError):
                return  # not confirmed, as is shown; the dead-man has its own connection

    def _await_confirmation(self, client: AgentClient, pressed_s: float) -> None:
        while not self._closing.wait(ASK_PERIOD_S) and self._now() - pressed_s < GIVE_UP_S:
            confirmation, ms = confirmation_of(client.ask("state", sensors=False))
            if confirmation == "confirmed" and self._pressed_s == pressed_s:
                self._confirmed_ms = ms
            if confirmation in ("confirmed", ""):
                return
