"""The planner process of a live session: `python -m trainer.session.planner_process`, spoken to over its pipes.

Nicer than the loop, so that the loop goes first; one thread; ends when its standard input does.
"""

import os
import signal
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import torch

from core.policy.layout import LayoutError, PlannerLayout
from core.policy.runtime import PlannerRuntime, load_runtime
from core.rl.header import CheckpointError
from core.tasks.catalogue import make_task
from trainer.session.planner_messages import (
    Ask,
    Begin,
    Chunk,
    Load,
    NoChunk,
    Note,
    PlannerMessage,
    Ready,
    Unready,
    read_message,
    write_message,
)

NICENESS = 2
"""The loop goes first; where a training takes every core, a planner that is much nicer would be starved."""


class Planning:
    """The planner that is loaded, and the file it came from."""

    def __init__(self, load: Load) -> None:
        """Raises CheckpointError, LayoutError, ValueError or ImportError when it cannot be loaded."""
        self._load = load
        self._layout = PlannerLayout.of_task(make_task(load.task, 1))
        self._stamp = self._look()
        self._runtime = self._read()

    def _look(self) -> tuple[int, int]:
        """By which a file that was written anew is told: time and size."""
        try:
            found = Path(self._load.checkpoint).stat()
        except OSError as error:
            raise CheckpointError(f"no checkpoint at {self._load.checkpoint}: {error.strerror}") from error
        return found.st_mtime_ns, found.st_size

    def _read(self) -> PlannerRuntime:
        runtime = load_runtime(Path(self._load.checkpoint), self._load.runtime, self._layout)
        empty = torch.zeros(self._layout.observation_horizon, self._layout.observation_size)
        runtime.plan(empty, runtime.empty_noise())  # the first call is slow: memory, threads, kernels
        return runtime

    @property
    def ready(self) -> Ready:
        """What the loop must know of it."""
        written = datetime.fromtimestamp(self._stamp[0] / 1e9).strftime("%H:%M:%S")
        text = f"planner {self._load.checkpoint}: {self._runtime.text}, written {written}"
        return Ready(self._runtime.noise_count, self._runtime.executed_steps, text)

    def refresh(self) -> PlannerMessage | None:
        """Read a file that was written anew; the old planner stays when that fails."""
        try:
            stamp = self._look()
            if stamp == self._stamp:
                return None
            self._runtime, self._stamp = self._read(), stamp
        except (CheckpointError, LayoutError, ValueError, OSError) as error:
            return Note(f"the newest planner was not read, the old one goes on: {error}")
        return self.ready

    def answer(self, ask: Ask) -> PlannerMessage:
        """A chunk, or why there is none."""
        started = time.perf_counter()
        try:
            chunk = self._runtime.plan(torch.from_numpy(ask.obs.copy()), torch.from_numpy(ask.noise.copy()))
        except (RuntimeError, ValueError) as error:
            return NoChunk(ask.number, f"the planner failed: {error}")
        return Chunk(ask.number, chunk.numpy(), 1e3 * (time.perf_counter() - started))


def serve(incoming: BinaryIO, outgoing: BinaryIO) -> int:
    """Answer until the input ends. Returns the exit status: 0, or 1 when the planner could not be loaded."""
    load = read_message(incoming)
    assert isinstance(load, Load)
    try:
        planning = Planning(load)
    except (CheckpointError, LayoutError, ValueError, ImportError) as error:
        write_message(outgoing, Unready(str(error)))
        return 1
    write_message(outgoing, planning.ready)
    while True:
        try:
            message = read_message(incoming)
        except EOFError:
            return 0
        if isinstance(message, Begin):
            reply = planning.refresh()
        elif isinstance(message, Ask):
            reply = planning.answer(message)
        else:
            reply = Note(f"a {type(message).__name__} is nothing that a planner is asked")
        if reply is not None:
            write_message(outgoing, reply)


def take_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Standard input and output for messages alone; whatever a library prints goes to standard error."""
    incoming, outgoing = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return incoming, outgoing


def main() -> int:
    """Serve one session."""
    incoming, outgoing = take_pipes()
    for number in (signal.SIGINT, signal.SIGTERM):  # sent to the whole group by a terminal: the session ends us
        signal.signal(number, signal.SIG_IGN)
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    torch.set_num_threads(1)
    try:
        return serve(incoming, outgoing)
    except BrokenPipeError:
        return 0  # the session is gone


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)  # nothing is open; taking torch apart would keep a closing session waiting
