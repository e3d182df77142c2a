"""The unlock ladder: which rung is open to a robot with its controllers, judged from recorded evidence alone.

Pure rules. A rung opens when the rung below was shown for long enough, lately, without a breach, by this robot with
these controllers. A breach on a rung that moves the robot takes it one rung down.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from core.robot.ladder_evidence import SIMULATOR, Evidence, RobotId, Rung, Subject

DAY_S = 86400.0
CLOCK_SLACK_S = 300.0
"""Evidence dated further in the future than this is not believed."""
MIN_TARGET_HZ = 45.0
"""Joint targets come at 50 Hz; a session that made fewer did not run as it will."""
HOLDS_PER_MINUTE = 1.0
HAND_ERROR_M = 0.10
"""95 % of the hands' errors: a squeeze asks for hands inside the box (7 cm measured in a good box pick-up)."""
MIN_HAND_HZ = 5.0
"""Hand errors are sampled at 10 Hz; fewer say too little."""


@dataclass(frozen=True)
class Requirement:
    """What must be shown on a rung before the next one opens."""

    minutes: float
    "driven without a breach"
    valid_days: float
    "evidence older than this has expired"
    hand_error_m: float = float("inf")
    "95th percentile of the distance between commanded and measured hands"
    gantry: bool = False
    "a person must have confirmed that the gantry holds the robot"
    how: str = ""
    "how such evidence is gathered"

    def __post_init__(self) -> None:
        for name in ("minutes", "valid_days", "hand_error_m"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")


REQUIREMENTS = {
    Rung.SIMULATION: Requirement(
        5.0,
        30.0,
        hand_error_m=HAND_ERROR_M,
        how="run it in MuJoCo with the arms of a robot: refine-dp run --controller robot_arms",
    ),
    Rung.SHADOW: Requirement(3.0, 30.0, how="run it on the robot with nothing sent: --hang shadow"),
    Rung.ARMS: Requirement(
        10.0, 30.0, hand_error_m=HAND_ERROR_M, gantry=True, how="run it with the arms only on the gantry: backend t1"
    ),
    Rung.WHOLE_BODY: Requirement(
        15.0, 7.0, hand_error_m=HAND_ERROR_M, gantry=True, how="run it on the gantry: backend t1_whole_body"
    ),
}
"""By the rung on which it is shown. What opens *free* expires first."""


@dataclass(frozen=True)
class RungState:
    """One rung for one robot with its controllers."""

    rung: Rung
    open: bool
    says: str
    "why, with numbers"
    remedy: str = ""
    expires_s: float = 0.0
    "wall clock at which it locks again unless more is shown; 0 where nothing expires"


def climb(records: Iterable[Evidence], robot: RobotId, subject: Subject, now_s: float) -> tuple[RungState, ...]:
    """Every rung, lowest first. now_s: wall clock."""
    if unknown := _unknown(robot, subject):
        locked = tuple(RungState(rung, False, *unknown) for rung in list(Rung)[1:])
        return (_simulation(), *locked)
    own = believed(records, robot, subject, now_s)
    states = [_simulation()]
    for below, requirement in REQUIREMENTS.items():
        states.append(_judge(Rung(below + 1), requirement, own, states[-1], now_s))
    return tuple(states)


def _simulation() -> RungState:
    return RungState(Rung.SIMULATION, True, "always open")


def _unknown(robot: RobotId, subject: Subject) -> tuple[str, str] | None:
    if not robot.key:
        return (
            "the robot says neither serial number nor name",
            "evidence is kept by robot: mend its information service",
        )
    if not subject.key:
        return "it is not known what drives the robot", "choose a source and its controllers, then look again"
    return None


def believed(records: Iterable[Evidence], robot: RobotId, subject: Subject, now_s: float) -> list[Evidence]:
    """Evidence of these controllers, by this robot or (lowest rung only) in simulation, oldest first, after breaches.

    A session without an end counts as one that ended badly: a crash must not look like nothing.
    """
    kept: list[Evidence] = []
    for record in sorted(records, key=lambda record: record.began_s):
        if record.subject != subject.key or not _is_of(record, robot):
            continue
        if record.breach or not record.finished:
            lowest = record.rung - 1 if record.rung >= Rung.ARMS else record.rung
            highest = max(Rung) if record.rung >= Rung.ARMS else record.rung
            kept = [old for old in kept if not lowest <= old.rung <= highest]
        elif max(record.began_s, record.ended_s) <= now_s + CLOCK_SLACK_S:
            kept.append(record)
    return kept


def _is_of(record: Evidence, robot: RobotId) -> bool:
    """The lowest rung is shown in the simulator, all others by the robot itself."""
    return record.robot == (SIMULATOR.key if record.rung == Rung.SIMULATION else robot.key)


def shown(record: Evidence, requirement: Requirement) -> str:
    """Why a session does not count, '' when it does."""
    minutes = record.driven_s / 60.0
    if record.hard_stops:
        return "it ended with a hard stop or a take-over"
    if record.targets < MIN_TARGET_HZ * record.driven_s:
        return f"targets came at {record.targets / max(record.driven_s, 1e-9):.0f} Hz, {MIN_TARGET_HZ:.0f} are needed"
    if record.holds > max(1.0, HOLDS_PER_MINUTE * minutes):
        return f"guards held the robot {record.holds} times in {minutes:.1f} min"
    if requirement.hand_error_m < float("inf"):
        if record.hand_samples < MIN_HAND_HZ * record.driven_s:
            return "the tracking of the hands was not measured"
        if record.hand_error_p95_m > requirement.hand_error_m:
            limit = 1e3 * requirement.hand_error_m
            return f"hands were {1e3 * record.hand_error_p95_m:.0f} mm off (95 %), {limit:.0f} mm are allowed"
    if requirement.gantry and record.rung < Rung.FREE and not record.gantry_by:
        return "nobody confirmed the gantry"
    return ""


def _judge(
    rung: Rung, requirement: Requirement, own: list[Evidence], below: RungState, now_s: float
) -> RungState:  # fmt: skip
    """Whether `rung` is open: what was shown on the rung below, or on a higher one, counts."""
    recent = [r for r in own if r.rung >= below.rung and now_s - r.ended_s <= DAY_S * requirement.valid_days]
    counted = [r for r in recent if not shown(r, requirement)]
    minutes = sum(r.driven_s for r in counted) / 60.0
    did = f"{below.rung.title}: {minutes:.1f} of {requirement.minutes:.0f} min without a breach"
    remedy = f"{requirement.how} ({max(requirement.minutes - minutes, 0.0):.1f} min more)"
    if not below.open:  # first things first: what is missing lowest is said
        return RungState(rung, False, below.says, below.remedy)
    if minutes < requirement.minutes:
        rejected = [(r, shown(r, requirement)) for r in recent if r not in counted]
        if rejected:
            did += f"; a session of {rejected[-1][0].driven_s / 60:.1f} min does not count: {rejected[-1][1]}"
        elif any(r.rung >= below.rung for r in own):
            did += f"; older than {requirement.valid_days:.0f} days does not count"
        return RungState(rung, False, did, remedy)
    expires_s = _expiry(counted, requirement)
    if below.expires_s:
        expires_s = min(expires_s, below.expires_s)
    return RungState(rung, True, did, "", expires_s)


def _expiry(counted: list[Evidence], requirement: Requirement) -> float:
    """When so much has expired that too little is left: the newest sessions that suffice decide."""
    minutes = 0.0
    for record in sorted(counted, key=lambda record: record.ended_s, reverse=True):
        minutes += record.driven_s / 60.0
        if minutes >= requirement.minutes:
            return record.ended_s + DAY_S * requirement.valid_days
    raise AssertionError("called only with enough evidence")


def refusal(states: Iterable[RungState], rung: Rung, robot: RobotId, subject: Subject) -> str:
    """Why a rung may not be used, with the remedy; '' when it may."""
    state = next(state for state in states if state.rung == rung)
    if state.open:
        return ""
    return (
        f"the rung '{rung.title}' is locked for {robot.title} with {subject.title}: {state.says}; "
        f"remedy: {state.remedy}"
    )
