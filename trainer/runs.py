"""Run folders: what a job was asked, which code ran it, what happened, and whether it still runs."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal, TypeVar

import psutil

from core.files import write_atomically
from trainer.processes import ProcessId
from trainer.typed_json import DecodeError, from_json, to_json

State = Literal["running", "finished", "stopped", "failed", "killed"]
"""killed is never written: it is what a reader sees when the process of a running job is gone."""

FORMAT_VERSION = 1
HEARTBEAT_PERIOD_S = 1.0
TENSORBOARD_FLUSH_S = 10
"""A killed job loses at most this much of its TensorBoard files; events.jsonl has all of it."""
ConfigT = TypeVar("ConfigT")


class RunError(ValueError):
    """A run folder that cannot be created, opened or read."""


@dataclass(frozen=True)
class CodeVersion:
    """Which code ran."""

    package: str
    "version of the installed package, or 'unknown'"
    commit: str | None
    "git commit of the source tree, None outside a git checkout"
    dirty: bool
    "true when the source tree had uncommitted changes"


@dataclass(frozen=True)
class RunInfo:
    """What run.json holds: how the run was started."""

    job: str
    seed: int
    created: str
    "local time with zone, ISO 8601"
    command: tuple[str, ...]
    "the command line that repeats it"
    python: str
    code: CodeVersion
    version: int = FORMAT_VERSION


@dataclass(frozen=True)
class RunStatus:
    """What status.json holds, and what a reader concludes from it."""

    state: State
    pid: int
    process_started_s: float
    "start time of the process (epoch); a reused pid is told apart by it"
    heartbeat_s: float
    "epoch time of the last sign of life"
    message: str = ""

    @property
    def process(self) -> ProcessId:
        """The process that wrote it."""
        return ProcessId(self.pid, self.process_started_s)


def code_version() -> CodeVersion:
    """The package version and, in a git checkout, the commit."""
    try:
        package = version("refine-dp")
    except PackageNotFoundError:
        package = "unknown"
    root = Path(__file__).resolve().parent.parent
    commit = _git(root, "rev-parse", "HEAD") if (root / ".git").exists() else None
    dirty = bool(_git(root, "status", "--porcelain", "--untracked-files=no")) if commit else False
    return CodeVersion(package, commit, dirty)


@cache
def software_version() -> str:
    """One string for recordings: package version, commit, and whether the tree was changed."""
    code = code_version()
    commit = f"+{code.commit[:10]}" if code.commit else ""
    return f"{code.package}{commit}{'.dirty' if code.dirty else ''}"


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


class Run:
    """A run folder: run.json, config.json, status.json, events.jsonl, checkpoints/, tensorboard/."""

    def __init__(self, path: Path) -> None:
        """Wrap an existing folder; use `create` or `open`."""
        self.path = path
        self._tensorboard: Any = None
        self._last_heartbeat = 0.0

    @classmethod
    def create(cls, root: Path, job: str, config: Any, seed: int) -> "Run":
        """A new folder `root/<time>-<job>` with its config (a dataclass), marked running by this process."""
        path = _new_folder(Path(root), job)
        (path / "checkpoints").mkdir()
        run = cls(path)
        created = datetime.now().astimezone().isoformat(timespec="seconds")
        info = RunInfo(job, seed, created, tuple(sys.argv), sys.version.split()[0], code_version())
        write_atomically(path / "run.json", json.dumps(to_json(info), indent=2))
        stored = {"version": getattr(config, "VERSION", 1), "config": to_json(config)}
        write_atomically(path / "config.json", json.dumps(stored, indent=2))
        run.status("running")
        return run

    @classmethod
    def open(cls, path: Path) -> "Run":
        """An existing run folder. Raises RunError when it is none."""
        path = Path(path)
        if not (path / "run.json").is_file():
            raise RunError(f"{path} is not a run folder: it has no run.json; give the folder that a job printed")
        return cls(path)

    @property
    def checkpoints(self) -> Path:
        """Folder of checkpoints."""
        return self.path / "checkpoints"

    def info(self) -> RunInfo:
        """How the run was started."""
        return _load(self.path / "run.json", RunInfo)

    def config(self, kind: type[ConfigT]) -> ConfigT:
        """The stored config as its dataclass. Raises RunError for another version or fields that do not fit."""
        stored = _load_json(self.path / "config.json")
        expected = getattr(kind, "VERSION", 1)
        if stored.get("version") != expected:
            raise RunError(
                f"{self.path / 'config.json'} has config version {stored.get('version')!r}, this program reads "
                f"{expected}; start a new run, or use the program version that wrote it"
            )
        try:
            return from_json(kind, stored.get("config"))
        except DecodeError as error:
            raise RunError(f"{self.path / 'config.json'}: {error}") from error

    def stored_config(self) -> dict[str, Any]:
        """The stored config as plain JSON, whichever version wrote it."""
        return dict(_load_json(self.path / "config.json").get("config") or {})

    def event(self, kind: str, **fields: Any) -> None:
        """Append one line to events.jsonl. A crash can tear only the line being written."""
        line = json.dumps({"time_s": time.time(), "kind": kind, **to_json(fields)}) + "\n"
        _append_line(self.path / "events.jsonl", line.encode())

    def events(self) -> Iterator[dict[str, Any]]:
        """Every whole line of events.jsonl in order; a torn line is skipped."""
        path = self.path / "events.jsonl"
        if not path.exists():
            return
        with path.open("rb") as file:
            for line in file:
                try:
                    event = json.loads(line)
                except ValueError:
                    continue
                if line.endswith(b"\n") and isinstance(event, dict):
                    yield event

    def scalars(self, step: int, **values: float) -> None:
        """Record scalars as an event and for TensorBoard; `a__b` becomes the tag a/b. Also a heartbeat."""
        named = {name.replace("__", "/"): float(value) for name, value in values.items()}
        self.event("scalars", step=step, values=named)
        writer = self._tensorboard_writer()
        if writer is not None:
            for name, value in named.items():
                writer.add_scalar(name, value, step)
        self.heartbeat()

    def _tensorboard_writer(self) -> Any:
        if self._tensorboard is None:
            try:
                from torch.utils.tensorboard import SummaryWriter

                self._tensorboard = SummaryWriter(str(self.path / "tensorboard"), flush_secs=TENSORBOARD_FLUSH_S)
            except ImportError as error:
                self.event("log", level="warning", text=f"no TensorBoard scalars: {error}; pip install tensorboard")
                self._tensorboard = False
        return self._tensorboard or None

    def status(self, state: Literal["running", "finished", "stopped", "failed"], message: str = "") -> None:
        """Write the state, and an event that says so."""
        self._write_status(state, message)
        self.event("status", state=state, message=message)

    def heartbeat(self, message: str = "") -> None:
        """Sign of life while running; cheap, writes at most once a second."""
        if time.monotonic() - self._last_heartbeat >= HEARTBEAT_PERIOD_S:
            self._write_status("running", message)

    def _write_status(self, state: State, message: str) -> None:
        self._last_heartbeat = time.monotonic()
        started = psutil.Process().create_time()
        status = RunStatus(state, os.getpid(), started, time.time(), message)
        write_atomically(self.path / "status.json", json.dumps(to_json(status), indent=2))

    def read_status(self) -> RunStatus:
        """The state now; a running job whose process is gone is reported as killed."""
        status = _load(self.path / "status.json", RunStatus)
        if status.state == "running" and not status.process.alive:
            return RunStatus("killed", status.pid, status.process_started_s, status.heartbeat_s, status.message)
        return status

    def close(self) -> None:
        """Flush TensorBoard. Safe to call twice."""
        if self._tensorboard:
            self._tensorboard.close()
            self._tensorboard = None


def list_runs(root: Path) -> list[Run]:
    """Every run folder under a root, oldest first."""
    root = Path(root)
    return [Run(path.parent) for path in sorted(root.glob("*/run.json"))] if root.is_dir() else []


def _new_folder(root: Path, job: str) -> Path:
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    for attempt in range(100):
        path = root / (f"{stamp}-{job}" if attempt == 0 else f"{stamp}-{job}-{attempt + 1}")
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise RunError(f"cannot create the run folder {path}: {error.strerror}; choose another folder") from error
        return path
    raise RunError(f"cannot create a run folder in {root}: {stamp}-{job} and 99 others exist")


def _append_line(path: Path, line: bytes) -> None:
    """One write call in append mode; a line torn by a crash is closed first so that it cannot swallow this one."""
    with path.open("a+b", buffering=0) as file:
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                line = b"\n" + line
        file.write(line)


def _load_json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"cannot read {path}: {error}") from error
    if not isinstance(data, dict):
        raise RunError(f"cannot read {path}: expected a JSON object")
    return data


def _load(path: Path, kind: type[ConfigT]) -> ConfigT:
    try:
        return from_json(kind, _load_json(path))
    except DecodeError as error:
        raise RunError(f"cannot read {path}: {error}") from error
