"""Safety logs read back: which there are, and each line in words (no torch, no Qt)."""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path("runs") / "robot"
PREFIX, SUFFIX = "safety-", ".jsonl"
ALARMS = ("stop", "stop_not_confirmed", "deadman", "deadman_done", "hold", "no_robot", "refused", "orphaned", "error")
"""Events that a person should look at first."""
_COMMON = ("time_s", "wall_s", "who", "event")


@dataclass(frozen=True)
class Entry:
    """One line of a log."""

    wall_s: float
    "when, seconds since 1970"
    time_s: float
    "when, monotonic clock of the computer: what intervals are measured by"
    who: str
    "agent, dead-man or session"
    event: str
    details: dict[str, Any]

    @property
    def alarming(self) -> bool:
        """Whether it tells of a stop, a watchdog or something refused."""
        return self.event in ALARMS

    @property
    def words(self) -> str:
        """The details in one line."""
        return describe(self.event, self.details)


@dataclass(frozen=True)
class Log:
    """One session's log."""

    path: Path
    entries: tuple[Entry, ...]
    broken: int
    "lines that could not be read (a computer that lost its power in the middle of one)"


def new_log(folder: Path = FOLDER) -> Path:
    """The file of a session that begins now; its folder is made."""
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{PREFIX}{time.strftime('%Y%m%d-%H%M%S')}{SUFFIX}"


def logs(folder: Path = FOLDER) -> tuple[Path, ...]:
    """Every log, the newest first."""
    return tuple(sorted(folder.glob(f"{PREFIX}*{SUFFIX}"), reverse=True))


def read_log(path: Path) -> Log:
    """Every line, in the order of time: several processes write one file. Raises OSError when it cannot be read."""
    entries, broken = [], 0
    for line in path.read_text(errors="replace").splitlines():
        try:
            entries.append(_entry(json.loads(line)))
        except (ValueError, KeyError, TypeError, AttributeError):
            broken += 1
    return Log(path, tuple(sorted(entries, key=lambda entry: entry.time_s)), broken)


def _entry(data: dict[str, Any]) -> Entry:
    details = {name: value for name, value in data.items() if name not in _COMMON}
    return Entry(float(data["wall_s"]), float(data["time_s"]), str(data.get("who", "agent")), data["event"], details)


def describe(event: str, details: dict[str, Any]) -> str:
    """The details of an event in words."""
    if event == "intervention":
        changes = (f"{name} {_value(asked)} → {_value(sent)}" for name, (asked, sent) in details["changed"].items())
        return f"{', '.join(details['kinds'])}: {', '.join(changes)}"
    if event == "stop_confirmed":
        return f"by the robot, {details['ms']:.1f} ms after the press"
    return ", ".join(f"{name.replace('_', ' ')} {_value(value)}" for name, value in details.items() if value != "")


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return "not a number" if value is None else str(value)


def clock(wall_s: float) -> str:
    """Time of day with milliseconds."""
    return f"{time.strftime('%H:%M:%S', time.localtime(wall_s))}.{int(1e3 * (wall_s % 1)):03d}"
