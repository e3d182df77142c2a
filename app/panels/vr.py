"""The page of the headset: is there a runtime, what is connected, does every button arrive, how late is everything."""

from collections.abc import Callable

from PyQt6.QtCore import Qt, pyqtSlot
from PyQt6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from app.field_docs import field_docs
from app.state import AppState
from app.stereo.eyes import Stand
from app.theme import METRICS
from app.widgets.roles import button, label, set_property, yielding
from app.workers.stereo import StereoPicture
from core.teleop.openxr_runtimes import active_runtime, installed_runtimes
from core.teleop.presses import BUTTONS, Side
from core.teleop.xr_sample import Button
from core.teleop.xr_settings import VrSettings
from trainer.session.messages import SceneChanged, VrView

STATES = {
    "starting": ("looking for a runtime…", "warning"),
    "no_runtime": ("no OpenXR runtime", "danger"),
    "no_answer": ("the runtime does not answer", "warning"),
    "no_headset": ("no headset", "warning"),
    "waiting": ("not in focus", "warning"),
    "running": ("connected", "good"),
    "lost": ("lost, trying again", "danger"),
    "failed": ("failed, trying again", "danger"),
    "off": ("not in use", "idle"),
}
HANDS = {
    "engaged": "follows you",
    "ready": "squeeze the grip to take over",
    "release": "let go of the grip first",
    "lost": "not tracked",
    "off": "no controller",
}
HOW_TO = (
    "Quest, Pico, Focus: install WiVRn on this computer (its dashboard pairs the headset over Wi-Fi or cable). "
    "Index, Vive, or Quest over ALVR: SteamVR, set as the OpenXR runtime in its settings. "
    "Without a headset: Monado with its simulated driver. Start the runtime and put the headset on. "
    "docs/vr.md has the steps."
)
INPUT_FOLDER = "data/operator_input"
PICTURES: tuple[tuple[str, Stand | None], ...] = (
    ("no picture in the headset", None),
    ("picture in the headset: from the robot's head", "head"),
    ("picture in the headset: from behind the robot", "stand"),
)
SHOW_EVERY_TICKS = 3
PERCENT = 100


