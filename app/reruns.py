"""Simulating recorded episodes again: a process of its own, so that neither the window nor the session waits."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from PyQt6.QtCore import QObject, pyqtSignal

from app.episodes import load_states
from app.replay import RecordedStates
from app.workers.background import Background

COMMAND = (sys.executable, "-m", "trainer.cli", "dataset", "rerun")


class Reruns(QObject):
    """One simulation at a time; what was simulated before is only read."""

    busy_changed = pyqtSignal(bool)
    failed = pyqtSignal(object)

    def __init__(self, command: Sequence[str] = COMMAND) -> None:
        super().__init__()
        self._command = tuple(command)
        self._process: subprocess.Popen[str] | None = None
        self._closing = False
        self._background = Background("rerun")
        self._background.busy_changed.connect(self.busy_changed)
        self._background.failed.connect(self.failed)

    @property
    def busy(self) -> bool:
        """Whether something is being simulated."""
        return self._background.busy

    def start(self, path: Path, name: str, done: Callable[[RecordedStates], None]) -> None:
        """Read an episode with its simulation beside it, simulating first where that was not done yet."""
        self._background.submit("The episode was not simulated again", lambda: self._load(path, name), done)

    def close(self) -> None:
        """End the simulation and the thread. Safe to call twice."""
        self._closing = True
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
        self._background.close()

    def _load(self, path: Path, name: str) -> RecordedStates:
        recorded = load_states(path, name)
        output, rerun = self._simulate(path, name)
        return replace(recorded, beside=load_states(output, rerun), title=f"{recorded.title} · blue: simulated again")

    def _simulate(self, path: Path, name: str) -> tuple[Path, str]:
        """Where the rerun is. Raises RuntimeError with what the process said."""
        self._process = subprocess.Popen(
            [*self._command, str(path), name, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        if self._closing:
            self._process.terminate()
        out, err = self._process.communicate()
        if self._process.returncode != 0:
            said = (err.strip() or out.strip() or "no output").splitlines()
            raise RuntimeError(f"the simulation ended with status {self._process.returncode}: {said[0]}")
        answer = json.loads(out)
        return Path(answer["output"]), answer["reruns"][0]["rerun"]
