"""The frame of every job: a new or resumed run folder, a clean stop, and a state in the folder however the job ends."""

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from trainer.interrupt import stop_on_signals
from trainer.runs import Run, RunError

ConfigT = TypeVar("ConfigT")
StopRequested = Callable[[], bool]
"""Whether somebody asked the job to stop; a job looks at it between two pieces of work."""
EXIT_STOPPED = 130


def open_run(
    job: str,
    config: ConfigT,
    runs: Path,
    seed: int,
    resume: Path | None = None,
    check: Callable[[ConfigT], object] = lambda config: None,
) -> tuple[Run, ConfigT]:
    """A new run folder below `runs` with this config; or the folder `resume`, with the config that it was begun with.

    `check` looks at the inputs of a new run and raises for those that cannot be used: then no folder is made.
    Raises RunError for a folder that is no run, is a run of another job, or is still at work.
    """
    if resume is None:
        check(config)
        return Run.create(runs, job, config, seed), config
    run = Run.open(resume)
    _check_resumable(run, job)
    stored = run.config(type(config))
    run.status("running", "resumed")
    return run, stored


def _check_resumable(run: Run, job: str) -> None:
    """Raises RunError."""
    made_by, status = run.info().job, run.read_status()
    if made_by != job:
        raise RunError(f"{run.path} is a run of {made_by}, {job} cannot go on with it; give a run folder of {job}")
    if status.state == "running":
        raise RunError(f"{run.path} still runs (process {status.pid}): stop that process first, or let it finish")


def work_in(run: Run, work: Callable[[StopRequested], bool], go_on: str = "") -> int:
    """Work in a run folder until all is done or a signal asks to stop. Returns 0 when all was done, 130 otherwise.

    `work` is told how to ask for a stop and returns whether it did everything; `go_on` tells the user how a stopped
    job is continued. An error is noted in the run folder and raised again.
    """
    print(f"run folder {run.path}", flush=True)
    try:
        with stop_on_signals() as stop:
            complete = work(lambda: stop.requested)
        run.status("finished" if complete else "stopped")
    except KeyboardInterrupt:
        run.status("failed", "ended at once by a second Ctrl-C; work since the last checkpoint is lost")
        raise
    except BaseException as error:
        run.status("failed", f"{type(error).__name__}: {error}")
        raise
    finally:
        run.close()
    if not complete:
        print(f"stopped; {go_on}" if go_on else "stopped")
    return 0 if complete else EXIT_STOPPED


def resume_hint(subcommand: str, run: Run) -> str:
    """The command that goes on with a stopped run."""
    return f"go on with: refine-dp {subcommand} --resume {shlex.quote(str(run.path))}"
