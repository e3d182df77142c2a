"""What became of a job whose process has ended: from its run folder, its exit status and its last words."""

import signal
from dataclasses import replace
from pathlib import Path

from trainer.processes import ProcessId
from trainer.queue.entry import Entry, EntryState
from trainer.runs import Run, RunError, RunStatus, list_runs

TAIL_BYTES = 16_384
GONE = "its process is gone and left no word"
CLOCK_SLACK_S = 60.0
"""Run folders this much older than a process are not its own."""


def find_run(root: Path, process: ProcessId) -> Path | None:
    """The run folder that a process writes to, newest first."""
    for run in reversed(list_runs(root)):
        try:
            if (run.path / "status.json").stat().st_mtime < process.started_s - CLOCK_SLACK_S:
                continue
        except OSError:
            continue
        if writes_to(process, run.path):
            return run.path
    return None


def writes_to(process: ProcessId, run: Path) -> bool:
    """Whether a run folder is the one of this process."""
    try:
        return _same(Run.open(run).read_status(), process)
    except RunError:
        return False


def _same(status: RunStatus, process: ProcessId) -> bool:
    return status.pid == process.pid and abs(status.process_started_s - process.started_s) < 1.0


def tail(path: Path, lines: int = 20) -> list[str]:
    """The last lines of a log; a progress bar that was redrawn counts as its last state."""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    return [line.rsplit("\r", 1)[-1] for line in text.rstrip().split("\n")][-lines:]


def ended(entry: Entry, code: int | None, now_s: float, log: Path) -> Entry:
    """The entry after its process is gone; `code` is None for a process that somebody else started."""
    state, message = _judge(entry, code, log)
    return replace(entry, state=state, message=message, ended_s=now_s)


def _judge(entry: Entry, code: int | None, log: Path) -> tuple[EntryState, str]:
    if code is not None and code < 0 and not (entry.stop_asked and -code == signal.SIGINT):
        return "killed", f"killed by signal {-code} ({signal.Signals(-code).name})"
    status = _status_of(entry)
    if status is None:
        return _judge_without_run(entry, code, log)
    match status.state:
        case "finished" if code:
            return "failed", _last_words(log, code)
        case "killed" | "running":
            return ("stopped", "ended before it had saved") if entry.stop_asked else ("killed", GONE)
        case state:
            return state, status.message


def _judge_without_run(entry: Entry, code: int | None, log: Path) -> tuple[EntryState, str]:
    if code == 0:
        return "finished", ""
    if entry.stop_asked:
        return "stopped", "stopped before it had begun"
    if code is None:
        return "killed", GONE
    return "failed", _last_words(log, code)


def _status_of(entry: Entry) -> RunStatus | None:
    """Of the run folder, unless another process wrote it: a resumed job may end before it gets there."""
    if entry.run is None or entry.process is None:
        return None
    try:
        status = Run.open(Path(entry.run)).read_status()
    except RunError:
        return None
    return status if _same(status, entry.process) else None


def _last_words(log: Path, code: int) -> str:
    said = [line.strip() for line in tail(log) if line.strip() and not line.startswith("(set REFINE_DP_TRACE")]
    return said[-1] if said else f"ended with status {code}"
