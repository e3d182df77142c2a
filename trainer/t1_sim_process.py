"""Starts a simulated robot as a process, steers it by words and reads what it tells (tests, benchmarks, the window)."""

import contextlib
import json
import queue
import random
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from trainer.jobs.t1_sim import Config

FIRST_DOMAIN, LAST_DOMAIN = 100, 230
"""Domains of simulated robots: never that of a real one (0)."""


def random_domain() -> int:
    """A domain for a simulated robot."""
    return random.randint(FIRST_DOMAIN, LAST_DOMAIN)


class SimProcess:
    """A running simulated robot. Use as a context; leaving it ends the process."""

    def __init__(self, config: Config, start_timeout_s: float = 60.0) -> None:
        """Returns when the robot is on the network. Raises RuntimeError with its output when it does not start."""
        self.domain = config.domain if config.domain >= 0 else random_domain()
        self.mocap_port = 0
        "UDP port of motion capture, 0 without"
        options = json.dumps(asdict(config) | {"domain": self.domain})
        self.process = subprocess.Popen(
            [sys.executable, "-m", "trainer.jobs.t1_sim", options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.events: deque[dict[str, Any]] = deque(maxlen=1000)
        "modes and violations, as they happened"
        self._answers: queue.Queue[dict[str, Any]] = queue.Queue()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._read, name="t1-sim-output", daemon=True)
        self._thread.start()
        if not self._ready.wait(start_timeout_s) or self.process.poll() is not None:
            self.close()
            raise RuntimeError(f"the simulated robot did not start on domain {self.domain} within {start_timeout_s} s")

    def __enter__(self) -> "SimProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(self, words: str, timeout_s: float = 20.0) -> dict[str, Any]:
        """Say a line, get the answer. Raises ValueError with the robot's complaint, TimeoutError without an answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(words + "\n")
        self.process.stdin.flush()
        try:
            answer = self._answers.get(timeout=timeout_s)
        except queue.Empty:
            raise TimeoutError(f"the simulated robot did not answer {words!r} within {timeout_s} s") from None
        if "error" in answer:
            raise ValueError(answer["error"])
        return answer

    def status(self) -> dict[str, Any]:
        """Everything about the robot now."""
        return self.ask("status")

    def wait_for(self, what: Callable[[dict[str, Any]], bool], timeout_s: float = 10.0) -> dict[str, Any]:
        """The first status of which `what` is true. Raises TimeoutError with the last status."""
        deadline = time.monotonic() + timeout_s
        while True:
            status = self.status()
            if what(status):
                return status
            if time.monotonic() > deadline:
                raise TimeoutError(f"not within {timeout_s} s; the robot's status: {status}")
            time.sleep(0.005)

    def close(self) -> None:
        """End the process. Safe to call twice."""
        if self.process.poll() is None:
            with contextlib.suppress(OSError, ValueError):
                assert self.process.stdin is not None
                self.process.stdin.write("quit\n")
                self.process.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(30)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._thread.join(5)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            try:
                message = json.loads(line)
            except ValueError:
                continue  # what a library prints
            if message.get("event") == "ready":
                self.mocap_port = message["mocap_port"] or 0
                self._ready.set()
            elif "event" in message:
                self.events.append(message)
            else:
                self._answers.put(message)
        self._ready.set()  # it ended: whoever waits looks at the process
