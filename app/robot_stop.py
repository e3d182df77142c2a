"""A stop of the real robot as the window sees it: sent a second way, and timed by the window's own clock.

The session worker passes a stop on at once, but it may be what hangs. So the window also tells the hardware agent
directly, and says NOT CONFIRMED by itself when nobody confirms in time.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

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
        self._client: AgentClient | None = None
        "a connection that waits for the next press: the press itself sends, on the window's thread"
        self._threads: list[threading.Thread] = []
        self._closing = threading.Event()

    def heard(self, status: RobotStatus | None) -> None:
        """What telemetry says of the robot; None where there is none."""
        self._status = status
        if status is None:
            if self._clearing:  # a stop that nobody confirmed was released, and there is no robot any more
                self._forget()
            return
        if status.agent_pid != self._agent_pid:
            self._agent_pid = status.agent_pid
            self._start(self._connect_ahead)
        if self._clearing and status.stop == "none":
            self._forget()
        if status.confirmation == "confirmed" and self._pressed_s is not None:
            self._confirmed_ms = status.stop_ms

    def pressed(self, level: Level) -> None:
        """A person stops the robot now: the agent is told past the session worker."""
        if not self._agent_pid:
            return
        pressed_s = self._now()
        if level == "hard":
            self._pressed_s, self._confirmed_ms, self._clearing = pressed_s, None, False
        client, self._client = self._client, None
        if client is not None:
            try:
                client.tell("stop", **_stop(level, pressed_s))
            except AgentGoneError:
                client = None
        self._start(lambda: self._follow(client, level, pressed_s))

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

    def _forget(self) -> None:
        self._pressed_s = self._confirmed_ms = None
        self._clearing = False

    def close(self) -> None:
        """End the threads, as far as they can be: one that an agent does not answer ends with the program."""
        self._closing.set()
        for thread in self._threads:
            thread.join(0.5)
        if self._client is not None:
            self._client.close()

    def _start(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, name="robot-stop", daemon=True)
        self._threads = [running for running in self._threads if running.is_alive()] + [thread]
        thread.start()

    def _connect(self) -> AgentClient | None:
        """To the agent of this window's session, None where it is gone."""
        for session in self._sessions():
            if session.pid == self._agent_pid:
                try:
                    return session.connect()
                except AgentGoneError:
                    return None
        return None

    def _connect_ahead(self) -> None:
        client = self._connect()
        old, self._client = self._client, client
        if old is not None:
            old.close()

    def _follow(self, client: AgentClient | None, level: Level, pressed_s: float) -> None:
        """Tell the agent where the press could not, and wait for the robot's word; the connection is kept."""
        try:
            if client is None:
                client = self._connect()
                if client is None:
                    return  # not confirmed, as is shown; the dead-man has its own connection
                client.tell("stop", **_stop(level, pressed_s))
            client.hear("stop")
            if level == "hard":
                self._await_confirmation(client, pressed_s)
        except (AgentGoneError, AgentError):
            return
        self._client = client

    def _await_confirmation(self, client: AgentClient, pressed_s: float) -> None:
        while not self._closing.wait(ASK_PERIOD_S) and self._now() - pressed_s < GIVE_UP_S:
            confirmation, ms = confirmation_of(client.ask("state", sensors=False))
            if confirmation == "confirmed" and self._pressed_s == pressed_s:
                self._confirmed_ms = ms
            if confirmation in ("confirmed", ""):
                return


def _stop(level: Level, pressed_s: float) -> dict[str, Any]:
    return {"level": level, "reason": "window", "pressed_s": pressed_s}
