"""The session panel: what is run, by whom, and the big Start."""

from pathlib import Path

from PyQt6.QtCore import pyqtSlot
from PyQt6.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QProgressBar,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from app.editors import INT_RANGE
from app.field_docs import field_docs
from app.jobs import RUNS_ROOT
from app.panels.robot_box import RobotBox
from app.sources import BACKENDS, CONTROLLERS, RUNTIMES, SAFETY, SOURCES, TASKS
from app.state import AppState
from app.theme import METRICS
from app.widgets.choice_box import ChoiceBox
from app.widgets.planner_box import PlannerBox
from app.widgets.roles import button, label, set_property
from core.statistics import wilson_interval
from trainer.session.messages import Configure

STATE_WORDS = {
    "unconfigured": ("not started", "idle"),
    "loading": ("loading…", "warning"),
    "ready": ("ready", "good"),
    "engaging": ("taking over…", "warning"),
    "running": ("running", "good"),
    "paused": ("paused", "warning"),
    "ended": ("ended", "idle"),
}
BUSY = ("running", "paused", "engaging")
SHOW_EVERY_TICKS = 6


class SessionPanel(QWidget):
    """Settings of the session, and its course."""

    def __init__(self, state: AppState, runs_root: Path = RUNS_ROOT) -> None:
        super().__init__()
        self.setObjectName("session_panel")
        self._state = state
        self._time_limit_s = 0.0
        self._ticks = 0
        docs = field_docs(Configure)
        self.task = ChoiceBox(TASKS, "task", docs["task"])
        self.source = ChoiceBox(SOURCES, "source", docs["source"])
        self.checkpoint = PlannerBox(runs_root, docs["checkpoint"])
        self.runtime = ChoiceBox(RUNTIMES, "runtime", docs["runtime"])
        self.backend = ChoiceBox(BACKENDS, "backend", docs["backend"])
        self.robot = QLineEdit()
        self.robot.setObjectName("robot")
        self.robot.setToolTip(docs["robot"])
        self.mocap = QLineEdit()
        self.mocap.setObjectName("mocap")
        self.mocap.setToolTip(docs["mocap"])
        self.mocap.setPlaceholderText("none; natnet:HOST, vicon:HOST")
        self.safety = ChoiceBox(SAFETY, "safety", docs["safety"])
        self.controller = ChoiceBox(CONTROLLERS, "controller", docs["controller"])
        self.seed = QSpinBox()
        self.seed.setObjectName("seed")
        self.seed.setRange(0, INT_RANGE)
        self.seed.setToolTip(docs["seed"])
        self.realtime = QCheckBox("real time")
        self.realtime.setToolTip(docs["realtime"])
        self.auto_next = QCheckBox("go on to the next")
        self.auto_next.setToolTip(docs["auto_next"])
        self.start = button("Start", "big", "start")
        self.reset = button("Reset", "", "reset", "Abandon the episode and put the robot back (F6)")
        self._form = QFormLayout()
        self.hint = label("", "hint", "hint")
        self.pill = label("", "pill", "session_state")
        self.stage = label("", "muted", "stage")
        self.time = QProgressBar()
        self.results = QLabel()
        self.robot_box = RobotBox(state)
        self._build()
        self._connect()
        self._show()

    def _build(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(METRICS.margin, METRICS.margin, METRICS.margin, METRICS.margin)
        layout.setSpacing(METRICS.gap)
        self.hint.setWordWrap(True)
        layout.addWidget(self.hint)
        row = QHBoxLayout()
        row.addWidget(self.start, 1)
        row.addWidget(self.reset)
        layout.addLayout(row)
        state = QHBoxLayout()
        state.addWidget(self.pill)
        state.addWidget(self.stage, 1)
        layout.addLayout(state)
        self.time.setTextVisible(True)
        self.time.setObjectName("episode_time")
        layout.addWidget(self.time)
        self.results.setObjectName("results")
        layout.addWidget(self.results)
        layout.addWidget(self.robot_box)
        layout.addLayout(self._build_form())
        layout.addStretch(1)

    def _build_form(self) -> QFormLayout:
        form = self._form
        form.setSpacing(METRICS.gap)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        rows: tuple[tuple[str, QWidget], ...] = (
            ("Task", self.task),
            ("Source", self.source),
            ("Planner", self.checkpoint),
            ("Runtime", self.runtime),
            ("Backend", self.backend),
            ("Robot at", self.robot),
            ("Motion capture", self.mocap),
            ("Limits", self.safety),
            ("Controllers", self.controller),
            ("Seed", self.seed),
        )
        for text, widget in rows:
            form.addRow(text, widget)
        options = QHBoxLayout()
        options.addWidget(self.realtime)
        options.addWidget(self.auto_next)
        options.addStretch(1)
        form.addRow("", options)
        return form

    def _connect(self) -> None:
        state = self._state
        self.source.chosen.connect(self._on_source_chosen)
        self.checkpoint.chosen.connect(state.watch)
        for box, name in (
            (self.task, "task"),
            (self.runtime, "runtime"),
            (self.backend, "backend"),
            (self.safety, "safety"),
            (self.controller, "controller"),
        ):
            box.chosen.connect(lambda key, name=name: state.configure(**{name: key}))
        self.robot.editingFinished.connect(lambda: state.configure(robot=self.robot.text().strip() or "lo"))
        self.mocap.editingFinished.connect(lambda: state.configure(mocap=self.mocap.text().strip()))
        self.seed.editingFinished.connect(lambda: state.configure(seed=self.seed.value()))
        self.realtime.toggled.connect(lambda on: state.configure(realtime=on))
        self.auto_next.toggled.connect(lambda on: state.configure(auto_next=on))
        self.start.clicked.connect(state.toggle)
        self.reset.clicked.connect(state.reset)
        state.session_changed.connect(self._show)
        state.scene_changed.connect(self._on_scene_changed)
        state.episode_finished.connect(self._show)
        state.ticked.connect(self._on_ticked)

    @pyqtSlot(str)
    def _on_source_chosen(self, source: str) -> None:
        """A policy needs a planner: the one that was chosen before, else the first in the list, else a file."""
        if source != "policy":
            self._state.configure(source=source)
            return
        self.checkpoint.read()
        before = self._state.settings.checkpoint
        planner = Path(before) if before else self.checkpoint.first
        if planner is not None:
            self._state.watch(planner)
        else:
            self.checkpoint.ask_file()
            self._show()

    @pyqtSlot(object)
    def _on_scene_changed(self, _: object) -> None:
        self._time_limit_s = self._state.time_limit_s

    @pyqtSlot()
    def _show(self) -> None:
        state, settings = self._state, self._state.settings
        self.task.choose(settings.task)
        self.source.choose(settings.source)
        self.runtime.choose(settings.runtime)
        self.checkpoint.show_path(Path(settings.checkpoint) if settings.checkpoint else None)
        for widget in (self.checkpoint, self.runtime):
            self._form.setRowVisible(widget, settings.source == "policy")
        self.backend.choose(settings.backend)
        self.robot.setText(settings.robot)
        self.mocap.setText(settings.mocap)
        for field in (self.robot, self.mocap):
            field.setEnabled(settings.backend.startswith("t1") and state.session not in BUSY)
        self.safety.choose(settings.safety)
        self.controller.choose(settings.controller)
        self.seed.setValue(settings.seed)
        self.realtime.setChecked(settings.realtime)
        self.auto_next.setChecked(settings.auto_next)
        self._show_course()
        self.hint.setText(self._hint())
        self.backend.setEnabled(state.session not in BUSY)
        self.task.setEnabled(self.backend.isEnabled())

    def _show_course(self) -> None:
        state = self._state
        words, mood = STATE_WORDS[state.session]
        if state.stop_shown != "none":
            words, mood = f"{state.stop_shown} stop", "danger" if state.stop_shown == "hard" else "warning"
        self.pill.setText(words)
        set_property(self.pill, "state", mood)
        texts = {"running": "Pause", "paused": "Resume", "engaging": "Give back"}
        waiting = state.start_pending and state.session not in texts
        self.start.setText("Starting…" if waiting else texts.get(state.session, "Start"))
        self.start.setToolTip("Start, pause, go on (F5)")
        self.start.setEnabled(state.stop_shown == "none")
        self.reset.setEnabled(state.session in (*BUSY, "ready"))

    def _hint(self) -> str:
        state = self._state
        if state.stop_shown == "hard":
            return "Hard stop: every joint is only damped. Clear the stop, then Start puts the robot back on its feet."
        if state.stop_shown == "soft":
            return "Soft stop: the robot stands and holds its hands. Clear the stop to go on."
        if state.telemetry is not None and state.telemetry.holding and state.session == "running":
            return f"The robot holds still: {state.telemetry.hold_reason}."
        if state.session == "engaging":
            return "The robot stands up and is taken over. Keep the remote in the hand; Give back ends it."
        if state.session == "ended":
            return "The session has ended. Start begins a new one."
        if state.session == "running" and state.settings.source == "heuristic":
            return "The robot works by itself. Choose a data set below to record what it does."
        return self.source.choice.hint

    @pyqtSlot()
    def _on_ticked(self) -> None:
        telemetry = self._state.telemetry
        self._ticks += 1
        if telemetry is None or self._ticks % SHOW_EVERY_TICKS:
            return
        limit = max(self._time_limit_s, telemetry.time_s, 0.1)
        # a progress bar has its window painted at once; without updates it waits for the next painting
        self.time.setUpdatesEnabled(False)
        self.time.setMaximum(round(10 * limit))
        self.time.setValue(round(10 * telemetry.time_s))
        self.time.setUpdatesEnabled(True)
        self.time.setFormat(f"{telemetry.time_s:.1f} s of {limit:.0f} s")
        self.stage.setText(telemetry.stage.replace("_", " "))
        self.results.setText(results_text(telemetry.episodes_succeeded, telemetry.episodes_finished))


def results_text(succeeded: int, finished: int) -> str:
    """Successes with their Wilson interval."""
    if finished == 0:
        return "No episode finished yet"
    p = wilson_interval(succeeded, finished)
    return f"{succeeded} of {finished} succeeded · {100 * p.low:.0f}–{100 * p.high:.0f} % (95 %)"
