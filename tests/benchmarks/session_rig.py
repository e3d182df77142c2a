"""The whole tree of a robot session for measuring stops: window process, session worker, agent, dead-man, robot."""

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.benchmarks.stop_rig import limp_after
from trainer.jobs.t1_sim import Config
from trainer.session.messages import FOLDER_PREFIX, PROTOCOL_VERSION
from trainer.t1_sim_process import SimProcess

MODULES = "tests.benchmarks.stop_worker", "tests.benchmarks.stop_window"
READY_S = 180.0
REPEAT_S = 0.3
SETTLED_S = 0.3


class SessionRig:
    """Bring the robot into whole-body mode as the window does, break something, ask the robot when it went limp."""

    def __init__(self) -> None:
        self.robot = SimProcess(Config(balance=False, stand_up_s=0.3))
        self._folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX))
        self._address, self._key = str(self._folder / "session.sock"), secrets.token_bytes(32)
        self._stopped: list[int] = []
        worker, window = MODULES
        self._window_module = window
        told = {"address": self._address, "key": self._key.hex(), "protocol": PROTOCOL_VERSION}
        self.worker = _start(worker, told)
        self.window = self._open_window()

    def close(self) -> None:
        """End everything."""
        self.go_on()
        with contextlib.suppress(OSError, RuntimeError, ValueError):
            self._have_window()
            self._ask("quit")  # the worker gives the robot back
        for process in (self.worker, self.window):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20.0)
            process.kill()
            process.wait()
            _close_pipes(process)
        self.robot.close()
        with contextlib.suppress(OSError):
            self._folder.rmdir()

    # ------------------------------------------------------------------ between the trials

    def engage(self) -> None:
        """Whole-body mode with the loop running, whatever the last trial broke."""
        self._have_window()
        while True:
            self._until_running()
            time.sleep(SETTLED_S)
            seen = self._ask("look")
            if seen["session"] == "running" and seen["stop"] == seen["robot_stop"] == "none":
                return  # on a busy computer the window may have been silent for too long meanwhile

    def rest(self) -> None:
        """What was stopped goes on."""
        self.go_on()

    def limp_after(self, since_s: float) -> float:
        """Seconds from a moment until the robot's motors went limp."""
        return limp_after(self.robot, since_s)

    # ------------------------------------------------------------------ faults

    def press(self) -> float:
        """The window's stop button; when."""
        return self._ask("press")["time_s"]

    def signal(self, process: "subprocess.Popen[str]", number: signal.Signals) -> float:
        """Stop or kill a process; when."""
        if number == signal.SIGSTOP:
            self._stopped.append(process.pid)
        sent_s = time.monotonic()
        os.kill(process.pid, number)
        if number == signal.SIGKILL:
            process.wait()
        return sent_s

    def go_on(self) -> None:
        """Processes that were stopped run again."""
        while self._stopped:
            os.kill(self._stopped.pop(), signal.SIGCONT)

    # ------------------------------------------------------------------ details

    def _have_window(self) -> None:
        """Another one where the last was killed."""
        if self.window.poll() is not None:
            _close_pipes(self.window)
            self.window = self._open_window()

    def _open_window(self) -> "subprocess.Popen[str]":
        told = {"address": self._address, "key": self._key.hex(), "robot": f"127.0.0.1:{self.robot.domain}"}
        return _start(self._window_module, told)

    def _ask(self, do: str) -> dict[str, Any]:
        assert self.window.stdin is not None
        assert self.window.stdout is not None
        self.window.stdin.write(json.dumps({"do": do}) + "\n")
        self.window.stdin.flush()
        line = self.window.stdout.readline()
        if not line:
            raise RuntimeError(f"the window process ended with status {self.window.wait()}")
        return json.loads(line)

    def _until_running(self) -> None:
        """Clear what is latched and start, as often as it takes."""
        deadline, asked_s = time.monotonic() + READY_S, float("-inf")
        while True:
            seen = self._ask("look")
            stopped = (seen["stop"], seen["robot_stop"]) != ("none", "none")
            if seen["session"] == "running" and seen["robot"] == "custom" and not stopped:
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"not ready within {READY_S} s: {seen}")
            if time.monotonic() - asked_s > REPEAT_S and seen["robot"] and (stopped or seen["session"] == "ready"):
                self._ask("clear" if stopped else "start")
                asked_s = time.monotonic()
            time.sleep(0.02)


def _close_pipes(process: "subprocess.Popen[str]") -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()


def _start(module: str, told: dict[str, Any]) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-m", module], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE if "address" in told and "robot" in told else subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(json.dumps(told) + "\n")
    process.stdin.flush()
    return process
