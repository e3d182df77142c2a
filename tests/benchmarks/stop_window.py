"""The window's process without its picture: its state object, its clock of 30 Hz, its client, its way to the robot.

Told on stdin (JSON lines): first {"address", "key", "robot"}, then {"do": "start" | "clear" | "press" | "look" |
"quit"}; answers each with one line. The worker is there already: a window that is killed leaves it to the next.
"""

import contextlib
import json
import queue
import sys
import threading
import time
from typing import Any

from PyQt6.QtCore import QCoreApplication, QTimer

from app.state import AppState
from trainer.session.client import SessionClient
from trainer.session.messages import Control

READ_PERIOD_MS = 5


class ReturningClient(SessionClient):
    """The client of a worker that another process started."""

    def __init__(self, address: str, key: bytes) -> None:
        super().__init__()
        self._address, self._key = address, key

    def start(self) -> None:
        self._spawn(lambda: self._talk(self._address), "session-talk")

    @property
    def alive(self) -> bool:
        return not self._closing.is_set()

    def close(self, timeout_s: float = 3.0) -> None:
        self._closing.set()
        self._outbox_ready.set()
        if self._connection is not None:
            with contextlib.suppress(OSError):
                self._connection.close()


class Stand:
    """What the rig asks of the window."""

    def __init__(self, address: str, key: str, robot: str) -> None:
        self.state = AppState(lambda: ReturningClient(address, bytes.fromhex(key)))
        self.state.configure(
            backend="t1_whole_body", robot=robot, source="keyboard", auto_next=False, auto_record=False
        )
        self._asked: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = QTimer()
        self._reader.timeout.connect(self._read)
        self._reader.start(READ_PERIOD_MS)
        threading.Thread(target=self._listen, daemon=True).start()
        self.state.begin()

    def _listen(self) -> None:
        for line in sys.stdin:
            self._asked.put(line)
        self._asked.put("")

    def _read(self) -> None:
        while not self._asked.empty():
            line = self._asked.get()
            if not line:
                self.state.close()
                QCoreApplication.exit(0)
                return
            print(json.dumps(self._do(json.loads(line)["do"])), flush=True)

    def _do(self, what: str) -> dict[str, Any]:
        state, now_s = self.state, time.monotonic()
        match what:
            case "start":
                state.start()
            case "clear":
                state.stop("clear_stop")
            case "press":
                state.stop("hard_stop")
            case "quit":
                state._send(Control("quit"))
                QTimer.singleShot(500, lambda: self._asked.put(""))
        robot = state.telemetry.robot if state.telemetry is not None else None
        return {
            "time_s": now_s, "session": state.session, "stop": state.stop_shown,
            "robot": robot.state if robot is not None else "", "robot_stop": robot.stop if robot is not None else "",
            "agent_pid": robot.agent_pid if robot is not None else 0,
            "shown": state.robot_stop.shown().words,
        }  # fmt: skip


def main() -> int:
    told = json.loads(sys.stdin.readline())
    application = QCoreApplication([])
    stand = Stand(told["address"], told["key"], told["robot"])
    status = application.exec()
    del stand
    return status


if __name__ == "__main__":
    sys.exit(main())
