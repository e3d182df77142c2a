"""The two stops: large, always visible, no confirmation; and what became of them."""

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import QHBoxLayout, QPushButton, QWidget

from app.robot_stop import StopShown
from app.stop_keys import HARD_STOP_KEYS, SOFT_STOP_KEYS
from app.theme import METRICS
from app.widgets.roles import button, label, set_property
from trainer.session.messages import StopState

SOFT_TIP = f"Soft stop ({SOFT_STOP_KEYS}): zero velocity, hands held, balance kept. Works wherever the keyboard is."
HARD_TIP = (
    f"Hard stop ({HARD_STOP_KEYS}): every joint only damped; the robot sinks down. Works wherever the keyboard is."
)
NO_ROBOT = StopShown()


class StopBar(QWidget):
    """Soft stop, hard stop, clear."""

    soft_stop_pressed = pyqtSignal()
    hard_stop_pressed = pyqtSignal()
    clear_pressed = pyqtSignal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("stop_bar")
        self.soft = _stop_button("SOFT STOP", "Esc", "soft_stop", SOFT_TIP)
        self.hard = _stop_button("HARD STOP", "F12", "hard_stop", HARD_TIP)
        self.clear = button(
            "Clear stop", "primary", "clear_stop", "Release the stop; the session stays paused in place"
        )
        self.state_label = label("", "", "stop_state")
        self._build()
        # pressed, not clicked: the stop begins when the finger goes down
        self.soft.pressed.connect(self.soft_stop_pressed)
        self.hard.pressed.connect(self.hard_stop_pressed)
        self.clear.clicked.connect(self.clear_pressed)
        self.show_state("none", None, None)

    def _build(self) -> None:
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(METRICS.gap)
        layout.addWidget(self.state_label)
        layout.addWidget(self.clear)
        layout.addWidget(self.soft)
        layout.addWidget(self.hard)

    def show_state(
        self, state: StopState, latency_ms: float | None, round_trip_ms: float | None, robot: StopShown = NO_ROBOT
    ) -> None:
        """Show a latched stop, how long it took to be obeyed, and for a real robot what the robot itself says."""
        words = {"none": "", "soft": "SOFT STOP latched", "hard": "HARD STOP latched"}
        times = "" if latency_ms is None else f"\nobeyed in {latency_ms:.0f} ms"
        times += "" if round_trip_ms is None else f", confirmed in {round_trip_ms:.0f} ms"
        if robot.words:
            words["none"], times = "HARD STOP asked for", f"\n{robot.words}"
        stopped = state != "none" or bool(robot.words)
        self.state_label.setText(words[state] + times if stopped else "")
        danger = state == "hard" or bool(robot.words)
        set_property(self.state_label, "state", "danger" if danger else "warning" if stopped else "idle")
        set_property(self.state_label, "alarm", robot.confirmation == "NOT CONFIRMED")
        self.state_label.setVisible(stopped)
        self.clear.setVisible(stopped)


def _stop_button(text: str, key: str, role: str, tip: str) -> QPushButton:
    result = button(f"{text}   {key}", role, role, tip)
    result.setAccessibleDescription(tip)
    return result
