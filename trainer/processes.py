"""Processes by pid and start time: a pid alone may belong to somebody else by now."""

import os
import signal
from dataclasses import dataclass

import psutil

START_TOLERANCE_S = 1.0
"""Start times are read from the same clock; this covers rounding in the kernel."""


@dataclass(frozen=True)
class ProcessId:
    """One process, for as long as the machine runs."""

    pid: int
    started_s: float
    "epoch time of its start"

    @classmethod
    def of(cls, pid: int) -> "ProcessId":
        """The process that has this pid now. Raises psutil.NoSuchProcess."""
        return cls(pid, psutil.Process(pid).create_time())

    @property
    def alive(self) -> bool:
        """Whether it still runs; a zombie does not."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started_s) < START_TOLERANCE_S
            return same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def ask_to_stop(self) -> bool:
        """What Ctrl-C does in a terminal. Returns whether it was there to be asked."""
        return self._signal(signal.SIGINT)

    def kill(self) -> bool:
        """End it at once, with its children where it leads a group of its own. Returns whether it was there."""
        if self.alive and os.getpgid(self.pid) == self.pid:
            os.killpg(self.pid, signal.SIGKILL)
            return True
        return self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> bool:
        if not self.alive:
            return False
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return False
        return True
