"""Jobs started from the window: the same commands as in a terminal, in processes that outlive the window."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from trainer.runs import Run, RunError, State, list_runs

RUNS_ROOT = Path("runs")
"Where jobs put their run folders, unless told otherwise: below the folder in which the window was started"
SCALARS_SHOWN = 4
TAIL_BYTES = 16_384
"So much of the end of events.jsonl is read for the newest progress"


def command_line(job: str, config: Any) -> list[str]:
    """What to type after `refine-dp` to start a job with a config: its options are the fields, by name."""
    arguments = [job]
    for field in fields(config):
        option, value = field.name.replace("_", "-"), getattr(config, field.name)
        if isinstance(value, bool):
            arguments.append(f"--{option}" if value else f"--no-{option}")
        elif isinstance(value, tuple):
            arguments += [f"--{option}", *map(str, value)]
        else:
            arguments += [f"--{option}", str(value)]
    return arguments


@dataclass(frozen=True)
class JobRow:
    """What a run folder says."""

    path: Path
    job: str
    created: str
    state: State
    pid: int
    done: float
    "0 to 1; NaN when the job did not say"
    text: str


def launch(arguments: list[str], log: Path) -> subprocess.Popen[bytes]:
    """Start `refine-dp ARGUMENTS` in a process of its own session: it goes on when the window closes or crashes."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "trainer.cli", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def read_jobs(root: Path) -> tuple[JobRow, ...]:
    """Every run folder, newest first; folders that cannot be read are left out."""
    rows = []
    for run in reversed(list_runs(root)):
        try:
            rows.append(_read_job(run))
        except RunError:
            continue
    return tuple(rows)


def _read_job(run: Run) -> JobRow:
    info, status = run.info(), run.read_status()
    done, text = newest_progress(run.path / "events.jsonl")
    return JobRow(run.path, info.job, info.created, status.state, status.pid, done, status.message or text)


def newest_progress(path: Path) -> tuple[float, str]:
    """(share done, text) of the newest event with `done` and `total`; else the newest scalars as text."""
    scalars = ""
    for event in reversed(_tail(path)):
        done, total = event.get("done"), event.get("total")
        if isinstance(done, int | float) and isinstance(total, int | float) and total > 0:
            extra = str(event.get("text", ""))
            return min(done / total, 1.0), f"{done:g} of {total:g} {extra}".strip()
        if not scalars and event.get("kind") == "scalars":
            values = list(event.get("values", {}).items())[:SCALARS_SHOWN]
            scalars = f"step {event.get('step')}: " + ", ".join(f"{name} {value:.4g}" for name, value in values)
    return float("nan"), scalars


def _tail(path: Path) -> list[dict[str, Any]]:
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - TAIL_BYTES))
            lines = file.read().splitlines()
    except OSError:
        return []
    events = []
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict):
            events.append(event)
    return events


def stop_job(row: JobRow) -> None:
    """Ask a running job to end cleanly (what Ctrl-C does in a terminal)."""
    if Run.open(row.path).read_status().state == "running":
        os.kill(row.pid, signal.SIGINT)
