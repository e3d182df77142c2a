"""What was shown on which rung of the ladder, by which robot and which controllers (plain data, no file, no robot)."""

import hashlib
import math
from dataclasses import asdict, dataclass, field, fields, replace
from enum import IntEnum
from typing import Any, Literal

import numpy as np

Hang = Literal["shadow", "gantry", "free"]
"""How a person puts the robot up: nothing is sent to it; it hangs in the gantry; it stands on its own."""
BodyMode = Literal["upper_body", "custom"]
"""What is driven: arms while the firmware balances, or every joint."""

BIN_M = 0.001
BINS = 301
"""Hand errors are counted in bins of 1 mm; the last holds everything from 0.3 m on."""


class Rung(IntEnum):
    """The ladder from simulation to a robot on its own feet; each rung opens the next."""

    SIMULATION = 0
    SHADOW = 1
    ARMS = 2
    WHOLE_BODY = 3
    FREE = 4

    @property
    def title(self) -> str:
        """As people read it."""
        return TITLES[self]


TITLES = {
    Rung.SIMULATION: "simulation",
    Rung.SHADOW: "shadow",
    Rung.ARMS: "gantry, arms only",
    Rung.WHOLE_BODY: "gantry, whole body",
    Rung.FREE: "free",
}


def rung_of(hang: Hang, mode: BodyMode) -> Rung:
    """The rung that a session on a robot stands on."""
    match hang:
        case "shadow":
            return Rung.SHADOW
        case "gantry":
            return Rung.ARMS if mode == "upper_body" else Rung.WHOLE_BODY
        case "free":
            return Rung.FREE
    raise ValueError(f"hang {hang!r} does not exist; known: shadow, gantry, free")


@dataclass(frozen=True)
class RobotId:
    """One robot, by what its information service says."""

    serial: str
    name: str = ""
    model: str = ""
    simulated: bool = False

    @classmethod
    def from_info(cls, info: dict[str, str]) -> "RobotId":
        """Of the answer of the service. A robot counts as simulated only when serial and version both say so."""
        serial, version = info.get("serial_number", ""), info.get("version", "")
        simulated = serial.startswith("SIM") and version == "simulated"
        return cls(serial, info.get("name", ""), info.get("model", ""), simulated)

    @property
    def key(self) -> str:
        """What evidence is filed under; '' for a robot that says neither serial number nor name."""
        if not self.serial and not self.name:
            return ""
        kind = "simulated" if self.simulated else "robot"
        return f"{kind}:{self.serial}" if self.serial else f"{kind}:name:{self.name}"

    @property
    def title(self) -> str:
        """As people read it."""
        name = self.serial or self.name or "a robot that does not say who it is"
        return f"{name} (simulated)" if self.simulated else name


SIMULATOR = RobotId("MuJoCo", "", "T1", simulated=True)
"""Where the lowest rung is climbed: no robot at all."""


@dataclass(frozen=True)
class Subject:
    """What drives: the controllers and, for a trained planner, its weights, by content."""

    source: str = ""
    "heuristic, keyboard, vr or policy"
    controller: str = ""
    "digest of the whole-body controller's files"
    checkpoint: str = ""
    "digest of the planner's file; '' for the other sources"

    @property
    def key(self) -> str:
        """What evidence is filed under; '' while the controllers are not known."""
        if not self.source or not self.controller or (self.source == "policy") != bool(self.checkpoint):
            return ""
        text = "\n".join((self.source, self.controller, self.checkpoint))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def title(self) -> str:
        """As people read it."""
        parts = [self.source or "unknown source", f"controllers {self.controller[:8] or 'unknown'}"]
        return ", ".join([*parts, f"planner {self.checkpoint[:8]}"] if self.checkpoint else parts)


