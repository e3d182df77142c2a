"""Signs of life between processes: datagrams on local sockets in a private folder, each carrying the session's key."""

import contextlib
import hmac
import json
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

BEAT_PERIOD_S = 0.02
MAX_BYTES = 4096


class BeatSocket:
    """One end. Sending never waits: what cannot be delivered is dropped, as a missing heartbeat should be."""

    def __init__(self, path: Path, key: str) -> None:
        """Raises OSError when the path cannot be bound (it must be in an existing private folder)."""
        self.path = path
        self._key = key
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))

    def send(self, to: Path, **message: Any) -> None:
        """Send a message with this computer's monotonic time."""
        data = json.dumps({"key": self._key, "sent_s": time.monotonic(), **message}).encode()
        try:
            self._socket.sendto(data, socket.MSG_DONTWAIT, str(to))
        except OSError:
            return  # nobody is there, or does not read

    def receive(self, timeout_s: float) -> dict[str, Any] | None:
        """The next message with the right key, None when none came in time."""
        self._socket.settimeout(max(timeout_s, 1e-4))
        try:
            data = self._socket.recv(MAX_BYTES)
        except (TimeoutError, BlockingIOError):
            return None
        try:
            message = json.loads(data)
            genuine = hmac.compare_digest(str(message.pop("key")), self._key)
        except (ValueError, KeyError, AttributeError):
            return None
        return message if genuine else None

    def close(self) -> None:
        """Remove the socket."""
        self._socket.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)


class Alive:
    """When somebody was seen last."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self.seen_s = float("-inf")

    def beat(self, age_s: float = 0.0) -> None:
        """Seen `age_s` ago."""
        self.seen_s = max(self.seen_s, self._now() - age_s)

    def age_s(self) -> float:
        """Seconds since; infinite before the first."""
        return self._now() - self.seen_s
