"""A form for every job, with presets; what it says becomes a job in the queue."""

import shlex
from dataclasses import replace
from typing import Any

from PyQt6.QtCore import Qt, pyqtSlot
from PyQt6.QtGui import QGuiApplication
from PyQt6.QtWidgets import (
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QScrollArea,
    QSpinBox,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.form import ConfigForm
from app.problems import Problem
from app.state import AppState
from app.theme import METRICS
from app.training.choices import Choices
from app.training.kinds import HIDDEN, Kind, all_kinds, config_of_row, missing
from app.training.readiness_box import ReadinessBox
from app.training.runs import Runs
from app.widgets.path_box import path_editor
from app.widgets.roles import button, label
from trainer.command_line import options_of
from trainer.jobs import chain
from trainer.queue.chain import whole_chain
from trainer.run_rows import RunRow
from trainer.runs import RunError

CHAIN_HELP = (
    "collect, pretrain, evaluate, finetune, evaluate: each takes what the one before made, and stops those behind it "
    "when it fails"
)
CHAIN = Kind("chain", "whole chain", chain.Config, {}, CHAIN_HELP)
DEFAULT_PRESET = "defaults"
DATA_FILES = "Data sets (*.hdf5 *.h5)"
PLANNER_FILES = "Planners (*.safetensors)"
MOST_PRIORITY = 99


class JobPanel(QWidget):
    """What to do next."""

    def __init__(self, state: AppState, runs: Runs) -> None:
        super().__init__()
        self.setObjectName("job_panel")
        self._runs = runs
        self._choices = Choices(state, runs)
        self.kinds = (CHAIN, *all_kinds())
        self.kind_box = QComboBox()
        self.preset_box = QComboBox()
        self._head = QFormLayout()
        self.forms: dict[str, ConfigForm[Any]] = {}
        self.readiness = ReadinessBox()
        self.priority = QSpinBox()
        self.copy = button("Copy command", "", "copy_job_command", "The command line that does the same in a terminal")
        self.enqueue = button(
            "Add to the queue",
            "primary",
            "enqueue",
            "It starts when its turn comes, and goes on when the window is closed",
        )
        self._stack = QStackedWidget()
        self._help = label("", "muted", "job_help")
        self._lacks = label("", "error", "job_lacks")
        self._build()
        self._connect()
        self.choose("pretrain")

    def _build(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(METRICS.margin, METRICS.gap, METRICS.margin, METRICS.gap)
        layout.setSpacing(METRICS.gap)
        layout.addWidget(label("New job", "section"))
        head = self._head
        head.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.kind_box.setObjectName("job_kind")
        for kind in self.kinds:
            self.kind_box.addItem(kind.title)
        self.preset_box.setObjectName("job_preset")
        self.preset_box.setToolTip("Start from these values; every one of them can be changed")
        head.addRow("Job", self.kind_box)
        head.addRow("Preset", self.preset_box)
        layout.addLayout(head)
        self._help.setWordWrap(True)
        layout.addWidget(self._help)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setObjectName("job_form_area")
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        content = QWidget()
        inside = QVBoxLayout(content)
        inside.setContentsMargins(0, 0, METRICS.gap, 0)
        inside.addWidget(self._stack)
        inside.addWidget(self.readiness)
        inside.addStretch(1)
        area.setWidget(content)
        layout.addWidget(area, 1)
        self._lacks.setWordWrap(True)
        layout.addWidget(self._lacks)
        layout.addLayout(self._build_foot())

    def _build_foot(self) -> QHBoxLayout:
        foot = QHBoxLayout()
        self.priority.setObjectName("priority")
        self.priority.setRange(-MOST_PRIORITY, MOST_PRIORITY)
        self.priority.setPrefix("priority ")
        self.priority.setToolTip("Jobs of higher priority run first")
        foot.addWidget(self.priority)
        foot.addWidget(self.copy)
        foot.addStretch(1)
        foot.addWidget(self.enqueue)
        return foot

    def _connect(self) -> None:
        self.kind_box.currentIndexChanged.connect(self._on_kind_changed)
        self.preset_box.activated.connect(self._on_preset_chosen)
        self.enqueue.clicked.connect(self.add)
        self.copy.clicked.connect(self.copy_command)
        self.readiness.changed.connect(self._show_possible)

    def close_worker(self) -> None:
        """End the process that judges."""
        self.readiness.close_worker()

    # ------------------------------------------------------------------ which form

    @property
    def kind(self) -> Kind:
        """The job that is chosen."""
        return self.kinds[self.kind_box.currentIndex()]

    @property
    def form(self) -> ConfigForm[Any]:
        """Its form."""
        return self.forms[self.kind.title]

    def choose(self, title: str) -> None:
        """Show the form of a job."""
        self.kind_box.setCurrentIndex([kind.title for kind in self.kinds].index(title))
        self._on_kind_changed()

    @pyqtSlot()
    def _on_kind_changed(self) -> None:
        kind = self.kind
        if kind.title not in self.forms:
            form = ConfigForm(
                kind.config, kind.default(), HIDDEN, choosers=self._choosers(kind), unfolded=kind.unfolded
            )
            form.changed.connect(self._on_form_changed)
            self.forms[kind.title] = form
            self._stack.addWidget(form)
        for form in self.forms.values():  # a stack is as high as its highest page, also when that is not shown
            form.setVisible(form is self.form)
        self._stack.setCurrentWidget(self.form)
        self.preset_box.clear()
        self.preset_box.addItems([DEFAULT_PRESET, *kind.presets])
        self._head.setRowVisible(self.preset_box, bool(kind.presets))
        self._help.setText(kind.help[:1].upper() + kind.help[1:] + ".")
        self.readiness.setVisible(kind.job == "finetune")
        self._on_form_changed()

    def _choosers(self, kind: Kind) -> dict[str, Any]:
        choices = self._choices
        makes_data = kind.job in ("collect", "chain")
        browse = "new file" if makes_data else "file"
        return {
            "dataset": lambda: path_editor(choices.datasets, not makes_data, "choose a data set", browse, DATA_FILES),
            "checkpoint": lambda: path_editor(
                choices.planners, True, "the heuristic" if kind.job == "evaluate" else "choose a planner", "file",
                PLANNER_FILES,
            ),
            "against": lambda: path_editor(choices.planners, True, "none", "file", PLANNER_FILES),
        }  # fmt: skip

    @pyqtSlot()
    def _on_preset_chosen(self) -> None:
        kind, name = self.kind, self.preset_box.currentText()
        preset = kind.presets.get(name, kind.default())
        self.form.set_config(self._keep_inputs(preset))

    def _keep_inputs(self, preset: Any) -> Any:
        """A preset does not unlearn which data set or planner was chosen."""
        kept = {}
        for field in ("dataset", "checkpoint"):
            if hasattr(preset, field) and getattr(preset, field) is None:
                kept[field] = self.form.editor(field).value()
        return replace(preset, **kept) if kept else preset

    def show_copy(self, row: RunRow) -> None:
        """The settings of a job, to change and queue again."""
        try:
            kind, config = config_of_row(row, self.kinds)
        except RunError as error:
            self._runs.report(Problem.from_error("The job cannot be duplicated", error))
            return
        self.choose(kind.title)
        self.form.set_config(config)

    # ------------------------------------------------------------------ what it says

    def config(self) -> Any:
        """What the form says, None while it is not valid."""
        return self.form.validate()

    @pyqtSlot()
    def _on_form_changed(self) -> None:
        if self.kind.job == "finetune":
            config = self.config()
            self.readiness.judge(config if config is not None and config.checkpoint is not None else None)
        self._show_possible()

    @pyqtSlot()
    def _show_possible(self) -> None:
        config = self.config()
        lacks = "" if config is None else missing(self.kind, config)
        if not lacks and config is not None and self.kind.job == "finetune" and not self.readiness.ready:
            lacks = self._why_not_ready()
        self._lacks.setText(lacks)
        self._lacks.setVisible(bool(lacks))
        self.enqueue.setEnabled(config is not None and not lacks)
        self.copy.setEnabled(config is not None)

    def _why_not_ready(self) -> str:
        if not self.readiness.judged:
            return "looking whether the planner is ready…"
        return "a red line speaks against it: do what it says, or tick “start anyway”"

    @pyqtSlot()
    def add(self) -> None:
        """Queue what the form says."""
        config, kind, priority = self.config(), self.kind, self.priority.value()
        if config is None or not self.enqueue.isEnabled():
            return
        if kind is CHAIN:
            self._runs.enqueue_chain(whole_chain(config.preset, config.dataset), priority)
        else:
            if kind.job == "finetune":
                config = replace(config, require_ready=not self.readiness.anyway.isChecked())
            self._runs.enqueue(kind.job, config, priority)

    @pyqtSlot()
    def copy_command(self) -> None:
        """The command line of what the form says, to the clipboard."""
        config, clipboard = self.config(), QGuiApplication.clipboard()
        if config is not None and clipboard is not None:
            clipboard.setText(self.command_text(config))
            self._runs.told.emit("the command line is in the clipboard")

    def command_text(self, config: Any) -> str:
        """What to type in a terminal for the same job."""
        kind = self.kind
        if kind is CHAIN:
            return shlex.join(
                ["refine-dp", "queue", "add-chain", "--preset", config.preset, "--dataset", str(config.dataset)]
            )
        name = self.preset_box.currentText()
        preset = kind.presets.get(name)
        words = options_of(config, preset) if preset is not None else options_of(config, kind.default())
        if preset is not None:
            words = ["--preset", name, *words]
        return shlex.join(["refine-dp", kind.job, *([kind.part] if kind.part else []), *words])
