"""The gate before a robot moves: ladder and pre-flight check, judged in the process that could move it.

No setting opens it for a real robot. A simulated one need not climb the ladder, unless it is told to.
"""

import math
import statistics
import time
from collections.abc import Callable, Collection
from dataclasses import asdict, replace
from typing import Any, Literal, get_args

from core.checks import Line
from core.robot.agent.config import AgentConfig
from core.robot.agent.log import SafetyLog
from core.robot.agent.monitor import StateMonitor
from core.robot.agent.state import RefusedError
from core.robot.ladder import RungState, climb
from core.robot.ladder import refusal as ladder_refusal
from core.robot.ladder_evidence import BodyMode, RobotId, Rung, Subject, rung_of
from core.robot.ladder_store import LadderError, LadderStore
from core.robot.preflight import USUAL_CALL_MS, Confirmed, Facts, StopTest, inspect, refusal
from core.robot.view import Link
from core.robot.wire import Api, Code

WATCHED_S = 4.0
"""How long a robot is looked at before it is judged, at most."""
PATIENCE_S = 1.5
"""A call that took longer to fail found no robot: it is not asked again."""
What = Literal["gantry", "remote"]


class Gate:
    """What is known of robot, controllers and persons, and whether that is enough."""

    def __init__(
        self, config: AgentConfig, link: Link, log: SafetyLog, store: LadderStore, now: Callable[[], float],
        wall: Callable[[], float] = time.time, pending: Collection[str] = (),
    ) -> None:  # fmt: skip
        """pending: ids of this process's own sessions that are not written to the end."""
        self.config, self.link, self.log, self.store = config, link, log, store
        self.monitor = StateMonitor()
        self.robot = RobotId("")
        self.subject = Subject()
        self.confirmed: dict[str, Confirmed] = {}
        self.stop_test: StopTest | None = None
        self._now, self._wall, self._pending = now, wall, pending

    @property
    def enforced(self) -> bool:
        """Whether the ladder must be climbed. Only a robot that says that it is simulated may be excused."""
        return self.config.ladder == "every" or not self.robot.simulated

    def met(self, info: dict[str, str]) -> None:
        """The robot said who it is. Another one than before: what was confirmed and tested was about that one."""
        robot = RobotId.from_info(info)
        if self.robot.key and robot != self.robot:
            self.confirmed.clear()
            self.stop_test = None
            self.log.add("another_robot", was=self.robot.title, now=robot.title)
        self.robot = robot

    @property
    def seen(self) -> bool:
        """Whether the robot was looked at for long enough to judge it; its battery speaks twice a second."""
        return self.monitor.full and not math.isnan(self.link.view.battery_percent)

    def confirm(self, what: str, by: str) -> None:
        """A person vouches for what cannot be measured. Raises RefusedError without a name."""
        if what not in get_args(What):
            raise RefusedError(f"{what!r} cannot be confirmed; known: {', '.join(get_args(What))}")
        name = " ".join(by.split())[:80]
        if not name:
            raise RefusedError(f"who confirms the {what}? give a name")
        self.confirmed[what] = Confirmed(name, self._wall())
        self.log.add("confirmed", what=what, by=name)

    def tested(self, ms: float, from_mode: int) -> None:
        """A person stopped the robot hard, and it confirmed. A test from standing is not replaced by a lesser one."""
        before = self.stop_test
        if before is None or from_mode != 0 or before.from_mode == 0:
            self.stop_test = StopTest(ms, from_mode, self._wall())

    def rungs(self) -> tuple[RungState, ...]:
        """The ladder of this robot with these controllers. A file that cannot be believed opens nothing."""
        now_s = self._wall()
        try:
            records = [record for record in self.store.read() if record.id not in self._pending]
        except LadderError as error:
            states = climb((), self.robot, self.subject, now_s)
            return tuple(s if s.open else replace(s, says=str(error)) for s in states)
        return climb(records, self.robot, self.subject, now_s)

    def lines(self, mode: BodyMode) -> tuple[Line, ...]:
        """The pre-flight check for a way of driving. Asks the robot: up to 3 s."""
        return inspect(self._facts(mode))

    def check(self, mode: BodyMode, stop_tested: bool = True) -> None:
        """Raises RefusedError with every red line. stop_tested=False leaves that one out: standing up is part of it."""
        lines = [line for line in self.lines(mode) if stop_tested or line.what != "stop test"]
        if why := refusal(lines):
            self.log.add("gate_closed", mode=mode, reason=why)
            raise RefusedError(why)

    def report(self, mode: BodyMode) -> dict[str, Any]:
        """Lines and rungs for a client."""
        return {
            "lines": [asdict(line) for line in self.lines(mode)],
            "rungs": [{**asdict(state), "rung": int(state.rung)} for state in self.rungs()],
            "enforced": self.enforced,
            "robot": self.robot.title,
            "subject": self.subject.title,
        }

    def _facts(self, mode: BodyMode) -> Facts:
        config, view, low = self.config, self.link.view, self.link.view.low
        rung = rung_of(config.hang, mode)
        states = self.rungs()
        known = low.joints == len(low.q)
        return Facts(
            rung=rung,
            enforced=self.enforced,
            where=f"{config.interface}, domain {config.domain}",
            connected=bool(low.count),
            trouble="no state of a robot has come yet",
            rate_hz=self.monitor.rate_hz,
            age_s=self._now() - low.received_s,
            call_ms=self._call_ms(),
            mode=view.mode,
            fall=view.fall,
            joints=low.joints,
            q=low.q,
            finite=low.finite() if known else False,
            frozen=self.monitor.frozen() if known else (),
            temperature_c=low.temperature_c,
            tilt_rad=float(max(abs(low.rpy[0]), abs(low.rpy[1]))),
            max_tilt_rad=0.5 * config.max_tilt_rad,
            max_temperature_c=config.warm_c,
            battery_percent=view.battery_percent,
            gantry=self.confirmed.get("gantry", Confirmed()),
            remote=self.confirmed.get("remote", Confirmed()),
            stop_test=self.stop_test,
            ladder_says=_words(states, rung),
            ladder_refuses=ladder_refusal(states, rung, self.robot, self.subject),
            wall_s=self._wall(),
        )

    def _call_ms(self) -> float:
        """Round trip of a call, NaN without an answer: median of three when the first was lost or late."""
        begun_s = self._now()
        taken = [self._one_call_ms()]
        if not taken[0] <= USUAL_CALL_MS and self._now() - begun_s < PATIENCE_S:
            taken += [self._one_call_ms(), self._one_call_ms()]
        middle = statistics.median(taken)
        return middle if math.isfinite(middle) else math.nan

    def _one_call_ms(self) -> float:
        asked_s = self._now()
        code = self.link.call(Api.GET_MODE, {}, "ask")
        return 1e3 * (self._now() - asked_s) if code == Code.OK else math.inf


def _words(states: tuple[RungState, ...], rung: Rung) -> str:
    state = next(state for state in states if state.rung == rung)
    if not state.expires_s:
        return state.says
    until = time.strftime("%Y-%m-%d", time.localtime(state.expires_s))
    return f"{state.says}; open until {until}"