@dataclass(frozen=True)
class Evidence:
    """One session on one rung: measured facts, and who vouched for what cannot be measured."""

    id: str
    rung: int
    robot: str
    "RobotId.key"
    subject: str
    "Subject.key"
    began_s: float
    "wall clock, seconds since 1970"
    ended_s: float = 0.0
    "0 while it goes on"
    driven_s: float = 0.0
    "time in which targets came and were followed (shadow: were made)"
    targets: int = 0
    "joint targets, 50 a second when all is well"
    holds: int = 0
    "times at which a guard held the robot still or stopped it softly"
    stops: int = 0
    "stops by a person, of either kind"
    hard_stops: int = 0
    "of these, hard ones; and take-overs by the remote control"
    interventions: int = 0
    "commands that the safety filter changed"
    breach: str = ""
    "the first guard that found the session dangerous; '' for none"
    hand_samples: int = 0
    hand_error_p95_m: float = 0.0
    "distance between commanded and measured hands, 95th percentile; says nothing without samples"
    max_tilt_rad: float = 0.0
    gantry_by: str = ""
    "name of the person who confirmed that the gantry holds the robot"
    gantry_s: float = 0.0
    "when, wall clock"
    remote_by: str = ""
    "name of the person with the remote control in the hand"
    remote_s: float = 0.0
    speed_m_s: float = 0.0
    "largest walking speed that was allowed"
    hand_speed_m_s: float = 0.0
    "largest hand speed that was allowed"
    loosened_by: str = ""
    "who allowed more than the limits of hardware, '' for nobody"
    title: str = ""
    "robot and controllers as people read them"
    software: str = ""

    def __post_init__(self) -> None:
        for item in fields(self):
            _check_value(item.name, getattr(self, item.name), item.type)
        if self.rung not in list(Rung):
            raise ValueError(f"rung must be 0 to {max(Rung)}, got {self.rung}")
        if not self.id or not self.robot or not self.subject:
            raise ValueError("evidence needs an id, a robot and a subject")
        if self.ended_s and self.ended_s < self.began_s:
            raise ValueError(f"ended ({self.ended_s}) before it began ({self.began_s})")
        if self.ended_s and self.driven_s > self.ended_s - self.began_s + 1.0 and self.rung != Rung.SIMULATION:
            raise ValueError(f"driven for {self.driven_s} s in a session of {self.ended_s - self.began_s:.1f} s")

    @property
    def finished(self) -> bool:
        """Whether the session said how it ended."""
        return self.ended_s > 0

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Any) -> "Evidence":
        """Strictly: every field, no other, of its type. Raises ValueError naming what is wrong."""
        if not isinstance(data, dict):
            raise ValueError(f"evidence must be an object, got {type(data).__name__}")
        known = {item.name for item in fields(cls)}
        if set(data) != known:
            raise ValueError(f"evidence has other fields: {', '.join(sorted(set(data) ^ known))}")
        for item in fields(cls):
            _check_value(item.name, data[item.name], item.type)
        return cls(**data)


def _check_value(name: str, value: object, kind: Any) -> None:
    """Numbers are finite and not negative; a whole number serves where a real one is asked for."""
    if kind is str:
        if not isinstance(value, str):
            raise ValueError(f"{name} must be text, got {value!r}")
        return
    allowed = (int,) if kind is int else (int, float)
    if isinstance(value, bool) or not isinstance(value, allowed):
        raise ValueError(f"{name} must be a {'whole ' if kind is int else ''}number, got {value!r}")
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"{name} must be finite and not negative, got {value!r}")


@dataclass
class ErrorCounts:
    """Hand errors of a session, counted in bins: a percentile without keeping every sample."""

    counts: np.ndarray = field(default_factory=lambda: np.zeros(BINS, dtype=np.int64))

    def add(self, error_m: float) -> None:
        """One sample. What is not a number counts as the largest error."""
        known = math.isfinite(error_m) and error_m >= 0
        self.counts[min(int(error_m / BIN_M), BINS - 1) if known else BINS - 1] += 1

    @property
    def samples(self) -> int:
        """How many."""
        return int(self.counts.sum())

    def percentile_m(self, share: float) -> float:
        """Upper edge of the bin below which this share of the samples lies; 0 without samples."""
        if not self.samples:
            return 0.0
        reached = np.cumsum(self.counts) >= share * self.samples - 1e-9
        return BIN_M * (int(reached.argmax()) + 1)


def finish(evidence: Evidence, ended_s: float, counts: ErrorCounts, **facts: Any) -> Evidence:
    """The record of a session that ended."""
    return replace(
        evidence, ended_s=ended_s, hand_samples=counts.samples, hand_error_p95_m=counts.percentile_m(0.95), **facts
    )
