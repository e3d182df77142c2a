"""The safety log: one JSON object a line, written by a thread of its own: no disk can stop the robot's rhythm."""

import json
import queue
import threading
import time
from collections import deque
from typing import Any

KEPT = 200


class SafetyLog:
    """Keeps the last entries in memory and writes all to a file. A disk that fails is counted, never raised."""

    def __init__(self, path: str = "", who: str = "agent") -> None:
        """Several processes may write the same file: each line is one write at its end. `who` says which one."""
        self.path = path
        self.entries: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self.failures = 0
        "entries that could not be written"
        self._who = who
        self._queue: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._thread = threading.Thread(target=self._run, name="safety-log", daemon=True)
        self._thread.start()

    def add(self, event: str, **details: Any) -> None:
        """Note something; returns at once."""
        entry = {"time_s": time.monotonic(), "wall_s": time.time(), "who": self._who, "event": event, **details}
        self.entries.append(entry)
        self._queue.put(entry)

    def close(self) -> None:
        """Write what waits."""
        self._queue.put(None)
        self._thread.join(2.0)

    def _run(self) -> None:
        while (entry := self._queue.get()) is not None:
            if not self.path:
                continue
            try:
                with open(self.path, "a") as file:
                    file.write(json.dumps(entry) + "\n")
            except OSError:
                self.failures += 1
