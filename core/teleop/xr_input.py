"""The parent's half of VR input: starts the input process, starts it again when it dies, hands on samples and status.

source = XrInput(operator.feed)
source.start()             # returns at once
source.status()            # how it stands, in words
source.pulse(Pulse("left", 0.6, 0.05))
source.close()
"""

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, Pipe

from core.teleop.xr_joints import XrJoints
from core.teleop.xr_link import MAX_FRAME_BYTES, Frame, LinkError, Pulse, Quit, XrStatus, decode, encode
from core.teleop.xr_sample import XrSample

RESTART_S = 1.0
"""Between the death of the process and the next attempt."""
LOG_LINES_KEPT = 30
SILENT_S = 1.0
"""Samples came and come no more: the runtime hangs, and is said to."""
HUNG_S = 10.0
"""And after this long the process that waits for it is replaced."""
START_FACTOR = 6
"""A runtime that starts (SteamVR) may take this much longer to answer for the first time."""


SAMPLING = ("running", "waiting")
"""States in which samples come, whatever they hold."""


COMING_UP = XrStatus("starting", "starting the input process")
"""Until its first word: how long it takes to load is not the runtime's doing."""


@dataclass(frozen=True)
class Patience:
    """With a runtime that does not answer, s."""

    silent_s: float = SILENT_S
    hung_s: float = HUNG_S


class XrInput:
    """One input process at a time, and the thread that reads from it."""

    def __init__(
        self,
        take: Callable[[XrSample | XrJoints], None],
        lookahead_s: float = 0.0,
        headless: bool = True,
        environment: Mapping[str, str] | None = None,
        restart_s: float = RESTART_S,
        patience: Patience = Patience(),
    ) -> None:
        """take gets every sample, and fingers where there are, on the reading thread.

        environment: of the process, default this one's.
        """
        self._take = take
        self._options = {"lookahead_s": lookahead_s, "headless": headless}
        self._environment = dict(environment) if environment is not None else None
        self._restart_s = restart_s
        self._patience = patience
        self._status = self._told = COMING_UP
        self._log: deque[str] = deque(maxlen=LOG_LINES_KEPT)
        self._closing = threading.Event()
        self._connection: Connection | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._sending = threading.Lock()
        self._thread: threading.Thread | None = None
        self.died_s = 0.0
        "when the last process was seen to end"

    def start(self) -> None:
        """Start the thread, which starts the process. Raises RuntimeError when started already."""
        if os.name != "posix":
            self._status = XrStatus("failed", "VR input needs Linux", "run the session on a Linux computer")
            return
        if self._thread is not None:
            raise RuntimeError("the VR input was started already; close() it and make another")
        self._thread = threading.Thread(target=self._run, name="xr-input", daemon=True)
        self._thread.start()

    def status(self) -> XrStatus:
        """The newest word from the process."""
        return self._status

    @property
    def pid(self) -> int | None:
        """Of the process that runs now."""
        return self._process.pid if self._process is not None else None

    def pulse(self, pulse: Pulse) -> None:
        """Vibrate; without a process nothing happens."""
        self._send(pulse)

    def _send(self, frame: Frame) -> None:
        connection = self._connection
        if connection is not None:
            with self._sending, contextlib.suppress(OSError, ValueError):
                connection.send_bytes(encode(frame))

    def close(self, timeout_s: float = 2.0) -> None:
        """Ask the process to quit, then end it by force; nothing is left. Safe to call twice."""
        self._closing.set()
        self._send(Quit())
        process = self._process
        if process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout_s)
            if process.poll() is None:
                process.kill()
        if self._thread is not None:
            self._thread.join(timeout_s)
        self._status = XrStatus("off")

    # ------------------------------------------------------------------ the thread

    def _run(self) -> None:
        while not self._closing.is_set():
            self._one_life()
            self._closing.wait(self._restart_s)

    def _one_life(self) -> None:
        """Start a process and read from it until either ends. Nobody else can reach the socket: it has no name."""
        ours, theirs = Pipe()
        process = self._spawn(theirs)
        theirs.close()  # now the end of the process is the end of the stream
        watcher = threading.Thread(target=self._watch, args=(process,), name="xr-output", daemon=True)
        watcher.start()
        self._told = COMING_UP
        self._connection = ours
        with contextlib.suppress(OSError, EOFError):
            self._read(ours)
        self.died_s = time.monotonic()
        self._connection = None
        with self._sending:
            ours.close()
        hung = False
        try:
            process.wait(1.0)
        except subprocess.TimeoutExpired:
            hung = True
            process.kill()
            process.wait()
        watcher.join()
        self._tell_death(process, hung)

    def _spawn(self, theirs: Connection) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", "core.teleop.openxr_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self._environment,
            pass_fds=(theirs.fileno(),),
            start_new_session=True,
        )
        self._process = process
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # died at once: told by its end
            process.stdin.write(json.dumps({"socket": theirs.fileno(), **self._options}).encode() + b"\n")
            process.stdin.close()
        return process

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        """Keep what it prints, for the report of its death."""
        assert process.stdout is not None
        with process.stdout as lines:
            for line in lines:
                self._log.append(line.decode(errors="replace").rstrip())

    def _read(self, connection: Connection) -> None:
        """Until the process is gone, or hangs while it should send samples."""
        heard_s = time.monotonic()
        while not self._closing.is_set():
            if not connection.poll(0.25 * self._patience.silent_s):
                if self._is_hung(time.monotonic() - heard_s):
                    return
                continue
            try:
                frame = decode(connection.recv_bytes(MAX_FRAME_BYTES))
            except LinkError as error:
                self._log.append(str(error))
                return
            heard_s = time.monotonic()
            if isinstance(frame, XrSample | XrJoints):
                self._status = self._told
                self._take(frame)
            elif isinstance(frame, XrStatus):
                self._status = self._told = frame

    def _is_hung(self, silent_s: float) -> bool:
        """Say how long it was silent; True when the process has to be replaced. Between attempts silence is usual."""
        sampling = self._told.state in SAMPLING
        connecting = self._told.state == "starting" and self._told is not COMING_UP
        since = f"has not answered for {silent_s:.0f} s"
        if sampling and silent_s > self._patience.silent_s:
            self._status = replace(
                self._told, state="lost", text=f"the runtime {since}", remedy="it may hang: restart it", rate_hz=0.0
            )
        elif connecting and silent_s > self._patience.hung_s:
            self._status = XrStatus("no_answer", f"the runtime {since}", "it may hang: restart it")
        patient_s = self._patience.hung_s * (1 if sampling else START_FACTOR)
        return (sampling or connecting) and silent_s > patient_s

    def _tell_death(self, process: subprocess.Popen[bytes], hung: bool) -> None:
        if self._closing.is_set():
            return
        code = process.returncode
        how = f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"
        if hung:
            how = "was ended: the runtime had not answered for too long"
        self._status = XrStatus(
            "lost", f"the input process {how}", "it is started again by itself; a crash is often the runtime's",
            detail="\n".join(self._log),
        )  # fmt: skip
