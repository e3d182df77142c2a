"""Vicon, Qualisys and VRPN as frames: reads the lines of `core.mocap.library_process`. Never met such a system."""

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

from core.mocap.frame import MocapFrame, RigidBody

ASSUMED_DELAY_S = 0.008
"""From exposure to arrival: the library passes no time stamps on."""
FIRST_FRAME_S = 8.0


class LibraryClient:
    """Give `hear` every frame, from a thread."""

    def __init__(
        self, system: str, host: str, hear: Callable[[MocapFrame], None], command: list[str] | None = None
    ) -> None:
        """Raises ConnectionError when no frame comes. command: what to run instead (tests)."""
        self._hear = hear
        self._first = threading.Event()
        self._came = False
        self._error = f"no frame within {FIRST_FRAME_S:.0f} s"
        command = command or [sys.executable, "-m", "core.mocap.library_process", system, host]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self._thread = threading.Thread(target=self._read, name="mocap-library", daemon=True)
        self._thread.start()
        if not self._first.wait(FIRST_FRAME_S) or not self._came:
            self.close()
            raise ConnectionError(f"{system} at {host} gives nothing: {self._error}")

    def close(self) -> None:
        """End the process. Safe to call twice."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._thread.join(2.0)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with contextlib.suppress(ValueError):  # closed while it was read
            for line in self._process.stdout:
                self._take(line)
        self._first.set()

    def _take(self, line: str) -> None:
        try:
            message: dict[str, Any] = json.loads(line)
            if "error" in message:
                self._error = str(message["error"])
                return
            frame = _frame(message)
        except (ValueError, KeyError, TypeError, AttributeError):
            return  # what a vendor's library prints
        self._came = True
        self._first.set()
        self._hear(frame)


def _frame(message: dict[str, Any]) -> MocapFrame:
    bodies = []
    for name, pose in message["bodies"].items():
        x, y, z, qw, qx, qy, qz = map(float, pose)
        bodies.append(RigidBody(name, (x, y, z), (qw, qx, qy, qz)))
    received_s = float(message["received_s"])
    return MocapFrame(int(message["number"]), received_s - ASSUMED_DELAY_S, received_s, tuple(bodies))
