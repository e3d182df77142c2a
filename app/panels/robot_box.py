"""What the session panel says of a real robot: how it is, which keys stop it, and its safety log."""

import math

from PyQt6.QtCore import pyqtSignal, pyqtSlot
from PyQt6.QtWidgets import QComboBox, QFormLayout, QVBoxLayout, QWidget

from app.field_docs import field_docs
from app.state import AppState
from app.theme import METRICS
from app.widgets.roles import button, label, set_property
from core.robot.agent.stop_key import known_devices
from core.robot.status import RobotStatus
from trainer.session.messages import Configure

SHOW_EVERY_TICKS = 6
NO_KEY = "none"
LOW_BATTERY_PERCENT, WARM_C, STALE_MS = 20.0, 65.0, 100.0


class RobotBox(QWidget):
    """Shown only where the backend is a robot."""

    log_wanted = pyqtSignal()

    def __init__(self, state: AppState) -> None:
        super().__init__()
        self.setObjectName("robot_box")
        self._state = state
        self._ticks = 0
        docs = field_docs(Configure)
        self.doing = label("", "", "robot_doing")
        self.health = label("", "muted", "robot_health")
        self.stop_key = _device_box("stop_key", docs["stop_key"])
        self.soft_stop_key = _device_box("soft_stop_key", docs["soft_stop_key"])
        self.log = button("Safety log…", "", "open_safety_log", "Limits, interventions, stops and watchdogs")
        self._build()
        for box, name in ((self.stop_key, "stop_key"), (self.soft_stop_key, "soft_stop_key")):
            box.activated.connect(lambda _, box=box, name=name: self._on_key_chosen(box, name))
        self.log.clicked.connect(self.log_wanted)
        state.session_changed.connect(self.show_robot)
        state.ticked.connect(self._on_ticked)
        self.show_robot()

    def _build(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(METRICS.tight)
        for line in (self.doing, self.health):
            line.setWordWrap(True)
            layout.addWidget(line)
        form = QFormLayout()
        form.setSpacing(METRICS.gap)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Stop key", self.stop_key)
        form.addRow("Soft stop", self.soft_stop_key)
        form.addRow("", self.log)
        layout.addLayout(form)

    @pyqtSlot()
    def show_robot(self) -> None:
        """Show the settings and the newest status."""
        state = self._state
        self.setVisible(state.has_robot)
        if not state.has_robot:
            return
        still = state.session not in ("running", "paused", "engaging")
        for box, device in (
            (self.stop_key, state.settings.stop_key),
            (self.soft_stop_key, state.settings.soft_stop_key),
        ):
            box.setEnabled(still)
            if not box.hasFocus():
                box.setCurrentText(device or NO_KEY)
        telemetry = state.telemetry
        status = telemetry.robot if telemetry is not None else None
        self.doing.setText(doing_text(status, state.session))
        self.health.setText(health_text(status))
        set_property(self.health, "state", "warning" if status is not None and needs_a_look(status) else "idle")

    @pyqtSlot()
    def _on_ticked(self) -> None:
        self._ticks += 1
        if self._ticks % SHOW_EVERY_TICKS == 0 and self.isVisible():
            self.show_robot()

    def _on_key_chosen(self, box: QComboBox, name: str) -> None:
        text = box.currentText().strip()
        self._state.configure(**{name: "" if text == NO_KEY else text})


def _device_box(name: str, tip: str) -> QComboBox:
    """Devices with keys that this computer has; another path may be typed."""
    box = QComboBox()
    box.setObjectName(name)
    box.setEditable(True)
    box.setToolTip(tip)
    box.setMinimumContentsLength(8)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.addItems((NO_KEY, *known_devices()))
    return box


def doing_text(status: RobotStatus | None, session: str) -> str:
    """What the robot and its guards do, in one line."""
    if status is None:
        return "Connecting to the robot…" if session == "loading" else "No robot yet"
    name = f"Robot {status.serial_number}: " if status.serial_number else "Robot: "
    return f"{name}{status.detail or status.state} (mode {status.mode})"


def health_text(status: RobotStatus | None) -> str:
    """Battery, temperature, age of what is known; what is not known is left out."""
    if status is None:
        return ""
    words = []
    if not math.isnan(status.battery_percent):
        words.append(f"battery {status.battery_percent:.0f} %")
    if status.hottest_joint:
        words.append(f"{status.hottest_joint} {status.hottest_c:.0f} °C")
    words.append(f"state {status.state_age_ms:.0f} ms old")
    words += [status.mocap] if status.mocap else []
    for count, what in ((status.lost_states, "states lost"), (status.log_failures, "log lines lost")):
        words += [f"{count} {what}"] if count else []
    return " · ".join(words)


def needs_a_look(status: RobotStatus) -> bool:
    """Whether a person should read the line."""
    return (
        status.battery_percent < LOW_BATTERY_PERCENT
        or status.hottest_c > WARM_C
        or status.state_age_ms > STALE_MS
        or status.log_failures > 0
    )
