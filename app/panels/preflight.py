"""The page before a real robot moves: what is green and red, what a person confirms, how far the ladder is climbed."""

from datetime import datetime

from PyQt6.QtCore import pyqtSignal, pyqtSlot
from PyQt6.QtWidgets import QCheckBox, QDoubleSpinBox, QFormLayout, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from app.field_docs import field_docs
from app.sources import HANGS
from app.state import AppState
from app.theme import METRICS
from app.widgets.check_lines import CheckLines
from app.widgets.choice_box import ChoiceBox
from app.widgets.roles import button, label, set_property
from core.checks import Line, is_ready
from core.control.hardware_speeds import HAND_M_S, MAX_HAND_M_S, MAX_WALK_M_S, WALK_M_S
from trainer.session.messages import Configure, PreflightAction, PreflightChanged, RungView

SIMULATED = "Choose a Booster T1 as backend: what has to be well before it moves is listed here."
CONNECTING = "Connecting to the robot…"
SPEED_STEP_M_S = 0.01
BUSY = ("running", "paused", "engaging")


class PreflightPanel(QWidget):
    """Shows `AppState.preflight` and asks for what a person can do about it."""

    wanted = pyqtSignal()
    "a robot was chosen: the page should be seen"

    def __init__(self, state: AppState) -> None:
        super().__init__()
        self.setObjectName("preflight_panel")
        self._state = state
        self._backend = state.settings.backend
        docs = field_docs(Configure)
        self.summary = label("", "pill", "preflight_summary")
        self.hint = label("", "hint", "preflight_hint")
        self.name = QLineEdit()
        self.hang = ChoiceBox(HANGS, "hang", docs["hang"])
        self.practise = QCheckBox("simulated robots climb too")
        self.gantry = button("Gantry holds it", "", "confirm_gantry", "You looked at hooks, straps and height")
        self.remote = button("Remote in hand", "", "confirm_remote", "It is switched on, and you know its stop")
        self.stop_test = button(
            "Stop test", "", "stop_test", "The robot stands up in the gantry and is damped; on its feet: only damped"
        )
        self.walk = _speed("walk_limit", MAX_WALK_M_S, docs["walk_limit_m_s"])
        self.hand = _speed("hand_limit", MAX_HAND_M_S, docs["hand_limit_m_s"])
        self.lines, self.rungs = CheckLines(), CheckLines()
        self.who = label("", "muted", "preflight_who")
        self._build()
        self._connect()
        self._show()

    def _build(self) -> None:
        layout = QHBoxLayout(self)
        layout.setContentsMargins(METRICS.margin, METRICS.gap, METRICS.margin, METRICS.gap)
        layout.setSpacing(3 * METRICS.gap)
        for column in (self._build_person(), self._build_lines(), self._build_ladder()):
            column.setSpacing(METRICS.tight)
            column.addStretch(1)
            layout.addLayout(column, 1)

    def _build_person(self) -> QVBoxLayout:
        column = QVBoxLayout()
        self.hint.setWordWrap(True)
        column.addWidget(self.summary)
        column.addWidget(self.hint)
        form = QFormLayout()
        form.setSpacing(METRICS.gap)
        self.name.setObjectName("preflight_name")
        self.name.setPlaceholderText("who confirms")
        self.practise.setObjectName("practise")
        for text, widget in (("Robot", self.hang), ("", self.practise), ("Your name", self.name)):
            form.addRow(text, widget)
        column.addLayout(form)
        row = QHBoxLayout()
        for one in (self.gantry, self.remote, self.stop_test):
            row.addWidget(one)
        column.addLayout(row)
        speeds = QFormLayout()
        speeds.setSpacing(METRICS.gap)
        speeds.addRow("Walking up to", self.walk)
        speeds.addRow("Hands up to", self.hand)
        column.addLayout(speeds)
        return column

    def _build_lines(self) -> QVBoxLayout:
        column = QVBoxLayout()
        column.addWidget(label("Pre-flight check", "section"))
        column.addWidget(self.lines)
        return column

    def _build_ladder(self) -> QVBoxLayout:
        column = QVBoxLayout()
        column.addWidget(label("Unlock ladder", "section"))
        self.who.setWordWrap(True)
        column.addWidget(self.who)
        column.addWidget(self.rungs)
        return column

    def _connect(self) -> None:
        state = self._state
        self.hang.chosen.connect(lambda key: state.configure(hang=key))
        self.practise.toggled.connect(lambda on: state.configure(practise=on))
        actions: tuple[tuple[QWidget, PreflightAction], ...] = (
            (self.gantry, "gantry"), (self.remote, "remote"), (self.stop_test, "stop_test"),
        )  # fmt: skip
        for one, action in actions:
            one.clicked.connect(lambda _, action=action: self._ask(action))  # type: ignore[attr-defined]  # a button
        self.name.textChanged.connect(self._show)
        for box in (self.walk, self.hand):
            box.editingFinished.connect(self._on_speed_edited)
        state.session_changed.connect(self._show)
        state.preflight_changed.connect(self._show)

    def _ask(self, action: PreflightAction) -> None:
        self._state.ask_preflight(action, self.name.text().strip())

    @pyqtSlot()
    def _on_speed_edited(self) -> None:
        """More than the default speeds needs a name, which goes into the safety log with them."""
        state, name = self._state, self.name.text().strip() or self._state.settings.operator
        walk, hand = self.walk.value(), self.hand.value()
        if (walk > WALK_M_S or hand > HAND_M_S) and not name:
            self.hint.setText("Give your name first: it is logged with limits that are looser than usual.")
            self.walk.setValue(state.settings.walk_limit_m_s)
            self.hand.setValue(state.settings.hand_limit_m_s)
            return
        more = {"operator": name} if walk > WALK_M_S or hand > HAND_M_S else {}
        state.configure(walk_limit_m_s=walk, hand_limit_m_s=hand, **more)

    @pyqtSlot()
    def _show(self) -> None:
        state, settings = self._state, self._state.settings
        robot = settings.backend.startswith("t1")
        if robot and settings.backend != self._backend:
            self.wanted.emit()
        self._backend = settings.backend
        still = robot and state.session not in BUSY
        found = state.preflight if robot else None
        named = bool(self.name.text().strip())
        self.hang.choose(settings.hang)
        self.practise.setChecked(settings.practise)
        for box, value in ((self.walk, settings.walk_limit_m_s), (self.hand, settings.hand_limit_m_s)):
            if not box.hasFocus():
                box.setValue(value)
        for one in (self.hang, self.practise, self.walk, self.hand):
            one.setEnabled(still)
        for one in (self.gantry, self.remote):
            one.setEnabled(still and found is not None and named and settings.hang != "shadow")
        self.stop_test.setEnabled(still and found is not None and settings.hang != "shadow")
        self.hint.setText(hint_text(found, robot, named, self.hang.choice.hint))
        text, mood = summary_of(found, robot)
        self.summary.setText(text)
        set_property(self.summary, "state", mood)
        self.lines.show_lines(found.lines if found is not None else ())
        self.rungs.show_lines(rung_lines(found) if found is not None else ())
        self.who.setText(f"{found.robot} · {found.subject}" if found is not None and found.robot else "")


