"""How fast the robot is limp after each fault, measured on the simulated robot over DDS: docs/safety.md.

The time ends when the simulated motors lose their stiffness, by the robot's own clock (the monotonic clock of this
computer). Presses have a goal of 20 ms, faults that the dead-man or a watchdog must find one of 300 ms. Trials are kept
in a file and added up: a measurement may be stopped and go on later.
"""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.robot.client import AgentError
from tests.benchmarks.session_rig import SessionRig
from tests.benchmarks.stop_rig import StopRig, TooEarlyError

PRESS_MS, GUARD_MS = 20.0, 300.0
Rig = StopRig | SessionRig


def press(rig: StopRig) -> float:
    """The hard stop over the agent's socket, as `refine-dp stop --hard` asks for it."""
    return rig.limp_after(rig.press())


def press_with_dead_calls(rig: StopRig) -> float:
    """The robot's service is dead: damping frames alone."""
    rig.robot.ask("fault drop_rpc 1")
    return rig.limp_after(rig.press())


def press_in_window(rig: SessionRig) -> float:
    """The stop button: window, session worker (and past it), agent, robot."""
    return rig.limp_after(rig.press())


def worker_hung(rig: SessionRig) -> float:
    """A planner in the loop that never comes back: the session worker is stopped (SIGSTOP), targets end."""
    return rig.limp_after(rig.signal(rig.worker, signal.SIGSTOP))


def window_frozen(rig: SessionRig) -> float:
    """SIGSTOP: the window does nothing any more."""
    return rig.limp_after(rig.signal(rig.window, signal.SIGSTOP))


def window_killed(rig: SessionRig) -> float:
    """SIGKILL: no window any more; the worker lives on."""
    return rig.limp_after(rig.signal(rig.window, signal.SIGKILL))


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
    if rig.robot.status()["limp_s"] is not None:
        raise TooEarlyError("limp before the cut")
    rig.press()
    time.sleep(1.0)
    assert rig.report()["stop_words"].endswith("NOT CONFIRMED: use the remote")
    since_s = rig.robot.ask("fault cut off")["time_s"]
    return rig.limp_after(since_s)


@dataclass(frozen=True)
class Case:
    """One fault."""

    name: str
    run: Callable[..., float]
    goal_ms: float
    found_by: str
    whole: bool = False
    "the whole tree of processes, from the window; else agent, dead-man and robot, with the rest stood for"
    log: str = ""
    "path of the safety log; /dev/full is a full disk"

    def make_rig(self) -> Rig:
        """What the trials of this case run on."""
        return SessionRig() if self.whole else StopRig(self.log)


CASES = (
    Case("hard stop pressed in the window", press_in_window, PRESS_MS, "call and frames", whole=True),
    Case("hard stop over the socket", press, PRESS_MS, "call and frames"),
    Case("the same, disk full", press, PRESS_MS, "call and frames", log="/dev/full"),
    Case("the same, calls dead", press_with_dead_calls, PRESS_MS, "frames"),
    Case("planner hangs the loop", worker_hung, GUARD_MS, "agent: no targets for 100 ms", whole=True),
    Case("window frozen", window_frozen, GUARD_MS, "dead-man: 250 ms", whole=True),
    Case("window killed", window_killed, GUARD_MS, "dead-man: 250 ms", whole=True),
    Case("agent killed", agent_killed, GUARD_MS, "dead-man: 250 ms"),
    Case("robot silent", robot_silent, GUARD_MS, "agent: no state for 100 ms"),
    Case("traffic cut for 1 s", traffic_back, GUARD_MS, "agent, after the traffic is back"),
)
MAX_SPOILED = 50
TRIALS_FILE = Path("runs") / "bench" / "stops.jsonl"


@dataclass(frozen=True)
class StopsConfig:
    """What to measure."""

    trials: int = 100
    "trials of each case, those in the file included"
    cases: tuple[str, ...] = ()
    "names of cases, none for all"
    write: Path | None = None
    "page to write the table into, between its markers"
    minutes: float = 120.0
    "stop a case early when its share of this time is used up"
    file: Path = TRIALS_FILE
    "trials of earlier measurements; new ones are added"
    fresh: bool = False
    "forget the trials in the file"


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


class Trials:
    """The file of trials: one JSON object a line."""

    def __init__(self, path: Path, fresh: bool = False) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        if fresh:
            path.unlink(missing_ok=True)

    def add(self, case: Case, ms: float, breaches: dict[str, int]) -> None:
        """Keep one trial; breaches: what the robot saw of broken protocol in it."""
        entry = {"case": case.name, "ms": ms, "wall_s": time.time(), "load": os.getloadavg()[0], "breaches": breaches}
        with self.path.open("a") as file:
            file.write(json.dumps(entry) + "\n")

    def result(self, case: Case) -> Result | None:
        """Every trial of a case, None without one."""
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        mine = [entry for entry in map(json.loads, lines) if entry["case"] == case.name]
        breaches: dict[str, int] = {}
        for entry in mine:
            for name, count in entry["breaches"].items():
                breaches[name] = breaches.get(name, 0) + count
        return Result(case, np.array([entry["ms"] for entry in mine]), breaches) if mine else None


def measure(case: Case, trials: int, file: Trials, seconds: float = float("inf")) -> None:
    """Run a case; each trial begins with the robot in whole-body mode and ends with it limp."""
    known = file.result(case)
    missing = trials - (len(known.times_ms) if known is not None else 0)
    if missing <= 0:
        return
    deadline = time.monotonic() + seconds
    with closing(case.make_rig()) as rig:
        before: dict[str, int] = {}
        done = spoiled = 0
        while done < missing and (not done or time.monotonic() < deadline):
            with _rested(rig):
                try:
                    rig.engage()
                    ms = 1e3 * case.run(rig)
                except (TooEarlyError, AgentError):  # a guard found a stall of this computer before the cause
                    spoiled += 1
                    if spoiled > MAX_SPOILED:
                        raise
                    continue
            done += 1
            seen = rig.robot.status()["violations"]
            file.add(case, ms, {name: count - before.get(name, 0) for name, count in seen.items()})
            before = seen


@contextmanager
def _rested(rig: Rig) -> Iterator[None]:
    try:
        yield
    finally:
        rig.rest()


def main(config: StopsConfig) -> int:
    """Print the table; 1 when a goal is missed or the protocol was breached."""
    chosen = [case for case in CASES if not config.cases or case.name in config.cases]
    file = Trials(config.file, config.fresh)
    for case in chosen:
        measure(case, config.trials, file, 60.0 * config.minutes / len(chosen))
        result = file.result(case)
        assert result is not None
        print(result.row(), {name: n for name, n in result.violations.items() if n} or "", flush=True)
    results = [result for case in CASES if (result := file.result(case)) is not None]
    if config.write is not None:
        write_table(config.write, results)
    missed = [r for r in results if np.percentile(r.times_ms, 99) > r.case.goal_ms or any(r.violations.values())]
    return 1 if missed else 0


def write_table(page: Path, results: list[Result]) -> None:
    """Replace what is between the markers of a page."""
    begin, end = "<!-- stops: begin -->", "<!-- stops: end -->"
    text = page.read_text()
    head = "| fault | found by | trials | p50 ms | p99 ms | worst ms | goal ms |\n|---|---|---|---|---|---|---|"
    table = "\n".join((head, *(result.row() for result in results)))
    before, rest = text.split(begin)
    page.write_text(f"{before}{begin}\n{table}\n{end}{rest.split(end)[1]}")
