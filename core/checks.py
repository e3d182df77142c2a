"""Lines of a check that a person reads: what was looked at, what was found, what to do about it (no torch, no Qt)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Level = Literal["good", "caution", "bad"]
MARKS: dict[Level, str] = {"good": "✔", "caution": "●", "bad": "✘"}


@dataclass(frozen=True)
class Line:
    """One thing that was looked at."""

    level: Level
    what: str
    says: str
    "what was found"
    remedy: str = ""
    "what to do about it; empty when all is well"


def is_ready(lines: Iterable[Line]) -> bool:
    """Whether nothing speaks against it."""
    return all(line.level != "bad" for line in lines)


def printed(lines: Iterable[Line]) -> list[str]:
    """The lines as a terminal shows them."""
    text = []
    for line in lines:
        text.append(f"{MARKS[line.level]} {line.what}: {line.says}")
        if line.remedy:
            text.append(f"    {line.remedy}")
    return text
