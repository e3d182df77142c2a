"""A session with one robot, seen from the program that drives it: the hardware agent's processes, and what they say.

Knows no torch and no task: `core.backends.t1` makes a backend of it.
"""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.control.stop import StopLevel
from core.robot.agent.config import AgentConfig
from core.robot.agent.process import DEADMAN_BEATS
from core.robot.client import AgentClient, AgentError, AgentGoneError
from core.robot.guard import RobotGuard
from core.robot.heartbeats import BeatSocket
from core.robot.ladder_evidence import BodyMode
from core.robot.launch import RobotProcesses
from core.robot.status import RobotStatus, status_of

CONNECT_S = 20.0
ENGAGE_S = 40.0
WINDOW_BEATS = "window.beat"


class RobotSession:
    """Agent and dead-man of one robot. Targets are sent while `engaged`; whatever leaves the rung ends that."""

    def __init__(self, agent: AgentConfig, mode: BodyMode) -> None:
        """Start the processes and wait for the robot. Raises ConnectionError saying what is missing."""
        self.rung: str = "shadow" if agent.hang == "shadow" else mode
        "state of the agent in which targets are taken"
        self.engaged = False
        self._processes: RobotProcesses | None = None
        try:
            self._processes = RobotProcesses(agent)
            self._processes.wait_for("connected", timeout_s=CONNECT_S)
            self._urgent = self._processes.new_client()
            self.guard = RobotGuard(self._processes.new_client(), mode, agent.hang != "shadow")
            "ladder and pre-flight check"
        except (RuntimeError, TimeoutError) as error:
            if self._processes is not None:
                self._processes.close()
            raise ConnectionError(f"no session with the robot: {error}") from None
        self._client: AgentClient = self._processes.client
        self._beats = BeatSocket(self._processes.folder / WINDOW_BEATS, self._processes.key)
        self._deadman: Path = self._processes.folder / DEADMAN_BEATS
        self._note: dict[str, Any] | None = None
        self.report: dict[str, Any] = self.ask("state")
        "of the agent, as of the last measurement"

    @property
    def agent_pid(self) -> int:
        """Of the agent's process. Raises RuntimeError after the end."""
        return self._open().agent.pid

    def ask(self, do: str, **values: Any) -> dict[str, Any]:
        """One request within the loop: 1 s at most. Raises AgentError, AgentGoneError; RuntimeError after the end."""
        self._open()
        return self._client.ask(do, timeout_s=1.0, **values)

    def wait_for(self, *states: str, tell: Callable[[str], None] = lambda _: None) -> None:
        """Until the agent is in one of the states. Raises as `RobotProcesses.wait_for`; RuntimeError after the end."""
        self._open().wait_for(*states, timeout_s=ENGAGE_S, tell=tell)

    def measure(self) -> dict[str, Any]:
        """The agent's newest report. Targets end when it left the rung."""
        self.report = self.ask("state")
        self.engaged = self.engaged and self._on_rung
        return self.report

    def send(self, **target: Any) -> None:
        """Targets of one control period, with the note about the ones before."""
        self.ask("step", **target, note=self._note)
        self._note = None

    # ------------------------------------------------------------------ a person's wishes

    def take_over(self, tell: Callable[[str], None]) -> None:
        """Stand up and take the robot over by the rung. Raises RuntimeError with the reason against it."""
        try:
            self.guard.check()  # before the robot stands up
            if self.rung == "shadow":
                self._client.ask("shadow", mode=self.guard.mode)
                self.wait_for("shadow")
                return
            if self._state() == "connected":
                self._client.ask("prepare")
                self.wait_for("prepare", tell=tell)
            if self._state() != self.rung:
                self._client.ask(self.rung)
                self.wait_for(self.rung, tell=tell)
        except (AgentError, AgentGoneError, TimeoutError) as error:
            raise RuntimeError(f"the robot was not taken over: {error}") from None

    def engage(self) -> None:
        """Targets reach the joints from now on. Raises RuntimeError when the robot is not taken over."""
        report = self.measure()
        if not self._on_rung:
            detail = report["stop_words"] or report["detail"]
            raise RuntimeError(f"the robot was not taken over: it is {report['state']} ({detail})")
        self.engaged = True

    def disengage(self) -> None:
        """Give the robot back to its firmware: it stands."""
        self.engaged = False
        with contextlib.suppress(AgentError, AgentGoneError, TimeoutError):
            if self._state() in ("upper_body", "custom", "shadow"):
                self._client.ask("leave")
                self.wait_for("connected", "prepare")

    def stop(self, level: StopLevel, reason: str, pressed_s: float | None = None) -> None:
        """At once, from any thread, past the loop."""
        if level == StopLevel.NONE or self._processes is None:
            return
        with contextlib.suppress(AgentError, AgentGoneError):
            self._urgent.stop("hard" if level == StopLevel.HARD else "soft", reason, pressed_s)

    def clear_stop(self) -> str:
        """Release the agent's latch: why it cannot be, '' when it was."""
        try:
            self._urgent.ask("clear")
            words = self._urgent.ask("state", sensors=False)
            return words["stop_words"] if words["stop"] else ""
        except (AgentError, AgentGoneError) as error:
            return str(error)

    def note(self, hand_error_m: float | None, interventions: int, breach: str) -> None:
        """What the loop measured, for the evidence; travels with the next targets."""
        before = self._note or {"interventions": 0, "breach": ""}
        self._note = {
            "hand_error_m": hand_error_m,
            "interventions": before["interventions"] + interventions,
            "breach": before["breach"] or breach,
        }

    def beat(self, owner_age_s: float) -> None:
        """The window lives, and was last busy this long ago."""
        if self._processes is not None:
            self._beats.send(self._deadman, who="window", owner_age_s=owner_age_s)

    # ------------------------------------------------------------------ what it says

    def status(self) -> RobotStatus:
        """How the robot and its guards are, for people."""
        return status_of(self.report)

    def close(self) -> None:
        """Give the robot back to its firmware and end the processes. Safe to call twice."""
        self.engaged = False
        processes, self._processes = self._processes, None
        if processes is None:
            return
        self._beats.send(self._deadman, who="window", bye=True)
        self._beats.close()
        self._urgent.close()
        self.guard.close()
        processes.close()

    # ------------------------------------------------------------------ details

    @property
    def _on_rung(self) -> bool:
        return self.report["state"] == self.rung

    def _state(self) -> str:
        return self._client.ask("state", sensors=False)["state"]

    def _open(self) -> RobotProcesses:
        if self._processes is None:
            raise RuntimeError("the session with the robot was closed: make a new one")
        return self._processes
