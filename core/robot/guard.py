"""The ladder and the pre-flight check from outside the agent: declare, look, confirm, test (no SDK, no torch)."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from core.checks import Line
from core.robot.client import AgentClient, AgentError
from core.robot.ladder import RungState
from core.robot.ladder_evidence import BodyMode, Rung, Subject

STOP_TEST_S = 30.0
LOOK_S = 15.0
"""Longer than an agent looks at a robot and its calls may take."""


@dataclass(frozen=True)
class Preflight:
    """What was found, and how far the ladder is climbed."""

    lines: tuple[Line, ...]
    rungs: tuple[RungState, ...] = ()
    enforced: bool = True
    "whether the rungs must be open: false for a simulated robot that only practises"
    robot: str = ""
    subject: str = ""


class RobotGuard:
    """One client of the agent, for one way of driving. Methods raise AgentError with the agent's reason."""

    def __init__(
        self, client: AgentClient, mode: BodyMode, follows: bool = True, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        """follows: false for a shadow."""
        self.mode: BodyMode = mode
        self.follows = follows
        self._client, self._sleep = client, sleep

    def declare(self, subject: Subject) -> None:
        """Say what will drive: evidence is filed under it, and rungs are open to it or not."""
        self._client.ask("subject", subject=asdict(subject))

    def check(self) -> None:
        """Raises AgentError with every red line of the agent."""
        self._client.ask("check", LOOK_S, mode=self.mode)

    def look(self, patient: bool = False) -> Preflight:
        """Every line and every rung, as the agent sees them now; patient: once the robot was seen for long enough."""
        told = self._client.ask("preflight", LOOK_S, mode=self.mode, patient=patient)
        return Preflight(
            tuple(Line(**line) for line in told["lines"]),
            tuple(_rung(state) for state in told["rungs"]),
            told["enforced"],
            told["robot"],
            told["subject"],
        )

    def confirm(self, what: str, by: str) -> None:
        """A person vouches for the gantry or the remote control."""
        self._client.ask("confirm", what=what, by=by)

    def stop_test(self, tell: Callable[[str], None] = lambda _: None) -> str:
        """Test the hard stop: what came of it. In the gantry the robot stands up and sinks."""
        self._client.ask("stop_test")
        deadline, reports = time.monotonic() + STOP_TEST_S, self._client.reports(tell, self._sleep)
        while True:
            report = next(reports)
            told: str = report["detail"]
            if not report["busy"]:
                break
            if time.monotonic() > deadline:
                raise AgentError(f"the stop test did not end within {STOP_TEST_S:.0f} s: {told}")
        if told.startswith("refused: "):
            raise AgentError(told.removeprefix("refused: "))
        return told

    def close(self) -> None:
        """Hang up."""
        self._client.close()


def _rung(state: dict[str, Any]) -> RungState:
    return RungState(Rung(state["rung"]), *(state[name] for name in ("open", "says", "remedy", "expires_s")))
