"""A client of the agent's socket, and where running agents are found (no SDK, no torch: a stop must start fast)."""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection
from pathlib import Path
from typing import Any, Literal

MAX_BYTES = 1 << 16
SESSIONS = "refine-dp-robot"
LOOK_PERIOD_S = 0.02


class AgentGoneError(RuntimeError):
    """The agent does not answer any more."""


class AgentError(RuntimeError):
    """The agent refused a request; the message is its own."""


class AgentClient:
    """One connection. Requests of several threads wait for each other: open one client a purpose."""

    def __init__(self, socket: Path, key: str) -> None:
        """Raises AgentGoneError when nobody listens."""
        self._lock = threading.Lock()
        try:
            self._connection: Connection = Client(str(socket), "AF_UNIX", authkey=bytes.fromhex(key))
        except (OSError, EOFError, AuthenticationError) as error:
            raise AgentGoneError(f"no hardware agent answers at {socket}: {error or type(error).__name__}") from None

    def ask(self, do: str, timeout_s: float = 5.0, **values: Any) -> dict[str, Any]:
        """A request and its answer. Raises AgentError, AgentGoneError."""
        with self._lock:
            self.tell(do, **values)
            return self.hear(do, timeout_s)

    def tell(self, do: str, **values: Any) -> None:
        """Only the request, for whoever is in a hurry; `hear` must follow, by the same user. Raises AgentGoneError."""
        try:
            self._connection.send_bytes(json.dumps({"do": do, **values}).encode())
        except (OSError, ValueError) as error:
            raise AgentGoneError(f"the hardware agent is gone: {error or type(error).__name__}") from None

    def hear(self, do: str, timeout_s: float = 5.0) -> dict[str, Any]:
        """The answer to the request that was told. Raises AgentError, AgentGoneError."""
        try:
            if not self._connection.poll(timeout_s):
                self._connection.close()  # a late answer must not be taken for the next one
                raise AgentGoneError(f"the hardware agent did not answer {do!r} within {timeout_s} s")
            answer = json.loads(self._connection.recv_bytes(MAX_BYTES))
        except (OSError, EOFError, ValueError) as error:
            raise AgentGoneError(f"the hardware agent is gone: {error or type(error).__name__}") from None
        if "error" in answer:
            raise AgentError(answer["error"])
        return answer

    def stop(self, level: Literal["soft", "hard"], reason: str, pressed_s: float | None = None) -> dict[str, Any]:
        """Stop the robot."""
        return self.ask("stop", level=level, reason=reason, pressed_s=pressed_s or time.monotonic())

    def reports(
        self, tell: Callable[[str], None], sleep: Callable[[float], None] = time.sleep
    ) -> Iterator[dict[str, Any]]:
        """The agent's state again and again, for ever; `tell` hears each new thing that it does."""
        told = ""
        while True:
            report = self.ask("state", sensors=False)
            if report["detail"] != told:
                told = report["detail"]
                tell(told)
            yield report
            sleep(LOOK_PERIOD_S)

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


@dataclass(frozen=True)
class SessionFile:
    """Where a running agent listens; in a file that only its user can read."""

    path: Path
    socket: Path
    key: str
    pid: int

    def connect(self) -> AgentClient:
        """Raises AgentGoneError."""
        return AgentClient(self.socket, self.key)


def sessions_folder() -> Path:
    """The user's folder of session files, made with 0700 when it is not there."""
    base = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/tmp/refine-dp-{os.getuid()}")
    folder = base / SESSIONS
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def announce(socket: Path, key: str, pid: int) -> SessionFile:
    """Write the session file of an agent."""
    path = sessions_folder() / f"{pid}.json"
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        json.dump({"socket": str(socket), "key": key, "pid": pid}, file)
    return SessionFile(path, socket, key, pid)


def running_sessions() -> list[SessionFile]:
    """Agents of this user that live; files of dead ones are removed."""
    found = []
    for path in sorted(sessions_folder().glob("*.json")):
        try:
            data = json.loads(path.read_text())
            session = SessionFile(path, Path(data["socket"]), data["key"], int(data["pid"]))
        except (OSError, ValueError, KeyError):
            continue
        if Path(f"/proc/{session.pid}").exists():
            found.append(session)
        else:
            path.unlink(missing_ok=True)
    return found
