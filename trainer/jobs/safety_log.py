"""Show the safety log of a robot session: limits in force, interventions, stops with their times, watchdogs.

Without a file: the newest one. --list shows all of them.
"""

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from trainer.safety_log import FOLDER, Entry, clock, logs, read_log


@dataclass(frozen=True)
class Config:
    """Which log, and what of it."""

    path: Positional[Path | None] = None
    "log to show; none: the newest one"
    folder: Path = FOLDER
    "where the logs are"
    list: bool = False
    "only list the logs, the newest first"
    alarms: bool = False
    "only stops, watchdogs and what was refused"


def main(config: Config) -> int:
    """Print it. Returns 0, 1 when there is none."""
    known = logs(config.folder)
    if config.list:
        for path in known:
            print(path)
        return 0 if known else 1
    path = config.path or (known[0] if known else None)
    if path is None:
        print(f"no safety log in {config.folder}: each session with a robot writes one there")
        return 1
    log = read_log(path)
    shown = [entry for entry in log.entries if entry.alarming or not config.alarms]
    print(f"{path}: {len(log.entries)} entries" + (f", {log.broken} broken lines" if log.broken else ""))
    for entry in shown:
        print(line(entry))
    return 0


def line(entry: Entry) -> str:
    """One entry as the terminal shows it."""
    return f"{clock(entry.wall_s)}  {entry.who:<8}  {entry.event:<18}  {entry.words}"
