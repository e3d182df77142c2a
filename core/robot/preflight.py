"""What is looked at before a robot is moved: one line each, green, amber or red, with what to do (pure, no robot)."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from core.checks import Level, Line
from core.robot.ladder_evidence import Rung
from core.robot.wire import FallState, Mode, mode_name
from core.t1.model import JOINT_NAMES, LOWER_LIMIT, NUM_JOINTS, UPPER_LIMIT

MIN_RATE_HZ, USUAL_RATE_HZ = 100.0, 450.0
MAX_AGE_S, MAX_CALL_MS, USUAL_CALL_MS = 0.1, 200.0, 20.0
MIN_BATTERY, LOW_BATTERY = 20.0, 35.0
WARM_SHARE = 0.8
"""Of the temperature at which the agent stops softly."""
LIMIT_MARGIN_RAD = 0.1
"""A joint that is measured further beyond its limits is broken, or its zero is wrong."""
MAX_STOP_MS = 100.0
CONFIRMED_FOR_S = 4 * 3600.0
"""What a person confirmed holds this long."""
PERSONS_LINES = ("gantry", "remote", "stop test")


@dataclass(frozen=True)
class Confirmed:
    """What only a person can know."""

    by: str = ""
    "name; '' while nobody said so"
    wall_s: float = 0.0


@dataclass(frozen=True)
class StopTest:
    """A hard stop of this session that the robot confirmed."""

    ms: float
    from_mode: int
    "what the robot did before"
    wall_s: float


@dataclass(frozen=True)
class Facts:
    """What the agent knows at one moment."""

    rung: Rung
    "on which the session stands"
    enforced: bool
    "false for a simulated robot that need not climb the ladder"
    where: str
    "address and domain"
    connected: bool
    trouble: str = ""
    "why it is not connected"
    rate_hz: float = 0.0
    age_s: float = math.inf
    call_ms: float = math.nan
    "round trip of a call; NaN when it was not answered"
    mode: int = Mode.UNKNOWN
    fall: int = FallState.READY
    joints: int = 0
    q: np.ndarray = field(default_factory=lambda: np.full(NUM_JOINTS, math.nan))
    finite: bool = False
    frozen: tuple[str, ...] = ()
    temperature_c: np.ndarray = field(default_factory=lambda: np.full(NUM_JOINTS, math.nan))
    tilt_rad: float = math.nan
    max_tilt_rad: float = 0.5
    max_temperature_c: float = 75.0
    "above it the agent stops softly"
    battery_percent: float = math.nan
    gantry: Confirmed = Confirmed()
    remote: Confirmed = Confirmed()
    stop_test: StopTest | None = None
    ladder_says: str = ""
    ladder_refuses: str = ""
    "why the rung is locked, with the remedy"
    wall_s: float = 0.0


def inspect(facts: Facts) -> tuple[Line, ...]:
    """Every line, in the order in which a person works them off."""
    if not facts.connected:
        return (Line("bad", "network", facts.trouble or "not connected", "mend this first; the rest follows"),)
    lines = [_network(facts), _ladder(facts), _battery(facts), _temperatures(facts), _joints(facts), _posture(facts)]
    if facts.rung != Rung.SHADOW:
        lines += [_gantry(facts), _remote(facts), _stop_test(facts)]
    return tuple(lines)


def _network(facts: Facts) -> Line:
    says = f"{facts.where}: {facts.rate_hz:.0f} states/s, a call takes {facts.call_ms:.1f} ms"
    if facts.age_s > MAX_AGE_S or facts.rate_hz < MIN_RATE_HZ:
        found = f"{facts.where}: {facts.rate_hz:.0f} states/s, the last {_ms(facts.age_s)} ago"
        return Line("bad", "network", found, "check cable and interface; the robot sends 500 states/s when it is well")
    if not facts.call_ms <= MAX_CALL_MS:
        found = "calls are not answered" if math.isnan(facts.call_ms) else says
        return Line("bad", "network", f"{facts.where}: {found}", "restart the robot's service, or the robot")
    if facts.rate_hz < USUAL_RATE_HZ or facts.call_ms > USUAL_CALL_MS:
        return Line("caution", "network", says, "500 states/s and 2 ms are usual: no wireless link, nothing else on it")
    return Line("good", "network", says)


def _ladder(facts: Facts) -> Line:
    what = f"rung '{facts.rung.title}'"
    if not facts.enforced:
        return Line("good", what, f"a simulated robot: nothing is locked ({facts.ladder_says})")
    if facts.ladder_refuses:
        says, _, remedy = facts.ladder_refuses.partition("; remedy: ")
        return Line("bad", what, says, remedy)
    return Line("good", what, facts.ladder_says)


def _battery(facts: Facts) -> Line:
    percent = facts.battery_percent
    if not 0 <= percent <= 100:
        return Line("bad", "battery", "the robot does not report its charge", "wait 2 s; else restart the robot")
    if percent < MIN_BATTERY:
        return Line("bad", "battery", f"{percent:.0f} %", f"charge it: {MIN_BATTERY:.0f} % are needed to begin")
    if percent < LOW_BATTERY:
        return Line("caution", "battery", f"{percent:.0f} %", "enough for a short session; charge it soon")
    return Line("good", "battery", f"{percent:.0f} %")


def _temperatures(facts: Facts) -> Line:
    if not np.isfinite(facts.temperature_c).all():
        return Line("bad", "temperatures", "not reported by every motor", "restart the robot")
    hottest = int(facts.temperature_c.argmax())
    celsius = float(facts.temperature_c[hottest])
    says = f"{JOINT_NAMES[hottest]} is the hottest with {celsius:.0f} °C"
    if celsius > facts.max_temperature_c:
        return Line("bad", "temperatures", says, f"let it cool below {facts.max_temperature_c:.0f} °C")
    if celsius > WARM_SHARE * facts.max_temperature_c:
        remedy = f"above {facts.max_temperature_c:.0f} °C the robot is stopped: a pause helps"
        return Line("caution", "temperatures", says, remedy)
    return Line("good", "temperatures", says)


def _joints(facts: Facts) -> Line:
    if facts.joints != NUM_JOINTS:
        return Line("bad", "joints", f"{facts.joints} are reported", f"this program drives the T1 with {NUM_JOINTS}")
    if not facts.finite or not np.isfinite(facts.q).all():
        broken = [JOINT_NAMES[i] for i in np.flatnonzero(~np.isfinite(facts.q))]
        return Line("bad", "joints", f"NaN in {', '.join(broken) or 'the state'}", "restart the robot; do not drive it")
    if facts.frozen:
        says = f"{', '.join(facts.frozen)} did not change within a second in which states came"
        return Line("bad", "joints", says, "the sensor or its bus hangs: restart the robot")
    beyond = np.maximum(LOWER_LIMIT - facts.q, facts.q - UPPER_LIMIT)
    worst = int(beyond.argmax())
    if beyond[worst] > LIMIT_MARGIN_RAD:
        allowed = f"{LOWER_LIMIT[worst]:.2f} to {UPPER_LIMIT[worst]:.2f}"
        says = f"{JOINT_NAMES[worst]} is at {facts.q[worst]:.2f} rad; allowed: {allowed}"
        return Line("bad", "joints", says, "move it back by hand; if it is inside, its zero is wrong: calibrate it")
    return Line("good", "joints", f"{NUM_JOINTS}, all within their limits, all alive")


def _posture(facts: Facts) -> Line:
    if facts.fall != FallState.READY:
        return Line("bad", "posture", "the robot reports a fall", "hang it up, get it out of the fall by its remote")
    if not facts.tilt_rad <= facts.max_tilt_rad:
        return Line("bad", "posture", f"the trunk is tilted by {facts.tilt_rad:.2f} rad", "hang or stand it upright")
    return Line("good", "posture", f"upright within {facts.tilt_rad:.2f} rad, mode {mode_name(facts.mode)}")


def _needed(facts: Facts) -> Level:
    """Of lines that only a person can turn green."""
    return "bad" if facts.enforced else "caution"


def _person(facts: Facts, confirmed: Confirmed, what: str, missing: str, remedy: str) -> Line:
    if not confirmed.by:
        return Line(_needed(facts), what, missing, remedy)
    age_s = facts.wall_s - confirmed.wall_s
    if not -60.0 <= age_s <= CONFIRMED_FOR_S:
        return Line(_needed(facts), what, f"{confirmed.by} confirmed it {age_s / 3600:.1f} h ago", remedy)
    return Line("good", what, f"confirmed by {confirmed.by} {age_s / 60:.0f} min ago")


def _gantry(facts: Facts) -> Line:
    if facts.rung == Rung.FREE:
        return Line("good", "gantry", "not used: the robot stands on its own")
    return _person(
        facts, facts.gantry, "gantry", "nobody confirmed that it holds the robot",
        "look at hooks, straps and height, then confirm with your name",
    )  # fmt: skip


def _remote(facts: Facts) -> Line:
    return _person(
        facts, facts.remote, "remote", "nobody confirmed that it is at hand",
        "take the remote control in the hand, switched on, then confirm with your name",
    )  # fmt: skip


def _stop_test(facts: Facts) -> Line:
    """From damping only the way there is tested: that is all that can be done with a robot on its own feet."""
    test = facts.stop_test
    if test is None:
        how = "hang it up, then test" if facts.rung == Rung.FREE else "the robot stands up in the gantry and is damped"
        return Line(_needed(facts), "stop test", "not done in this session", f"press Stop test: {how}")
    says = f"the robot confirmed after {test.ms:.1f} ms, from {mode_name(test.from_mode)}"
    if not test.ms <= MAX_STOP_MS:
        return Line(_needed(facts), "stop test", says, f"more than {MAX_STOP_MS:.0f} ms: mend the network, test again")
    if test.from_mode == Mode.DAMPING:
        level: Level = "caution" if facts.rung == Rung.FREE else _needed(facts)
        return Line(level, "stop test", says, "it was in damping already: test it from standing in the gantry")
    return Line("good", "stop test", says)


class MocapCheck(Protocol):
    """What a check of motion capture says (`core.mocap.check.Check` is one)."""

    @property
    def ok(self) -> bool: ...
    @property
    def reason(self) -> str: ...
    @property
    def remedy(self) -> str: ...


def motion_capture(check: Callable[[], MocapCheck] | None) -> Line:
    """The line on motion capture; check: looks at it now, None where none is configured."""
    what = "motion capture"
    if check is None:
        return Line(
            "caution", what, "not configured: objects are assumed where the task puts them", "fine without objects"
        )
    found = check()
    return Line("good" if found.ok else "bad", what, found.reason, "" if found.ok else found.remedy)


def refusal(lines: Sequence[Line]) -> str:
    """One sentence with every red line and its remedy, '' when there is none."""
    red = [f"{line.what}: {line.says}" + (f" ({line.remedy})" if line.remedy else "") for line in lines
           if line.level == "bad"]  # fmt: skip
    return "the pre-flight check is red: " + "; ".join(red) if red else ""


def _ms(seconds: float) -> str:
    return "never" if math.isinf(seconds) else f"{1e3 * seconds:.0f} ms"
