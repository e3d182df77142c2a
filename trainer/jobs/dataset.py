"""Look at and change recorded data: info, check, replay, rerun, merge, trim, label, undo, trash, recover and more."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, assert_never

from tyro.conf import OmitArgPrefixes, Positional

from core.control.choices import ControllerName
from core.data.check import CheckLimits, check
from core.data.dataset import Dataset, Episode
from core.data.edit import compact, merge
from core.data.episodes import DatasetWriter, journal_path
from core.data.history import Operation
from core.data.journal import read_journal
from core.data.schema import EpisodeInfo
from trainer.jobs import dataset_tables as tables
from trainer.jobs.dataset_rerun import Rerun, run_rerun


@dataclass(frozen=True)
class Info:
    """What a data set holds."""

    path: Positional[Path]
    "data set (HDF5)"
    episodes: bool = False
    "list every episode"
    measures: bool = False
    "coverage of the task's start range (SACo) and trajectory quality (TQ)"
    json: bool = False
    "print JSON instead of tables"


@dataclass(frozen=True)
class Check:
    """Find gaps, wrong rates, NaN, constant columns, saturation, bad quaternions, missing fields. Status 1: errors."""

    path: Positional[Path]
    "data set (HDF5)"
    limits: OmitArgPrefixes[CheckLimits] = field(default_factory=CheckLimits)
    "what counts as right"
    json: bool = False
    "print JSON instead of tables"


@dataclass(frozen=True)
class Replay:
    """Run episodes again from their recorded start and report how far they are from the recording."""

    path: Positional[Path]
    "data set (HDF5)"
    episodes: Positional[tuple[str, ...]]
    "demo_0 demo_1 ..."
    mode: Literal["commands", "states"] = "commands"
    "commands: through the loop, open loop; states: put the simulator into every recorded state"
    controller: ControllerName = "learned"
    "arms as trained, as trained for a robot, or by inverse kinematics (as it was when the episode was recorded)"
    backend: Literal["mujoco", "fake"] = "mujoco"
    "simulator"
    json: bool = False
    "print JSON instead of tables"

    def __post_init__(self) -> None:
        if not self.episodes:
            raise ValueError("name at least one episode to replay: demo_0")


@dataclass(frozen=True)
class Merge:
    """Append the episodes of data sets to another (made when missing). Episodes that are there already are skipped."""

    output: Positional[Path]
    "data set to add to"
    inputs: Positional[tuple[Path, ...]]
    "data sets to read"


@dataclass(frozen=True)
class Trim:
    """Keep a part of an episode; the rest stays in the trash."""

    path: Positional[Path]
    "data set (HDF5)"
    episode: Positional[str]
    "demo_N"
    start: int = 0
    "first sample that is kept"
    stop: int | None = None
    "first sample that is dropped again, default: none"


@dataclass(frozen=True)
class Delete:
    """Move episodes to the trash."""

    path: Positional[Path]
    "data set (HDF5)"
    episodes: Positional[tuple[str, ...]]
    "demo_0 demo_1 ..."


@dataclass(frozen=True)
class Label:
    """Judge an episode anew."""

    path: Positional[Path]
    "data set (HDF5)"
    episode: Positional[str]
    "demo_N"
    verdict: Positional[Literal["success", "failure"]]
    "success or failure"
    label: str | None = None
    "a word of your own in place of the verdict"


def _check_count(count: int) -> None:
    if count < 1:
        raise ValueError(f"count must be at least 1, got {count}")


@dataclass(frozen=True)
class Undo:
    """Take back the last change: a kept, deleted, trimmed, labelled, restored or merged episode."""

    path: Positional[Path]
    "data set (HDF5)"
    count: int = 1
    "changes to take back"

    def __post_init__(self) -> None:
        _check_count(self.count)


@dataclass(frozen=True)
class Redo:
    """Do again what was undone last."""

    path: Positional[Path]
    "data set (HDF5)"
    count: int = 1
    "changes to do again"

    def __post_init__(self) -> None:
        _check_count(self.count)


@dataclass(frozen=True)
class Trash:
    """List what can be restored, and what undo would take back."""

    path: Positional[Path]
    "data set (HDF5)"
    json: bool = False
    "print JSON instead of tables"


@dataclass(frozen=True)
class Restore:
    """Bring a version back from the trash."""

    path: Positional[Path]
    "data set (HDF5)"
    version: Positional[str]
    "demo_N.k, as `trash` lists it"


@dataclass(frozen=True)
class Recover:
    """After a crash: repair the file and turn what was being recorded into episodes labelled 'recovered'."""

    path: Positional[Path]
    "data set (HDF5)"


@dataclass(frozen=True)
class Compact:
    """Empty the trash and the history and give their space back. Cannot be undone."""

    path: Positional[Path]
    "data set (HDF5)"


Config = (
    Info | Check | Replay | Rerun | Merge | Trim | Delete | Label | Undo | Redo | Trash | Restore | Recover | Compact
)  # fmt: skip


def main(config: Config) -> int:
    """Run one of the operations. Returns the exit status: 0 done, 1 findings or nothing done."""
    match config:
        case Info():
            return show_info(config)
        case Check():
            return run_check(config)
        case Replay():
            return run_replay(config)
        case Rerun():
            return run_rerun(config)
        case Trash():
            return show_trash(config)
        case Recover():
            return run_recover(config)
        case Merge():
            return run_merge(config)
        case Compact():
            return run_compact(config)
        case Trim() | Delete() | Label() | Undo() | Redo() | Restore():
            with DatasetWriter.open(config.path) as writer:
                return _edit(config, writer)
        case _:
            assert_never(config)


def _edit(config: Trim | Delete | Label | Undo | Redo | Restore, writer: DatasetWriter) -> int:
    match config:
        case Trim():
            stop = writer.info(config.episode).num_samples if config.stop is None else config.stop
            info = writer.trim(config.episode, config.start, stop)
            print(f"{info.name}: {info.num_samples} samples kept")
        case Delete():
            writer.delete(config.episodes)
            print(f"{len(config.episodes)} episodes moved to the trash; {writer.num_episodes} left")
        case Label():
            info = writer.set_label(config.episode, config.verdict == "success", config.label)
            print(f"{info.name}: {info.label}")
        case Restore():
            print(f"{writer.restore(config.version).name} is back")
        case Undo() | Redo():
            step, word = (writer.undo, "undone") if isinstance(config, Undo) else (writer.redo, "done again")
            done = [operation for _ in range(config.count) if (operation := step())]
            for operation in done:
                print(f"{word}: {operation.describe()} ({operation.date})")
            if not done:
                print(f"nothing left to be {word}")
            return 0 if done else 1
        case _:
            assert_never(config)
    return 0


def summary(dataset: Dataset) -> dict[str, Any]:
    """What `info` shows, as JSON."""
    infos = [episode.info for episode in dataset]
    journal = journal_path(dataset.path)
    return {
        "path": str(dataset.path),
        "bytes": dataset.path.stat().st_size,
        "task": dataset.spec.task,
        "command_hz": dataset.spec.command_hz,
        "observation_sizes": dict(dataset.spec.observation_sizes),
        "episodes": len(infos),
        "successes": dataset.num_successes,
        "samples": dataset.num_samples,
        "duration_s": sum(info.duration_s for info in infos),
        "sources": tables.count(info.source for info in infos),
        "backends": tables.count(info.backend for info in infos),
        "labels": tables.count(info.label for info in infos),
        "first_date": min((info.date for info in infos), default=""),
        "last_date": max((info.date for info in infos), default=""),
        "in_trash": len(dataset.trash),
        "unfinished": len(read_journal(journal).episodes) if journal.exists() else 0,
    }


def show_info(config: Info) -> int:
    """Print the summary."""
    dataset = Dataset(config.path)
    values = summary(dataset)
    if config.measures:
        from trainer.dataset_measures import dataset_measures

        values["measures"] = dataset_measures(dataset)
    if config.json:
        listed = {"list": [_as_json(e.info) for e in dataset]} if config.episodes else {}
        print(json.dumps(values | listed, indent=2))
        return 0
    tables.show_summary(values)
    if config.episodes:
        tables.show_episodes("episodes", [e.info for e in dataset])
    return 0


def _as_json(info: EpisodeInfo) -> dict[str, Any]:
    return {"name": info.name, **info.attributes()}


def run_check(config: Check) -> int:
    """Print the findings; status 1 when there are errors."""
    dataset = Dataset(config.path)
    with tables.progress("checking", len(dataset), quiet=config.json) as advance:
        findings = check(dataset, config.limits, advance)
    if config.json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        tables.show_findings(findings, len(dataset))
    return 1 if any(finding.level == "error" for finding in findings) else 0


def run_replay(config: Replay) -> int:
    """Replay episodes one after the other and print the distances."""
    dataset = Dataset(config.path)
    chosen = [dataset.episode(name) for name in config.episodes]
    results = []
    with tables.progress("replaying", len(chosen), quiet=config.json) as advance:
        for done, episode in enumerate(chosen, start=1):
            results.append(_replay(config, dataset, episode))
            advance(done)
    if config.json:
        print(json.dumps(results, indent=2))
    else:
        tables.show_replays(results, config.mode)
    return 0


def _replay(config: Replay, dataset: Dataset, episode: Episode) -> dict[str, Any]:
    from core.control.safety import SafetyFilter, SafetyLimits
    from core.replay import replay_commands, replay_states
    from core.tasks.catalogue import make_task
    from trainer.session.parts import load_controller, make_backend

    task = make_task(dataset.spec.task, 1)
    backend = make_backend(config.backend, task)
    try:
        if config.mode == "states":
            result = replay_states(episode, task, backend)
        else:
            controller = load_controller(config.controller, config.backend, 1)
            result = replay_commands(episode, task, backend, controller, SafetyFilter(SafetyLimits()))
    finally:
        backend.close()
    return tables.replay_summary(episode.info, result)


def show_trash(config: Trash) -> int:
    """Print what can be restored and what can be undone."""
    dataset = Dataset(config.path)
    trash, history = [episode.info for episode in dataset.trash], dataset.history
    if config.json:
        done = [vars(operation) for operation in history.done]
        print(json.dumps({"trash": [_as_json(info) for info in trash], "can_be_undone": done}, indent=2))
        return 0
    tables.show_episodes("trash", trash, by_version=True)
    last: Operation | None = history.done[-1] if history.done else None
    print(f"undo takes back: {last.describe()} ({last.date})" if last else "nothing to undo")
    return 0


def run_recover(config: Recover) -> int:
    """Opening for writing recovers."""
    with DatasetWriter.open(config.path) as writer:
        for info in writer.recovered:
            print(f"{info.name}: {info.num_samples} samples of an episode that was being recorded ({info.date})")
        print(f"{writer.path}: {writer.num_episodes} episodes, {writer.num_samples} samples")
    return 0


def run_merge(config: Merge) -> int:
    """Merge with a progress bar."""
    total = sum(len(Dataset(path)) for path in config.inputs)
    with tables.progress("merging", total) as advance:
        merged = merge(config.output, config.inputs, advance)
    print(f"{config.output}: {merged.added} episodes added, {merged.skipped} were there already")
    return 0


def run_compact(config: Compact) -> int:
    """Compact with a progress bar."""
    with tables.progress("compacting", len(Dataset(config.path))) as advance:
        saved = compact(config.path, advance)
    print(f"{config.path}: {saved / 1e6:.1f} MB given back")
    return 0
