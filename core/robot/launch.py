"""Starts the processes of a robot session: the hardware agent and the dead-man, in a private folder with a key."""

import contextlib
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.robot.agent.config import AgentConfig
from core.robot.agent.process import AGENT_SOCKET, NO_ROBOT, Instructions
from core.robot.client import AgentClient, AgentError, AgentGoneError, announce

START_TIMEOUT_S = 60.0
AGENT, DEADMAN = "core.robot.agent.process", "core.robot.deadman"


class RobotProcesses:
    """The agent and the dead-man. `client` talks to the agent; more clients come from `new_client`."""

    def __init__(self, config: AgentConfig) -> None:
        """Returns when both run (the robot may not be found yet). Raises RuntimeError with what they printed."""
        self.folder = Path(tempfile.mkdtemp(prefix="refine-dp-robot-"))  # 0700
        self.key = secrets.token_hex(32)
        self._line = Instructions(self.folder, self.key, config).to_line()
        self.output: deque[str] = deque(maxlen=100)
        "what the processes printed"
        self.agent = self._start(AGENT)
        self.deadman = self._start(DEADMAN)
        try:
            self._await_ready()
            self.client = self.new_client()
        except (RuntimeError, AgentGoneError) as error:
            self.close()
            raise RuntimeError(str(error)) from None
        self._file = announce(self.folder / AGENT_SOCKET, self.key, self.agent.pid)

    def new_client(self) -> AgentClient:
        """Another connection to the agent. Raises AgentGoneError."""
        return AgentClient(self.folder / AGENT_SOCKET, self.key)

    def wait_for(
        self, *states: str, timeout_s: float = 30.0, tell: Callable[[str], None] = lambda _: None
    ) -> dict[str, Any]:
        """The agent's report once it is in one of the states and idle; `tell` hears what it does meanwhile.

        Raises TimeoutError with what it says, AgentError when it refuses or was stopped.
        """
        deadline, reports = time.monotonic() + timeout_s, self.client.reports(tell)
        while True:
            report = next(reports)
            if report["state"] in states:
                return report
            if report["state"] in ("stopped", "taken_over"):
                raise AgentError(report["stop_words"] or report["detail"])
            if report["detail"].startswith("refused:"):
                raise AgentError(report["detail"].removeprefix("refused: "))
            if time.monotonic() > deadline:
                if report["detail"].startswith(NO_ROBOT):
                    raise TimeoutError(report["detail"].removeprefix(NO_ROBOT))
                raise TimeoutError(f"the agent is {report['state']} ({report['detail']}), not {' or '.join(states)}")

    def close(self) -> None:
        """Give the robot back and end both processes. Safe to call twice."""
        if self.agent.poll() is None and hasattr(self, "client"):
            with contextlib.suppress(AgentGoneError, AgentError):
                self.client.ask("quit", timeout_s=10.0)
        for process in (self.agent, self.deadman):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(3.0)
            if process.poll() is None:
                process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
        if hasattr(self, "client"):
            self.client.close()
        if hasattr(self, "_file"):
            self._file.path.unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self, module: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-m", module], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, start_new_session=True,
        )  # fmt: skip
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(self._line)
            process.stdin.flush()
        return process

    def _await_ready(self) -> None:
        watched = [(process, threading.Event(), threading.Event()) for process in (self.agent, self.deadman)]
        for told in watched:
            threading.Thread(target=self._read, args=told, name="robot-output", daemon=True).start()
        for _, ready, ended in watched:
            deadline = time.monotonic() + START_TIMEOUT_S
            while not ready.wait(0.02):
                if ended.is_set() or time.monotonic() > deadline:
                    raise RuntimeError(self._why_not())

    def _why_not(self) -> str:
        """What one of the processes said of its end; both may say the same."""
        said = list(self.output)
        reasons = [line.partition(": ")[2] for line in said if line.startswith(("hardware agent: ", "dead-man: "))]
        return reasons[0] if reasons else "\n".join(said) or "no output"

    def _read(self, process: "subprocess.Popen[str]", ready: threading.Event, ended: threading.Event) -> None:
        assert process.stdout is not None
        with contextlib.suppress(ValueError):
            for line in process.stdout:
                self.output.append(line.rstrip())
                if line.strip() == "ready":
                    ready.set()
        ended.set()
