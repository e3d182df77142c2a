"""The gate before fine-tuning: green, amber and red lines with what to do; red asks for an explicit *start anyway*."""

import json
import sys
from pathlib import Path
from typing import Any

from PyQt6.QtCore import QProcess, QProcessEnvironment, QTimer, pyqtSignal, pyqtSlot
from PyQt6.QtWidgets import QCheckBox, QFrame, QVBoxLayout

from app.theme import METRICS
from app.widgets.check_lines import CheckLines
from app.widgets.roles import label
from core.checks import Line
from trainer.command_line import options_of
from trainer.queue.runner import environment

WAIT_MS = 600
"A form that is being typed in is not judged after every key"
KILL_MS = 1000


class ReadinessBox(QFrame):
    """Judges a config of finetune in a process of its own: it takes torch, which the window does not load."""

    changed = pyqtSignal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("readiness")
        self.setProperty("role", "fold")
        self.lines: tuple[Line, ...] = ()
        self.anyway = QCheckBox("start anyway")
        self._config: Any = None
        self._judged: list[str] | None = None
        self._asked: list[str] = []
        self._shown = CheckLines()
        self._title = label("Ready to be fine-tuned?", "section")
        self._process = QProcess(self)
        self._timer = QTimer(self)
        self._build()
        self._timer.setSingleShot(True)
        self._timer.setInterval(WAIT_MS)
        self._timer.timeout.connect(self._ask)
        self._process.finished.connect(self._on_finished)
        self.anyway.toggled.connect(self.changed)

    def _build(self) -> None:
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(METRICS.gap, METRICS.gap, METRICS.gap, METRICS.gap)
        self._layout.setSpacing(METRICS.tight)
        self._layout.addWidget(self._title)
        self._layout.addWidget(self._shown)
        self.anyway.setObjectName("start_anyway")
        self.anyway.hide()
        self._layout.addWidget(self.anyway)

    def close_worker(self) -> None:
        """End the process that judges."""
        self._timer.stop()
        if self._process.state() != QProcess.ProcessState.NotRunning:
            self._process.finished.disconnect(self._on_finished)
            self._process.kill()
            self._process.waitForFinished(KILL_MS)

    @property
    def ready(self) -> bool:
        """Whether nothing speaks against it, or it shall start anyway."""
        return self.judged and (self.anyway.isChecked() or all(line.level != "bad" for line in self.lines))

    @property
    def judged(self) -> bool:
        """Whether the lines are about the config as it is now."""
        return self._config is not None and self._judged == self._words()

    def judge(self, config: Any) -> None:
        """Judge a config of finetune, None for one that is not valid yet."""
        self._config = config
        if config is None or self.judged:
            return
        checkpoint = str(config.checkpoint or "")
        if checkpoint.startswith("@"):
            text = f"{checkpoint} has to finish first; it is judged when its turn comes"
            self._show((Line("caution", "planner", text, "if it is not ready, the job fails and says why"),))
            return
        self._title.setText("Ready to be fine-tuned?  looking…")
        self._timer.start()
        self.changed.emit()

    def _words(self) -> list[str]:
        return options_of(self._config)

    @pyqtSlot()
    def _ask(self) -> None:
        if self._process.state() != QProcess.ProcessState.NotRunning:
            self._timer.start()  # one at a time: it loads torch
            return
        self._asked = self._words()
        variables = QProcessEnvironment()
        for name, value in environment().items():
            variables.insert(name, value)
        self._process.setProcessEnvironment(variables)
        self._process.setWorkingDirectory(str(Path.cwd()))
        self._process.start(sys.executable, ["-m", "trainer.cli", "readiness", *self._asked, "--json"])

    @pyqtSlot()
    def _on_finished(self) -> None:
        if self._config is None or self._asked != self._words():
            self.judge(self._config)
            return
        said = bytes(self._process.readAllStandardOutput().data()).decode(errors="replace").strip()
        wrong = bytes(self._process.readAllStandardError().data()).decode(errors="replace").strip()
        try:
            lines = tuple(Line(**line) for line in json.loads(said.splitlines()[-1]))
        except (ValueError, TypeError, IndexError):
            first = next((line for line in wrong.splitlines() if line.strip()), "it said nothing")
            lines = (Line("bad", "readiness", f"could not be judged: {first}", "refine-dp readiness says more"),)
        self._show(lines)

    def _show(self, lines: tuple[Line, ...]) -> None:
        self.lines, self._judged = lines, self._words()
        self._title.setText("Ready to be fine-tuned?")
        self._shown.show_lines(lines)
        bad = any(line.level == "bad" for line in lines)
        self.anyway.setVisible(bad)
        if not bad:
            self.anyway.setChecked(False)
        self.changed.emit()
