"""The client's half of a live session: starts the worker, keeps its latest telemetry, sends commands (no Qt, no torch).

client = SessionClient()
client.start()                       # returns at once; the worker loads torch on its own
client.send(Configure(source="heuristic"))
client.send(Control("start"))
telemetry = client.latest()          # pull at display rate
for event in client.events(): ...    # discrete events, in order
client.close()
"""

import contextlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection
from pathlib import Path

from trainer.session.frames import MAX_MESSAGE_BYTES, MessageError
from trainer.session.messages import (
    FOLDER_PREFIX,
    HEARTBEAT_PERIOD_S,
    HEARTBEAT_TIMEOUT_S,
    PROTOCOL_VERSION,
    ClientMessage,
    Control,
    Heartbeat,
    Hello,
    LogLine,
    SessionError,
    StateChanged,
    Telemetry,
    WorkerEvent,
    decode,
    encode,
)

LOG_LINES_KEPT = 50
WATCH_PERIOD_S = 0.2
"""How often the worker process is looked at: its death is reported within a second."""
OWNER_TIMEOUT_S = HEARTBEAT_TIMEOUT_S
"""Heartbeats stop when the owner has not called `latest`, `events` or `send` for this long: a frozen window must not
keep the robot going."""


class SessionClient:
    """One worker process and the connection to it. `latest`, `events` and `send` never block the caller for long."""

    def __init__(self, command: list[str] | None = None) -> None:
        """`command` starts the worker (default: this interpreter, `-m trainer.session.worker`)."""
        self._command = command or [sys.executable, "-m", "trainer.session.worker"]
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._folder: Path | None = None
        self._key = b""
        self._latest: Telemetry | None = None
        self._received_s = 0.0
        self._owner_seen_s = time.monotonic()
        self._events: deque[WorkerEvent] = deque(maxlen=1000)
        self._outbox: deque[ClientMessage] = deque()
        self._outbox_ready = threading.Event()
        self._log: deque[str] = deque(maxlen=LOG_LINES_KEPT)
        self._closing = threading.Event()
        self._threads: list[threading.Thread] = []

    # ------------------------------------------------------------------ life

    def start(self) -> None:
        """Start the worker process and the threads that talk to it. Returns at once. Raises RuntimeError if started."""
        if self._process is not None:
            raise RuntimeError("the session was started already; close() it and make another client")
        self._folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX))  # 0700: others cannot reach the socket
        self._key = secrets.token_bytes(32)
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=os.name == "posix",  # Ctrl-C in the terminal of the window must not stop the balance
        )
        address = _address(self._folder)
        hello = {"address": address, "key": self._key.hex(), "protocol": PROTOCOL_VERSION}
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # a worker that died at once is reported by the watcher
            self._process.stdin.write(json.dumps(hello).encode() + b"\n")
            self._process.stdin.flush()
        self._spawn(self._read_output, "session-output")
        self._spawn(self._watch, "session-watch")
        self._spawn(lambda: self._talk(address), "session-talk")

    def close(self, timeout_s: float = 3.0) -> None:
        """Ask the worker to quit, wait, then end it by force. Safe to call twice; no thread or process is left."""
        if self._process is None:
            return
        if self._connection is not None and self._process.poll() is None:
            self.send(Control("quit"))
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout_s)
        self._closing.set()
        self._outbox_ready.set()
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for thread in self._threads:
            thread.join(timeout_s)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._process = None

    # ------------------------------------------------------------------ use

    @property
    def alive(self) -> bool:
        """Whether the worker process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def connected(self) -> bool:
        """Whether messages flow."""
        return self._connection is not None and self.alive

    def send(self, message: ClientMessage) -> None:
        """Queue a message; sent at once by another thread. Messages sent before the connection stands wait for it."""
        self._owner_seen_s = time.monotonic()
        self._outbox.append(message)
        self._outbox_ready.set()

    def latest(self) -> Telemetry | None:
        """The newest telemetry, None before the first."""
        self._owner_seen_s = time.monotonic()
        return self._latest

    def telemetry_age_s(self) -> float:
        """Seconds since the newest telemetry arrived, infinite before the first."""
        return time.monotonic() - self._received_s if self._latest is not None else float("inf")

    def events(self) -> list[WorkerEvent]:
        """Events since the last call, oldest first."""
        self._owner_seen_s = time.monotonic()
        drained = []
        while self._events:
            drained.append(self._events.popleft())
        return drained

    # ------------------------------------------------------------------ threads

    def _spawn(self, target: Callable[[], None], name: str) -> None:
        thread = threading.Thread(target=target, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _read_output(self) -> None:
        """Whatever the worker prints becomes log lines; the last ones go into the report of its death."""
        assert self._process is not None
        assert self._process.stdout is not None
        with contextlib.suppress(OSError, ValueError):
            for line in self._process.stdout:
                text = line.decode(errors="replace").rstrip()
                self._log.append(text)
                self._events.append(LogLine(text))

    def _watch(self) -> None:
        assert self._process is not None
        while not self._closing.wait(WATCH_PERIOD_S):
            code = self._process.poll()
            if code is not None:
                self._report_death(code)
                return

    def _report_death(self, code: int) -> None:
        """Status 0 is a worker that was asked to quit; anything else is a failure."""
        if code == 0:
            self._events.append(StateChanged("ended"))
        else:
            how = f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"
            self._events.append(
                SessionError(
                    what=f"the session worker {how}",
                    remedy="start the session again; finished episodes are safe in the data set",
                    detail="\n".join(self._log),
                    fatal=True,
                )
            )
        self._closing.set()
        self._outbox_ready.set()

    def _talk(self, address: str) -> None:
        """Connect, exchange messages, and connect again should the connection break while the worker lives."""
        while not self._closing.is_set():
            connection = self._connect(address)
            if connection is None:
                return
            self._connection = connection
            sender = threading.Thread(target=self._send_loop, args=(connection,), name="session-send", daemon=True)
            sender.start()
            self._receive_loop(connection)
            self._connection = None
            with contextlib.suppress(OSError):
                connection.close()
            self._outbox_ready.set()
            sender.join()

    def _connect(self, address: str) -> Connection | None:
        while not self._closing.wait(0.02):
            try:
                return Client(address, authkey=self._key)
            except (OSError, EOFError, AuthenticationError):
                continue  # the worker does not listen yet
        return None

    def _send_loop(self, connection: Connection) -> None:
        """Heartbeats at their period, and what is in the outbox at once."""
        count, next_beat = 0, time.monotonic()
        try:
            connection.send_bytes(encode(Hello("client", pid=os.getpid())))
            while not self._closing.is_set() and not connection.closed:
                self._outbox_ready.clear()
                while self._outbox:
                    connection.send_bytes(encode(self._outbox.popleft()))
                if time.monotonic() >= next_beat:
                    idle_s = time.monotonic() - self._owner_seen_s
                    if idle_s <= OWNER_TIMEOUT_S:
                        connection.send_bytes(encode(Heartbeat(count, idle_s)))
                    count, next_beat = count + 1, time.monotonic() + HEARTBEAT_PERIOD_S
                self._outbox_ready.wait(max(0.0, next_beat - time.monotonic()))
        except (OSError, ValueError) as error:
            if not self._closing.is_set() and isinstance(error, MessageError):
                self._events.append(SessionError(f"a message could not be sent: {error}"))

    def _receive_loop(self, connection: Connection) -> None:
        while not self._closing.is_set():
            try:
                message = decode(connection.recv_bytes(MAX_MESSAGE_BYTES))
            except MessageError as error:
                self._events.append(SessionError(f"the worker sent what is not a message: {error}"))
            except (EOFError, OSError):
                return  # the watcher reports why
            else:
                self._take(message)

    def _take(self, message: object) -> None:
        if isinstance(message, Telemetry):
            self._latest, self._received_s = message, time.monotonic()
        elif isinstance(message, WorkerEvent):
            self._events.append(message)


def _address(folder: Path) -> str:
    """A socket in a private folder, or a named pipe on Windows."""
    return str(folder / "session.sock") if os.name == "posix" else rf"\\.\pipe\{folder.name}"
