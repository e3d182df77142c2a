"""How the robot and its guards are, for people: made of the agent's report (no SDK, no torch; windows read it)."""

import math
from dataclasses import dataclass
from typing import Any, Literal

from core.control.stop import StopLevel
from core.robot.wire import Mode

Confirmation = Literal["", "waiting", "confirmed", "NOT CONFIRMED"]
"""Of a hard stop, by the robot's own word; '' while none is latched."""


@dataclass(frozen=True)
class RobotStatus:
    """One look at the robot."""

    state: str = "disconnected"
    "of the hardware agent, see core.robot.agent.state"
    detail: str = ""
    "what it is doing, or why it stopped"
    mode: str = "unknown"
    "of the robot's own controller"
    stop: Literal["none", "soft", "hard"] = "none"
    "latched in the agent"
    stop_words: str = ""
    "one line on that stop, with what became of it"
    confirmation: Confirmation = ""
    stop_ms: float = math.nan
    "from the press to the robot's confirmation; NaN without one"
    holding: str = ""
    "why the agent holds the joints, '' where it does not"
    battery_percent: float = math.nan
    hottest_c: float = math.nan
    hottest_joint: str = ""
    state_age_ms: float = math.nan
    "since the robot's last state arrived"
    deadman_age_ms: float = math.nan
    "since the dead-man process was heard"
    mocap: str = ""
    "rate, age and noise of motion capture, or what it lost; '' without one"
    late_frames: int = 0
    "frames of 2 ms that were late, since the agent began"
    lost_states: int = 0
    "states of the robot that never arrived"
    limited: int = 0
    "frames in which a joint target was slowed down or kept within its limits"
    log: str = ""
    "path of the safety log"
    log_failures: int = 0
    "lines of the safety log that could not be written"
    agent_pid: int = 0
    serial_number: str = ""


def confirmation_of(report: dict[str, Any]) -> tuple[Confirmation, float]:
    """Of the stop in an agent's report: whether the robot confirmed it, and after how many ms (NaN: not)."""
    pressed_s, _, _, _, confirmed_s = report["stop_times"]
    if report["stop"] != StopLevel.HARD:
        return "", math.nan
    if confirmed_s:
        return "confirmed", 1e3 * (confirmed_s - pressed_s)
    return ("NOT CONFIRMED" if report["stop_overdue"] else "waiting"), math.nan


def status_of(report: dict[str, Any]) -> RobotStatus:
    """The status that an agent's report with sensors tells."""
    confirmation, stop_ms = confirmation_of(report)
    mode = report["mode"]
    return RobotStatus(
        state=report["state"],
        detail=report["detail"],
        mode=Mode(mode).name.lower() if mode in set(Mode) else str(mode),
        stop=("none", "soft", "hard")[report["stop"]],
        stop_words=report["stop_words"],
        confirmation=confirmation,
        stop_ms=stop_ms,
        holding=report["holding"],
        battery_percent=report["battery_percent"],
        hottest_c=report["hottest_c"],
        hottest_joint=report["hottest_joint"],
        state_age_ms=1e3 * report["state_age_s"],
        deadman_age_ms=1e3 * report["deadman_age_s"],
        late_frames=report["late_frames"],
        lost_states=report["lost_states"],
        limited=report["limited_speed"] + report["limited_position"],
        log=report["log"],
        log_failures=report["log_failures"],
        agent_pid=report["pid"],
        serial_number=report["info"].get("serial_number", ""),
    )
