"""Stop every robot that this user's sessions drive: softly (zero velocity, hands held), or --hard (damping).

Says for each robot whether it confirmed. Where it did not: use the remote control.
"""

import time
from dataclasses import dataclass
from typing import Literal

from core.robot.client import AgentError, AgentGoneError, SessionFile, running_sessions

CONFIRM_S = 1.0


@dataclass(frozen=True)
class Config:
    """How to stop."""

    hard: bool = False
    "damping of every joint: the robot sinks. Without it: zero velocity, hands held, balance kept"


def main(config: Config) -> int:
    """Returns 0 when every robot is stopped, 1 when one did not confirm or none is there."""
    return stop_robots("hard" if config.hard else "soft")


def stop_robots(level: Literal["soft", "hard"]) -> int:
    """Stop all of them at once, then wait for their words."""
    pressed_s = time.monotonic()
    sessions = running_sessions()
    if not sessions:
        print("no robot session of this user is running: use the robot's remote control")
        return 1
    return max([_stop(session, level, pressed_s) for session in sessions])


def _stop(session: SessionFile, level: Literal["soft", "hard"], pressed_s: float) -> int:
    try:
        client = session.connect()
        report = client.stop(level, "command line", pressed_s)
        deadline = pressed_s + CONFIRM_S
        while level == "hard" and not report["stop_times"][-1] and time.monotonic() < deadline:
            time.sleep(0.002)
            report = client.ask("state", sensors=False)
        client.close()
    except (AgentGoneError, AgentError) as error:
        print(f"robot session {session.pid}: {error}; NOT CONFIRMED: use the remote")
        return 1
    print(f"robot session {session.pid}: {report['stop_words']}")
    return 0 if level == "soft" or report["stop_times"][-1] else 1
