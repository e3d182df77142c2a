"""The agent's local socket: JSON requests with a key, one thread a client, so that a stop never waits behind others."""

import contextlib
import json
import threading
from collections.abc import Callable
from multiprocessing import AuthenticationError
from multiprocessing.connection import Connection, Listener
from pathlib import Path
from typing import Any

MAX_BYTES = 1 << 16

Answer = Callable[[dict[str, Any]], dict[str, Any]]


class Server:
    """Calls `answer` with each request; what it raises as ValueError or RuntimeError is told to the client."""

    def __init__(self, path: Path, key: bytes, answer: Answer) -> None:
        self._answer = answer
        self._listener = Listener(str(path), "AF_UNIX", backlog=16, authkey=key)
        self._closing = False
        self._thread = threading.Thread(target=self._accept, name="agent-accept", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take no more clients."""
        self._closing = True
        self._listener.close()

    def _accept(self) -> None:
        while not self._closing:
            try:
                connection = self._listener.accept()
            except (AuthenticationError, EOFError, ConnectionError):
                continue  # a stranger, or a client that died while connecting
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), name="agent-client", daemon=True).start()

    def _serve(self, connection: Connection) -> None:
        with contextlib.closing(connection), contextlib.suppress(EOFError, OSError):
            while not self._closing:
                reply = self._reply(connection.recv_bytes(MAX_BYTES))
                connection.send_bytes(json.dumps(reply).encode())

    def _reply(self, data: bytes) -> dict[str, Any]:
        try:
            request = json.loads(data)
            if not isinstance(request, dict):
                raise ValueError(f"a request is a JSON object, got {data[:60]!r}")
            return self._answer(request)
        except (ValueError, RuntimeError, KeyError, TypeError) as error:
            return {"error": str(error) or type(error).__name__}