def summary_of(found: PreflightChanged | None, robot: bool) -> tuple[str, str]:
    """Words and mood of the whole check."""
    if not robot:
        return "no robot", "idle"
    if found is None:
        return "looking…", "warning"
    red = sum(line.level == "bad" for line in found.lines)
    if red:
        return f"{red} red: start is blocked", "danger"
    amber = sum(line.level == "caution" for line in found.lines)
    return (f"ready, {amber} amber", "warning") if amber else ("ready", "good")


def hint_text(found: PreflightChanged | None, robot: bool, named: bool, hang: str) -> str:
    """What to do next."""
    if not robot:
        return SIMULATED
    if found is None:
        return CONNECTING
    if is_ready(found.lines):
        return hang
    return f"{hang} Work off what is red from the top." + ("" if named else " Confirming needs your name.")


def rung_lines(found: PreflightChanged) -> tuple[Line, ...]:
    """The ladder as lines of a check; rungs that nothing enforces are only amber."""
    locked = "bad" if found.enforced else "caution"
    return tuple(Line("good" if rung.open else locked, rung.title, _says(rung), rung.remedy) for rung in found.rungs)


def _says(rung: RungView) -> str:
    if not rung.expires_s:
        return rung.says
    return f"{rung.says}; open until {datetime.fromtimestamp(rung.expires_s):%Y-%m-%d}"


def _speed(name: str, most: float, tip: str) -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    box.setObjectName(name)
    box.setRange(SPEED_STEP_M_S, most)
    box.setSingleStep(SPEED_STEP_M_S)
    box.setSuffix(" m/s")
    box.setToolTip(tip)
    return box