class VrPanel(QWidget):
    """Shows `Telemetry.vr`; before the source is VR, what this computer has."""

    def __init__(self, state: AppState, make_picture: Callable[[Stand], StereoPicture] = StereoPicture) -> None:
        super().__init__()
        self.setObjectName("vr_panel")
        self._state = state
        self._make_picture = make_picture
        self._ticks = 0
        self._checked: set[tuple[Side, Button]] = set()
        self.pill = label("", "pill", "vr_state")
        self.words = label("", "", "vr_words")
        self.remedy = label("", "hint", "vr_remedy")
        self.found = label("", "muted", "vr_found")
        self.use = button("Use the headset", "primary", "vr_use", "Make VR the source of the session")
        self.record_input = QCheckBox("write the raw input of every episode")
        self.limit = _milliseconds("hold above ", 50, 1000, "vr_limit")
        self.lookahead = _milliseconds("predict ", 0, 30, "vr_lookahead")
        self.in_headset = QComboBox()
        self.picture_says = label("", "muted", "vr_picture_says")
        self.picture: StereoPicture | None = None
        self.hands: dict[Side, QLabel] = {"left": label("", "", "vr_left"), "right": label("", "", "vr_right")}
        self.bars: dict[tuple[Side, str], QProgressBar] = {}
        self.keys: dict[tuple[Side, Button], QLabel] = {}
        self.checked = label("", "muted", "vr_checked")
        self.latency = QProgressBar()
        self.stages = label("", "muted", "vr_stages")
        self.scale = label("", "muted", "vr_scale")
        self._build()
        self._connect()
        self._show_found()
        self._show()

    # ------------------------------------------------------------------ widgets

    def _build(self) -> None:
        layout = QHBoxLayout(self)
        layout.setContentsMargins(METRICS.margin, METRICS.gap, METRICS.margin, METRICS.gap)
        layout.setSpacing(3 * METRICS.gap)
        for column in (self._build_runtime(), self._build_hands(), self._build_buttons()):
            column.setSpacing(METRICS.tight)
            column.addStretch(1)
            layout.addLayout(column, 1)

    def _build_runtime(self) -> QVBoxLayout:
        column = QVBoxLayout()
        row = QHBoxLayout()
        row.addWidget(self.pill)
        row.addWidget(self.words, 1)
        row.addWidget(self.use)
        column.addLayout(row)
        for text in (self.remedy, self.found, how_to := label(HOW_TO, "muted", "vr_how_to")):
            text.setWordWrap(True)
            column.addWidget(text)
        how_to.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.record_input.setObjectName("vr_record_input")
        self.record_input.setToolTip(f"Files in {INPUT_FOLDER}; refine-dp vr --replay FILE runs the episode again")
        column.addWidget(self.record_input)
        self.in_headset.setObjectName("vr_in_headset")
        self.in_headset.setToolTip(
            "A process of its own draws it; the input does not depend on it. Needs a graphics card"
        )
        for text, stand in PICTURES:
            self.in_headset.addItem(text, stand)
        chosen = QHBoxLayout()
        docs = field_docs(VrSettings)
        for box, name in ((self.limit, "latency_limit_ms"), (self.lookahead, "lookahead_ms")):
            box.setToolTip(docs[name])
            chosen.addWidget(box)
        column.addLayout(chosen)
        column.addWidget(self.in_headset)
        column.addWidget(self.picture_says)
        return column

    def _build_hands(self) -> QVBoxLayout:
        column = QVBoxLayout()
        grid = QGridLayout()
        grid.setHorizontalSpacing(2 * METRICS.gap)
        grid.setVerticalSpacing(METRICS.tight)
        sides: tuple[Side, Side] = ("left", "right")
        for place, side in enumerate(sides):
            grid.addWidget(label(f"{side.capitalize()} controller", "section"), 0, place)
            grid.setColumnStretch(place, 1)
            self.hands[side].setWordWrap(True)
            grid.addWidget(self.hands[side], 1, place)
            for row, name in enumerate(("grip", "trigger"), start=2):
                bar = QProgressBar()
                bar.setObjectName(f"vr_{side}_{name}")
                bar.setMaximum(PERCENT)
                bar.setFormat(f"{name} %p %")
                self.bars[side, name] = bar
                grid.addWidget(bar, row, place)
        column.addLayout(grid)
        column.addWidget(label("From your hand to the robot's command", "section"))
        self.latency.setObjectName("vr_latency")
        column.addWidget(self.latency)
        for text in (self.stages, self.scale):
            text.setWordWrap(True)
            column.addWidget(text)
        return column

    def _build_buttons(self) -> QVBoxLayout:
        column = QVBoxLayout()
        column.addWidget(label("Press each button once to check it", "section"))
        column.addLayout(self._build_keys())
        column.addWidget(self.checked)
        return column

    def _build_keys(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(METRICS.gap)
        grid.setVerticalSpacing(METRICS.tight)
        grid.setColumnStretch(1, 1)
        for row, use in enumerate(BUTTONS):
            key = label(use.name, "key")
            self.keys[use.side, use.button] = key
            text = use.short_text + (f"; held: {use.long_text}" if use.long else "")
            grid.addWidget(key, row, 0)
            grid.addWidget(_explained(text), row, 1)
        for row, side in enumerate(("left", "right"), start=len(BUTTONS)):
            key = label(f"{side} stick", "key")
            self.keys[side, Button.STICK] = key
            text = "both pressed: soft stop; held: hard stop" if side == "left" else "turn; the left one walks"
            grid.addWidget(key, row, 0)
            grid.addWidget(_explained(text), row, 1)
        return grid

    def _connect(self) -> None:
        self.use.clicked.connect(lambda: self._state.configure(source="vr"))
        self.record_input.toggled.connect(self._on_settings_changed)
        self.limit.editingFinished.connect(self._on_settings_changed)
        self.lookahead.editingFinished.connect(self._on_settings_changed)
        self.in_headset.activated.connect(self._on_picture_chosen)
        self._state.ticked.connect(self._on_ticked)
        self._state.scene_changed.connect(self._show_scene)
        self._state.session_changed.connect(self._show)

    @pyqtSlot()
    def _on_settings_changed(self) -> None:
        folder = INPUT_FOLDER if self.record_input.isChecked() else None
        self._state.configure(vr=VrSettings(float(self.lookahead.value()), float(self.limit.value()), folder))

    # ------------------------------------------------------------------ the picture in the headset

    @pyqtSlot(int)
    def _on_picture_chosen(self, _: int) -> None:
        self.close_picture()
        stand = self.in_headset.currentData()
        if stand:
            self.picture = self._make_picture(stand)
            self._show_scene()

    @pyqtSlot()
    def _show_scene(self) -> None:
        state = self._state
        if self.picture is not None and state.scene is not None:
            self.picture.show_scene(SceneChanged(state.scene, state.settings.task, state.time_limit_s))

    def close_picture(self) -> None:
        """End the picture process, if there is one."""
        picture, self.picture = self.picture, None
        if picture is not None:
            picture.close()
        self.picture_says.setText("")

    def _feed_picture(self) -> None:
        if self.picture is None:
            return
        if self._state.telemetry is not None:
            self.picture.show(self._state.telemetry)
        said = self.picture.lines[-1] if self.picture.lines else "starting…"
        self.picture_says.setText(said if self.picture.alive else f"the picture process ended: {said}")

    # ------------------------------------------------------------------ what changes

    @pyqtSlot()
    def _on_ticked(self) -> None:
        self._ticks += 1
        self._feed_picture()
        if self.isVisible() and self._ticks % SHOW_EVERY_TICKS == 0:
            self._show()

    @pyqtSlot()
    def _show(self) -> None:
        settings = self._state.settings
        chosen = settings.source == "vr"
        for box, value in ((self.limit, settings.vr.latency_limit_ms), (self.lookahead, settings.vr.lookahead_ms)):
            if not box.hasFocus():  # what is being typed stays
                box.setValue(round(value))
        self.use.setVisible(not chosen)
        telemetry = self._state.telemetry
        vr = telemetry.vr if telemetry is not None and chosen else None
        words, mood = STATES[vr.state if vr is not None else "starting" if chosen else "off"]
        self.pill.setText(words)
        set_property(self.pill, "state", mood)
        if vr is None:
            self.words.setText("")
            self.remedy.setVisible(False)
            return
        self._show_runtime(vr)
        self._show_hands(vr)
        self._show_latency(vr)

    def _show_found(self) -> None:
        """Read from files, once: a runtime that is installed later shows up when the page is opened anew."""
        active = active_runtime()
        names = sorted({runtime.name for runtime in installed_runtimes()})
        text = f"Active on this computer: {active.name} ({active.path})." if active else "No OpenXR runtime is active."
        self.found.setText(text + (f" Installed: {', '.join(names)}." if names else ""))

    def _show_runtime(self, vr: VrView) -> None:
        held = [name for name in vr.controllers if name]
        rate = f"{vr.rate_hz:.0f} Hz" if vr.rate_hz else ""
        parts = [part for part in (vr.runtime, vr.headset, ", ".join(sorted(set(held))), rate) if part]
        self.words.setText(" · ".join(parts) or vr.text)
        self.remedy.setText(" ".join(f"{words[0].upper()}{words[1:]}." for words in (vr.text, vr.remedy) if words))
        self.remedy.setVisible(bool(vr.text) and vr.state != "running")
        self.found.setVisible(vr.state != "running")

    def _show_hands(self, vr: VrView) -> None:
        sides: tuple[Side, Side] = ("left", "right")
        for place, side in enumerate(sides):
            why = f" (dropped: {vr.why[place]})" if vr.why[place] and vr.hands[place] != "engaged" else ""
            far = "" if vr.reachable[place] or vr.hands[place] in ("lost", "off") else " – out of reach"
            self.hands[side].setText(HANDS.get(vr.hands[place], vr.hands[place]) + why + far)
            self.bars[side, "grip"].setValue(round(PERCENT * vr.squeezes[place]))
            self.bars[side, "trigger"].setValue(round(PERCENT * vr.triggers[place]))
        for (side, which), key in self.keys.items():
            down = bool(vr.buttons[0 if side == "left" else 1] & which)
            set_property(key, "down", down)
            if down:
                self._checked.add((side, which))
        missing = [key.text() for place, key in self.keys.items() if place not in self._checked]
        self.checked.setText(f"not seen yet: {', '.join(missing)}" if missing else "every button arrives")

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
        walking = "" if vr.walking else "Walking waits until both controllers are tracked and the sticks at rest. "
        self.scale.setText(f"{walking}Your motion times {vr.scale:.2f} (hold X to measure your reach).")


def _milliseconds(prefix: str, low: int, high: int, name: str) -> QSpinBox:
    """A small setting in ms."""
    result = QSpinBox()
    result.setObjectName(name)
    result.setRange(low, high)
    result.setPrefix(prefix)
    result.setSuffix(" ms")
    return result


def _explained(text: str) -> QLabel:
    """A text that is cut where the window is narrow, whole in its tool tip."""
    result = yielding(text, "muted", left=True)
    result.setToolTip(text)
    return result
