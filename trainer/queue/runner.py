"""The one process that runs the queue of a runs folder: `python -m trainer.queue.runner RUNS`; ends when all is done.

Jobs lead sessions of their own: they go on when the runner dies, and the next runner watches them to their end.
"""

import argparse
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import psutil

from trainer.processes import ProcessId
from trainer.queue.entry import Entry, QueueError
from trainer.queue.inputs import filled_in
from trainer.queue.outcome import ended, find_run, writes_to
from trainer.queue.store import QueueStore, why_not_yet

POLL_S = 0.3
SOURCE = Path(__file__).resolve().parents[2]
"""Jobs are started in the folder where they were added; they find this program also where it is not installed."""
RESUMABLE_JOBS = ("pretrain", "finetune", "compare", "train-controller")
"""Jobs with --resume; others are begun again, and collect goes on with its data set."""


class Process(Protocol):
    """What the runner needs of a `subprocess.Popen`."""

    pid: int

    def poll(self) -> int | None: ...


Launch = Callable[[list[str], Path, Path], Process]
"""(command, folder, log) -> a process that runs it."""


def launch(command: list[str], folder: Path, log: Path) -> subprocess.Popen[bytes]:
    """A process in a session of its own whose output goes to a log."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, cwd=folder,
            start_new_session=True, env=environment(),
        )  # fmt: skip


def environment() -> dict[str, str]:
    """This process's, in which Python finds this program."""
    paths = [str(SOURCE), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


@dataclass
class Child:
    """The job at work, and its exit status when it is a child of this process."""

    entry_id: int
    process: ProcessId
    handle: Process | None

    def poll(self) -> tuple[bool, int | None]:
        """(ended, exit status); the status of somebody else's child cannot be known."""
        if self.handle is None:
            return not self.process.alive, None
        code = self.handle.poll()
        return code is not None, code


class Runner:
    """Starts the next job when none is at work, and writes down what becomes of each."""

    def __init__(self, store: QueueStore, launch: Launch = launch, now: Callable[[], float] = time.time) -> None:
        self.store = store
        self._launch = launch
        self._now = now
        self.child: Child | None = None

    def step(self) -> bool:
        """Look once. Returns whether there is anything left to do; call again in a moment if so."""
        with self.store.locked():
            self._adopt()
            if self.child is not None:
                self._watch(self.child)
            if self.child is None:
                self._start_next()
            return self.child is not None

    # ------------------------------------------------------------------ what runs

    def _adopt(self) -> None:
        """Jobs that a killed runner left behind: watched when they live, else their end is written down."""
        for entry in self.store.entries():
            if entry.state != "running" or (self.child is not None and entry.id == self.child.entry_id):
                continue
            if entry.process is not None and entry.process.alive and self.child is None:
                self.child = Child(entry.id, entry.process, None)
                self.store.write(replace(entry, adopted=True, message="its runner was killed; watched by another"))
            elif entry.process is None or not entry.process.alive:
                self._end(entry, None)

    def _watch(self, child: Child) -> None:
        over, code = child.poll()
        entry = self._with_run(self.store.get(child.entry_id))
        if over:
            self.child = None
            self._end(entry, code)

    def _with_run(self, entry: Entry) -> Entry:
        """The entry with its run folder noted, once the job has made one."""
        if entry.process is None or (entry.run is not None and writes_to(entry.process, Path(entry.run))):
            return entry
        run = find_run(self.store.root, entry.process)
        if run is None:
            return entry
        return self.store.write(replace(entry, run=str(run)))

    def _end(self, entry: Entry, code: int | None) -> None:
        entry = self._with_run(entry)
        self.store.write(ended(entry, code, self._now(), self.store.log_path(entry.id)))

    # ------------------------------------------------------------------ what comes next

    def _start_next(self) -> None:
        """Start one job at most; every other one says what it waits for now."""
        entries, started = {entry.id: entry for entry in self.store.entries()}, False
        for number in list(entries):
            entry = entries[number]
            if entry.state != "waiting":
                continue
            skip, reason = why_not_yet(entry, entries)
            if skip and not started:
                # those behind it in the list see this at once, those before it when the runner looks again
                entries[number] = self._skip(entry, reason)
                self._start_next()
                return
            if not reason and not started:
                started = self._start(entry, entries)
            elif not skip and reason != entry.message:
                self.store.write(replace(entry, message=reason))

    def _skip(self, entry: Entry, reason: str) -> Entry:
        return self.store.write(replace(entry, state="skipped", message=reason, ended_s=self._now()))

    def _start(self, entry: Entry, entries: dict[int, Entry]) -> bool:
        """Returns whether it runs; what cannot even be started has failed."""
        log = self.store.log_path(entry.id)
        try:
            command = command_of(entry, entries)
            handle = self._launch(command, Path(entry.folder), log)
            process = ProcessId.of(handle.pid)
        except (QueueError, OSError, psutil.NoSuchProcess) as error:
            self.store.write(replace(entry, state="failed", message=str(error), ended_s=self._now()))
            return False
        started_s = self._now()
        self.store.write(replace(entry, state="running", message="", process=process, started_s=started_s))
        self.child = Child(entry.id, process, handle)
        return True


def command_of(entry: Entry, entries: dict[int, Entry]) -> list[str]:
    """What starts a job, or goes on with its run. Raises QueueError when an input is not there."""
    start = [sys.executable, "-m", "trainer.cli"]
    if entry.resume and entry.run is not None and entry.job in RESUMABLE_JOBS:
        part = [entry.arguments[0]] if entry.job == "train-controller" else []
        return [*start, entry.job, *part, "--resume", entry.run]
    return [*start, entry.job, *filled_in(entry.arguments, entries)]


def take_runner_lock(store: QueueStore) -> int | None:
    """The lock that makes this process the runner, None when there is one already."""
    store.folder.mkdir(parents=True, exist_ok=True)
    fd = os.open(store.runner_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    os.ftruncate(fd, 0)
    os.pwrite(fd, str(os.getpid()).encode(), 0)
    return fd


def serve(store: QueueStore, sleep: Callable[[float], None] = time.sleep) -> int:
    """Run the queue until nothing can be started. Returns the exit status."""
    lock = take_runner_lock(store)
    if lock is None:
        return 0
    runner = Runner(store)
    while True:
        if runner.step():
            sleep(POLL_S)
            continue
        # let go of the runner's lock inside the queue's: who adds a job after this finds no runner and starts one
        with store.locked():
            if not anything_to_do(store):
                os.close(lock)
                return 0


def anything_to_do(store: QueueStore) -> bool:
    """Whether a job is at work (or was, when its runner died), can be started, or has to be skipped."""
    entries = {entry.id: entry for entry in store.entries()}

    def can_go_on(entry: Entry) -> bool:
        skip, reason = why_not_yet(entry, entries)
        return skip or not reason

    return any(e.state == "running" or (e.state == "waiting" and can_go_on(e)) for e in entries.values())


def ensure_runner(store: QueueStore) -> None:
    """Start a runner unless there is one. Returns when it has taken its lock, or found that another has."""
    lock = take_runner_lock(store)
    if lock is None:
        return
    os.close(lock)
    subprocess.run(
        [sys.executable, "-m", "trainer.queue.runner", str(store.root)],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False,
        start_new_session=True, env=environment(),
    )  # fmt: skip


def detach(log: Path) -> None:
    """Go on as a process without parent, terminal and input; the process that was started ends."""
    if os.fork():
        os._exit(0)
    os.chdir("/")
    log.parent.mkdir(parents=True, exist_ok=True)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)


def main(arguments: list[str] | None = None) -> int:
    """Detach and serve."""
    parser = argparse.ArgumentParser(prog="python -m trainer.queue.runner", description=__doc__)
    parser.add_argument("runs", type=Path, help="folder of the runs, which holds the queue")
    store = QueueStore(parser.parse_args(arguments).runs)
    # a parent may ignore Ctrl-C (a shell that runs it in the background); jobs must hear it when they are asked to stop
    signal.signal(signal.SIGINT, signal.default_int_handler)
    detach(store.runner_log)
    return serve(store)


if __name__ == "__main__":
    sys.exit(main())
