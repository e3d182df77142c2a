"""The jobs that the Train page has a form for: config, presets, what is not shown."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from trainer.cli import JOBS
from trainer.jobs.train_controller import PART_PRESETS, LowerJob, UpperJob
from trainer.queue.jobs import QUEUED_JOBS
from trainer.run_rows import RunRow
from trainer.runs import Run, RunError
from trainer.typed_json import DecodeError, from_json

CONTROLLER_JOB = "train-controller"
HIDDEN = ("runs", "resume", "backend", "json", "require_ready")
"Fields that the window answers itself: runs are kept where it looks, resuming is a button, results are in the run"
FALLBACKS: dict[str, dict[str, Any]] = {"collect": {"dataset": Path("data") / "collected.hdf5"}}
"Values for fields without default"


@dataclass(frozen=True)
class Kind:
    """A job with a form."""

    job: str
    title: str
    config: type[Any]
    presets: dict[str, Any]
    help: str
    part: str = ""
    "of train-controller: upper or lower"
    unfolded: tuple[str, ...] = ()
    "configs inside the config whose options are shown as if they were its own"

    def default(self) -> Any:
        """The config to begin with."""
        return self.config(**FALLBACKS.get(self.job, {}))


def all_kinds() -> tuple[Kind, ...]:
    """Every queued job that this program has."""
    kinds = []
    for job in (name for name in QUEUED_JOBS if name in JOBS):
        if job == CONTROLLER_JOB:
            kinds += [_controller_kind(part) for part in ("lower", "upper")]
            continue
        module = importlib.import_module(JOBS[job].module)
        kinds.append(Kind(job, job, module.Config, getattr(module, "PRESETS", {}), JOBS[job].help))
    return tuple(kinds)


def _controller_kind(part: str) -> Kind:
    config = LowerJob if part == "lower" else UpperJob
    text = f"train the {part} body controller"
    presets = dict(PART_PRESETS[part])
    return Kind(CONTROLLER_JOB, f"{CONTROLLER_JOB} {part}", config, presets, text, part, ("options", "learner"))


def config_of_row(row: RunRow, kinds: tuple[Kind, ...]) -> tuple[Kind, Any]:
    """The form and the settings of a job, to duplicate it. Raises RunError when they cannot be read."""
    if row.entry is not None and row.entry.config:
        job, stored = row.entry.job, row.entry.config
        part = row.entry.arguments[0] if job == CONTROLLER_JOB else ""
    elif row.path is not None:
        run = Run.open(row.path)
        job, stored, part = run.info().job, run.stored_config(), ""
        if job.startswith("train-"):
            job, part = CONTROLLER_JOB, job.removeprefix("train-")
    else:
        raise RunError(f"{row.title} has no settings to copy")
    kind = next((kind for kind in kinds if (kind.job, kind.part) == (job, part)), None)
    if kind is None:
        raise RunError(f"a run of {job!r} has no form here; its command line can be copied")
    try:
        config = from_json(kind.config, stored)
    except DecodeError as error:
        raise RunError(f"the settings of {row.title} are of another version of the program: {error}") from error
    return kind, _fresh(config)


def _fresh(config: Any) -> Any:
    """The same settings for a new run."""
    if hasattr(config, "options"):
        return replace(config, options=_fresh(config.options))
    return replace(config, resume=None) if hasattr(config, "resume") else config


Check = Callable[[Any], str]
"What a config still lacks before it can be queued, '' for nothing"


def missing(kind: Kind, config: Any) -> str:
    """What is to be chosen before this job can be queued; '' for nothing."""
    if kind.job == "pretrain" and config.dataset is None:
        return "choose a data set"
    if kind.job == "finetune" and config.checkpoint is None:
        return "choose a planner"
    if kind.job == "compare" and config.dataset is None and config.from_json is None and not config.use:
        return "choose a data set (or planners that exist: use)"
    return ""
