"""How fast the robot is limp after each fault, measured on the simulated robot over DDS: docs/safety.md.

The time ends when the simulated motors lose their stiffness, by the robot's own clock (the monotonic clock of this
computer). Presses have a goal of 20 ms, faults that the dead-man or a watchdog must find one of 300 ms.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.benchmarks.stop_rig import StopRig

PRESS_MS, GUARD_MS = 20.0, 300.0


def press(rig: StopRig) -> float:
    """The hard stop over the agent's socket."""
    return rig.limp_after(rig.press())


def press_with_dead_calls(rig: StopRig) -> float:
    """The robot's service is dead: damping frames alone."""
    rig.robot.ask("fault drop_rpc 1")
    return rig.limp_after(rig.press())


def planner_hung(rig: StopRig) -> float:
    """Targets stop: the agent's watchdog."""
    rig.targets.clear()
    return rig.limp_after(time.monotonic())


def window_frozen(rig: StopRig) -> float:
    """The window does nothing any more; its client still beats for a while and says so."""
    rig.frozen_s = time.monotonic()
    return rig.limp_after(rig.frozen_s)


def window_killed(rig: StopRig) -> float:
    """No beat any more."""
    rig.beats.clear()
    return rig.limp_after(time.monotonic())


def agent_killed(rig: StopRig) -> float:
    """SIGKILL: the robot holds the last command until the dead-man stops it."""
    return rig.limp_after(rig.kill_agent())


def robot_silent(rig: StopRig) -> float:
    """The robot still obeys but says nothing: the agent's watchdog."""
    since_s = rig.robot.ask("fault silent")["time_s"]
    return rig.limp_after(since_s)


def traffic_back(rig: StopRig) -> float:
    """All traffic is cut for 1 s: nothing can reach the robot. From the moment it flows again."""
    rig.robot.ask("fault cut")
    rig.press()
    time.sleep(1.0)
    assert rig.report()["stop_words"].endswith("NOT CONFIRMED: use the remote")
    since_s = rig.robot.ask("fault cut off")["time_s"]
    return rig.limp_after(since_s)


@dataclass(frozen=True)
class Case:
    """One fault."""

    name: str
    run: Callable[[StopRig], float]
    goal_ms: float
    found_by: str
    log: str = ""
    "path of the safety log; /dev/full is a full disk"


CASES = (
    Case("hard stop pressed", press, PRESS_MS, "call and frames"),
    Case("pressed, disk full", press, PRESS_MS, "call and frames", "/dev/full"),
    Case("pressed, calls dead", press_with_dead_calls, PRESS_MS, "frames"),
    Case("planner hung", planner_hung, GUARD_MS, "agent: no targets for 100 ms"),
    Case("window frozen", window_frozen, GUARD_MS, "dead-man: 250 ms"),
    Case("window killed", window_killed, GUARD_MS, "dead-man: 250 ms"),
    Case("agent killed", agent_killed, GUARD_MS, "dead-man: 250 ms"),
    Case("robot silent", robot_silent, GUARD_MS, "agent: no state for 100 ms"),
    Case("traffic cut for 1 s", traffic_back, GUARD_MS, "agent, after the traffic is back"),
)


@dataclass(frozen=True)
class StopsConfig:
    """What to measure."""

    trials: int = 100
    "trials of each case"
    cases: tuple[str, ...] = ()
    "names of cases, none for all"
    write: Path | None = None
    "page to write the table into, between its markers"
    minutes: float = 60.0
    "stop a case early when its share of this time is used up"


@dataclass(frozen=True)
class Result:
    """One line of the table."""

    case: Case
    times_ms: np.ndarray
    violations: dict[str, int]

    def row(self) -> str:
        """As Markdown."""
        p50, p99, worst = (f"{value:.1f}" for value in (*np.percentile(self.times_ms, (50, 99)), self.times_ms.max()))
        return (
            f"| {self.case.name} | {self.case.found_by} | {len(self.times_ms)} | {p50} | {p99} | {worst} "
            f"| {self.case.goal_ms:.0f} |"
        )


def measure(case: Case, trials: int, seconds: float = float("inf")) -> Result:
    """Run a case; each trial begins with the robot in whole-body mode and ends with it limp."""
    rig = StopRig(case.log)
    times_ms: list[float] = []
    deadline = time.monotonic() + seconds
    try:
        while len(times_ms) < trials and (not times_ms or time.monotonic() < deadline):
            rig.engage()
            times_ms.append(1e3 * case.run(rig))
            rig.rest()
        violations = rig.robot.status()["violations"]
    finally:
        rig.close()
    return Result(case, np.array(times_ms), violations)


def main(config: StopsConfig) -> int:
    """Print the table; 1 when a goal is missed or the protocol was breached."""
    chosen = [case for case in CASES if not config.cases or case.name in config.cases]
    results = []
    for case in chosen:
        results.append(measure(case, config.trials, 60.0 * config.minutes / len(chosen)))
        print(results[-1].row(), results[-1].violations or "", flush=True)
    if config.write is not None:
        write_table(config.write, results)
    missed = [r for r in results if np.percentile(r.times_ms, 99) > r.case.goal_ms or r.violations]
    return 1 if missed else 0


def write_table(page: Path, results: list[Result]) -> None:
    """Replace what is between the markers of a page."""
    begin, end = "<!-- stops: begin -->", "<!-- stops: end -->"
    text = page.read_text()
    head = "| fault | found by | trials | p50 ms | p99 ms | worst ms | goal ms |\n|---|---|---|---|---|---|---|"
    table = "\n".join((head, *(result.row() for result in results)))
    before, rest = text.split(begin)
    page.write_text(f"{before}{begin}\n{table}\n{end}{rest.split(end)[1]}")
