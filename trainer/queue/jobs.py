"""The jobs that can be queued: their configs, presets, and how a config becomes an entry."""

import importlib
import shlex
from dataclasses import fields
from pathlib import Path
from typing import Any

from trainer.command_line import options_of, replace_runs_folder, subcommand_words
from trainer.queue.entry import Entry, QueueError
from trainer.queue.store import QueueStore
from trainer.typed_json import to_json

QUEUED_JOBS = ("collect", "train-controller", "pretrain", "finetune", "evaluate", "compare")
DEFAULT_RUNS = Path("runs")


def job_module(job: str) -> Any:
    """The module with the job's Config, PRESETS and main. Raises QueueError for a job that cannot be queued."""
    from trainer.cli import JOBS

    known = [name for name in QUEUED_JOBS if name in JOBS]
    if job not in known:
        raise QueueError(f"{job!r} cannot be queued; known: {', '.join(known)}")
    return importlib.import_module(JOBS[job].module)


def runs_folder(config: Any) -> Path:
    """Where a config wants its run folder. Raises TypeError for a job without one."""
    if hasattr(config, "runs"):
        return Path(config.runs)
    for field in fields(config):
        value = getattr(config, field.name)
        if hasattr(value, "runs"):
            return Path(value.runs)
    raise TypeError(f"{type(config).__name__} makes no run folder: it cannot be queued")


def snapshot(job: str, config: Any, root: Path) -> tuple[list[str], dict[str, Any]]:
    """(options, JSON) of a config as they are kept: complete, with run folders below `root`."""
    config = replace_runs_folder(config, root)
    kind = job_module(job).Config
    return [*subcommand_words(kind, config), *options_of(config)], to_json(config)


def enqueue(
    store: QueueStore, job: str, config: Any, folder: Path | None = None, priority: int = 0, after: tuple[int, ...] = ()
) -> Entry:
    """Add a job with a snapshot of its config. Raises QueueError for an input that is not in the queue."""
    arguments, stored = snapshot(job, config, store.root)
    return store.add(job, arguments, stored, folder or Path.cwd(), priority, after)


def command_text(job: str, words: list[str] | tuple[str, ...]) -> str:
    """The command line that a person can copy."""
    return shlex.join(["refine-dp", job, *words])
