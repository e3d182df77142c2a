"""The operator's two controllers, and how late the robot's commands are against their motion."""

from PyQt6.QtWidgets import QGridLayout, QLabel, QProgressBar, QVBoxLayout, QWidget

from app.theme import METRICS
from app.widgets.roles import label
from core.teleop.clutch import IN_WORDS
from core.teleop.presses import Side
from trainer.session.messages import VrView

HANDS = {
    "engaged": "follows you",
    "ready": "squeeze the grip to take over",
    "release": "let go of the grip first",
    "lost": "not tracked",
    "off": "no controller",
}
SIDES: tuple[Side, Side] = ("left", "right")
PERCENT = 100


class HandsAndLatency(QWidget):
    """The second column of the page."""

    def __init__(self) -> None:
        super().__init__()
        self.column = QVBoxLayout(self)
        self.states: dict[Side, QLabel] = {side: label("", "", f"vr_{side}") for side in SIDES}
        self.bars: dict[tuple[Side, str], QProgressBar] = {}
        self.joints = label("", "muted", "vr_joints")
        self.latency = QProgressBar()
        self.stages = label("", "muted", "vr_stages")
        self.scale = label("", "muted", "vr_scale")
        self._build()

    def _build(self) -> None:
        self.column.setContentsMargins(0, 0, 0, 0)
        self.column.setSpacing(METRICS.tight)
        grid = QGridLayout()
        grid.setHorizontalSpacing(2 * METRICS.gap)
        grid.setVerticalSpacing(METRICS.tight)
        for place, side in enumerate(SIDES):
            grid.addWidget(label(f"{side.capitalize()} controller", "section"), 0, place)
            grid.setColumnStretch(place, 1)
            self.states[side].setWordWrap(True)
            grid.addWidget(self.states[side], 1, place)
            for row, name in enumerate(("grip", "trigger"), start=2):
                self.bars[side, name] = _bar(side, name)
                grid.addWidget(self.bars[side, name], row, place)
        self.column.addLayout(grid)
        self.column.addWidget(self.joints)
        self.column.addWidget(label("From your hand to the robot's command", "section"))
        self.latency.setObjectName("vr_latency")
        self.column.addWidget(self.latency)
        for text in (self.stages, self.scale):
            text.setWordWrap(True)
            self.column.addWidget(text)

    def show_operator(self, vr: VrView) -> None:
        """What is squeezed, whether it follows, how late it is."""
        for place, side in enumerate(SIDES):
            dropped = vr.why[place] if vr.hands[place] != "engaged" else ""
            why = f" (dropped: {IN_WORDS.get(dropped, dropped)})" if dropped else ""
            far = "" if vr.reachable[place] or vr.hands[place] in ("lost", "off") else " – out of reach"
            self.states[side].setText(HANDS.get(vr.hands[place], vr.hands[place]) + why + far)
            self.bars[side, "grip"].setValue(round(PERCENT * vr.squeezes[place]))
            self.bars[side, "trigger"].setValue(round(PERCENT * vr.triggers[place]))
        self.joints.setText(f"Finger joints: {vr.joints}.")
        self.joints.setVisible(bool(vr.joints))
        walking = "" if vr.walking else "Walking waits until both controllers are tracked and the sticks at rest. "
        self.scale.setText(f"{walking}Your motion times {vr.scale:.2f} (hold X to measure your reach).")
        self._show_latency(vr)

    def _show_latency(self, vr: VrView) -> None:
        late = vr.latency
        total = late.sample_ms + late.mapper_ms + late.loop_ms + late.controller_ms
        self.latency.setMaximum(max(1, round(late.limit_ms)))
        self.latency.setValue(min(round(total), self.latency.maximum()))
        self.latency.setFormat(f"{total:.0f} ms of {late.limit_ms:.0f} ms; above that the robot holds")
        self.stages.setText(
            f"pose {late.sample_ms:.1f} ms old · mapper {late.mapper_ms:.1f} · safety {late.loop_ms:.1f} · "
            f"controller {late.controller_ms:.1f}\nto the command: half within {late.p50_ms:.0f} ms, 99 % within "
            f"{late.p99_ms:.0f} ms"
        )


def _bar(side: Side, name: str) -> QProgressBar:
    bar = QProgressBar()
    bar.setObjectName(f"vr_{side}_{name}")
    bar.setMaximum(PERCENT)
    bar.setFormat(f"{name} %p %")
    return bar
