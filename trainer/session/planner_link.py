"""The live session's end of its planner process: asks, collects chunks, starts the process again when it died.

The loop calls `ask` and `take`, which never wait for the process: a thread writes (a stopped process leaves the pipe
full), another one reads.
"""

import contextlib
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from core.policy.live import PlanAnswer, PlanRequest
from core.rl.header import CheckpointError
from trainer.session.frames import MessageError
from trainer.session.messages import LogLine, SessionError, WorkerEvent
from trainer.session.planner_messages import (
    Ask,
    Begin,
    Chunk,
    Load,
    NoChunk,
    Note,
    PlannerMessage,
    Ready,
    Runtime,
    Unready,
    read_message,
    write_message,
)

COMMAND = (sys.executable, "-m", "trainer.session.planner_process")
LOADING = "the planner is being loaded"
HUNG_AFTER_S = 10.0
"""A process that owes an answer for so long is ended and started again."""
RESTARTS_IN_A_ROW = 3
"""So often a process that gives no chunk in between is started again."""
JOIN_TIMEOUT_S = 3.0


class PlannerProcess:
    """A `PlanLink` to a process of its own."""

    def __init__(
        self,
        checkpoint: Path,
        runtime: Runtime,
        task: str,
        tell: Callable[[WorkerEvent], None],
        now: Callable[[], float] = time.monotonic,
        command: Sequence[str] = COMMAND,
    ) -> None:
        """Starts the process; `wait_ready` waits for its weights. `tell` is called from threads."""
        self._load = Load(str(checkpoint), runtime, task)
        self._tell = tell
        self._now = now
        self._command = command
        self._changed = threading.Condition()
        self._ready: Ready | None = None
        self._refused = ""
        "why the planner cannot be loaded, '' while it may be"
        self._trouble = LOADING
        self._slot: PlanRequest | None = None
        "to be sent when the request before is answered; a newer one replaces it"
        self._begin = False
        self._in_flight: tuple[int, float] | None = None
        "number and time of the request that the process has"
        self._answers: deque[PlanAnswer] = deque()
        self._last_asked = 0
        self._restarts = 0
        self._in_a_row = 0
        self._closed = False
        self._threads: list[threading.Thread] = []
        self._process = self._start()

    # ------------------------------------------------------------------ what the player asks

    @property
    def noise_count(self) -> int:
        """Z; 0 before the weights are loaded."""
        return self._ready.noise_count if self._ready is not None else 0

    @property
    def executed_steps(self) -> int:
        """Ta; 1 before the weights are loaded."""
        return self._ready.executed_steps if self._ready is not None else 1

    @property
    def restarts(self) -> int:
        """How often the process was started again."""
        return self._restarts

    @property
    def pid(self) -> int:
        """Of the process now."""
        return self._process.pid

    @property
    def refused(self) -> bool:
        """Whether it is given up: the file cannot be loaded, or the process dies again and again."""
        return bool(self._refused)

    def trouble(self) -> str:
        """Why it cannot plan just now, '' when it can."""
        return self._refused or self._trouble

    def wait_ready(self, timeout_s: float, given_up: Callable[[], bool] = lambda: False) -> None:
        """Wait until the weights are loaded. Raises CheckpointError when they are not, with the process's reason."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while self._ready is None and not self._refused and not self._closed and not given_up():
                if time.monotonic() > deadline:
                    raise CheckpointError(
                        f"the planner was not loaded within {timeout_s:.0f} s ({self._trouble}); look into the log, "
                        "free the processor, choose it again"
                    )
                self._changed.wait(0.1)
            if self._refused:
                raise CheckpointError(self._refused)

    def begin(self) -> None:
        """An episode begins: the process reads a newer file; what was asked before is forgotten."""
        with self._changed:
            self._begin, self._slot = True, None
            self._answers.clear()
            self._changed.notify_all()

    def ask(self, request: PlanRequest) -> None:
        """Ask for a chunk; replaces a request that was not sent yet."""
        with self._changed:
            self._slot, self._last_asked = request, request.number
            self._changed.notify_all()

    def take(self, timeout_s: float) -> list[PlanAnswer]:
        """What has come; ends a process that hangs."""
        with self._changed:
            if timeout_s > 0:
                self._changed.wait_for(lambda: self._closed or self._answered(), timeout_s)
            answers = list(self._answers)
            self._answers.clear()
            hung = self._in_flight is not None and self._now() - self._in_flight[1] > HUNG_AFTER_S
        if hung:
            self._process.kill()  # its reader starts it again
        return answers

    def _answered(self) -> bool:
        return any(answer.number == self._last_asked for answer in self._answers)

    def close(self) -> None:
        """End the process and the threads. Safe to call twice."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._process.kill()
        self._process.wait()
        for thread in self._threads:
            thread.join(JOIN_TIMEOUT_S)
        _close_pipes(self._process)

    # ------------------------------------------------------------------ the process

    def _start(self) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for name, body in (("planner-write", self._write), ("planner-read", self._read)):
            thread = threading.Thread(target=body, args=(process,), name=name, daemon=True)
            self._threads.append(thread)
            thread.start()
        return process

    def _write(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdin is not None
        with contextlib.suppress(OSError, ValueError):  # its reader reports the end of a process
            write_message(process.stdin, self._load)  # type: ignore[arg-type]  # Popen's pipes are binary files
            while (message := self._next(process)) is not None:
                write_message(process.stdin, message)  # type: ignore[arg-type]

    def _next(self, process: "subprocess.Popen[bytes]") -> PlannerMessage | None:
        """What to send next, None when this process is over."""

        def over() -> bool:
            return self._closed or process.poll() is not None

        def due() -> bool:
            return self._ready is not None and (self._begin or (self._slot is not None and self._in_flight is None))

        with self._changed:
            while not over() and not due():
                self._changed.wait(0.5)
            if over():
                return None
            if self._begin:
                self._begin = False
                return Begin()
            request, self._slot = self._slot, None
            assert request is not None
            self._in_flight = request.number, self._now()
        return Ask(request.number, request.obs.numpy(), request.noise.numpy())

    def _read(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdout is not None
        while True:
            try:
                self._hear(read_message(process.stdout))  # type: ignore[arg-type]
            except MessageError as error:
                self._fail(f"the planner sent what is not a message: {error}")
            except (EOFError, OSError, ValueError):
                break
        process.kill()  # one that closed its output is of no use
        code = process.wait()
        if not self._closed:
            self._lost(process, code)

    def _hear(self, message: PlannerMessage) -> None:
        match message:
            case Ready():
                with self._changed:
                    self._ready, self._trouble = message, ""
                    self._changed.notify_all()
                self._tell(LogLine(message.text))
            case Unready(what=what):
                with self._changed:
                    self._refused = what
                    self._changed.notify_all()
            case Chunk(number=number, chunk=chunk):
                self._answer(PlanAnswer(number, torch.from_numpy(chunk.copy()), arrived_s=self._now()))
                self._in_a_row = 0
            case NoChunk(number=number, what=what):
                self._answer(PlanAnswer(number, None, what))
            case Note(text=text):
                self._tell(LogLine(text, "warning"))
            case _:
                self._fail(f"the planner sent a {type(message).__name__}")

    def _answer(self, answer: PlanAnswer) -> None:
        with self._changed:
            self._answers.append(answer)
            self._in_flight = None
            self._changed.notify_all()

    def _fail(self, why: str) -> None:
        """The request that is out gets no chunk."""
        if self._in_flight is not None:
            self._answer(PlanAnswer(self._in_flight[0], None, why))

    def _lost(self, process: "subprocess.Popen[bytes]", code: int) -> None:
        """The process is gone: say why, and start another one unless the file is to blame."""
        how = f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"
        _close_pipes(process)
        with self._changed:
            self._ready = None
            self._trouble = f"the planner process {how}; it is started again"
            self._fail(f"the planner process {how}")
            if self._refused or self._closed:
                return
            self._in_a_row += 1
            if self._in_a_row > RESTARTS_IN_A_ROW:
                self._refused = f"the planner process {how}, {self._in_a_row} times without a chunk in between"
                self._changed.notify_all()
                self._tell(SessionError(self._refused, "look into the log; choose another planner or source"))
                return
            self._restarts += 1
            self._threads = [thread for thread in self._threads if thread.is_alive()]
            self._process = self._start()
        self._tell(LogLine(self._trouble, "warning"))


def _close_pipes(process: "subprocess.Popen[bytes]") -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
