"""Jobs started from the window: the same commands as in a terminal, in processes that outlive the window."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from trainer.runs import Run, RunError, State, list_runs

RUNS_ROOT = Path("runs")
"Where jobs put their run folders, unless told otherwise: below the folder in which the window was started"
TAIL_BYTES = 16_384
"So much of the end of events.jsonl is read for the newest progress"


@dataclass(frozen=True)
class CollectRequest:
    """What to collect in the background."""

    dataset: Path = Path("demonstrations.hdf5")
    "data set that the episodes are added to; made when it does not exist"
    episodes: int = 100
    "episodes to record"
    task: Literal["box_pickup"] = "box_pickup"
    "the task"
    source: Literal["heuristic"] = "heuristic"
    "who commands"
    seed: int = 0
    "seed of the first episode"
    success_only: bool = False
    "keep only successes, and go on until there are that many"

    def __post_init__(self) -> None:
        if self.episodes < 1:
            raise ValueError(f"episodes must be at least 1, got {self.episodes}")
        if self.dataset.suffix not in (".hdf5", ".h5"):
            raise ValueError(f"dataset must end in .hdf5 or .h5, got {self.dataset.name!r}")

    def arguments(self) -> list[str]:
        """The command line below `refine-dp`."""
        result = ["collect", "--task", self.task, "--source", self.source, "--episodes", str(self.episodes)]
        result += ["--dataset", str(self.dataset), "--seed", str(self.seed)]
        return result + (["--success-only"] if self.success_only else [])


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
    """(share done, text) of the newest progress event: one with `done` and `total`."""
    for event in reversed(_tail(path)):
        done, total = event.get("done"), event.get("total")
        if isinstance(done, int | float) and isinstance(total, int | float) and total > 0:
            extra = str(event.get("text", ""))
            return min(done / total, 1.0), f"{done:g} of {total:g} {extra}".strip()
    return float("nan"), ""


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
