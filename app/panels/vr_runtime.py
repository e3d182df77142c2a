"""The runtime of the headset in words, how to get one, and what a session may choose about it."""

from PyQt6.QtCore import Qt, pyqtSlot
from PyQt6.QtWidgets import QCheckBox, QHBoxLayout, QSpinBox, QVBoxLayout, QWidget

from app.field_docs import field_docs
from app.state import AppState
from app.theme import METRICS
from app.widgets.roles import button, label, set_property, yielding
from core.teleop.openxr_runtimes import active_runtime, installed_runtimes
from core.teleop.xr_settings import VrSettings
from trainer.session.messages import VrView

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
HOW_TO = (
    "Quest, Pico, Focus: install WiVRn on this computer (its dashboard pairs the headset over Wi-Fi or cable). "
    "Index, Vive, or Quest over ALVR: SteamVR, set as the OpenXR runtime in its settings. "
    "Without a headset: Monado with its simulated driver. Start the runtime and put the headset on. "
    "docs/vr.md has the steps."
)
INPUT_FOLDER = "data/operator_input"


class RuntimeAndSettings(QWidget):
    """The first column of the page."""

    def __init__(self, state: AppState) -> None:
        super().__init__()
        self._state = state
        self.column = QVBoxLayout(self)
        self.pill = label("", "pill", "vr_state")
        self.words = yielding("", "", "vr_words", left=True)
        self.remedy = label("", "hint", "vr_remedy")
        self.found = label("", "muted", "vr_found")
        self.use = button("Use the headset", "primary", "vr_use", "Make VR the source of the session")
        self.record_input = QCheckBox("write the raw input of every episode")
        self.limit = _milliseconds("hold above ", 50, 1000, "vr_limit")
        self.lookahead = _milliseconds("predict ", 0, 30, "vr_lookahead")
        self._build()
        self._connect()
        self._show_found()

    def _build(self) -> None:
        self.column.setContentsMargins(0, 0, 0, 0)
        self.column.setSpacing(METRICS.tight)
        row = QHBoxLayout()
        row.addWidget(self.pill)
        row.addWidget(self.words, 1)
        row.addWidget(self.use)
        self.column.addLayout(row)
        for text in (self.remedy, self.found, how_to := label(HOW_TO, "muted", "vr_how_to")):
            text.setWordWrap(True)
            self.column.addWidget(text)
        how_to.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.record_input.setObjectName("vr_record_input")
        self.record_input.setToolTip(f"Files in {INPUT_FOLDER}; refine-dp vr --replay FILE runs the episode again")
        self.column.addWidget(self.record_input)
        chosen = QHBoxLayout()
        docs = field_docs(VrSettings)
        for box, name in ((self.limit, "latency_limit_ms"), (self.lookahead, "lookahead_ms")):
            box.setToolTip(docs[name])
            chosen.addWidget(box)
        self.column.addLayout(chosen)

    def _connect(self) -> None:
        self.use.clicked.connect(lambda: self._state.configure(source="vr"))
        self.record_input.toggled.connect(self._on_settings_changed)
        self.limit.editingFinished.connect(self._on_settings_changed)
        self.lookahead.editingFinished.connect(self._on_settings_changed)

    @pyqtSlot()
    def _on_settings_changed(self) -> None:
        folder = INPUT_FOLDER if self.record_input.isChecked() else None
        self._state.configure(vr=VrSettings(float(self.lookahead.value()), float(self.limit.value()), folder))

    def show_operator(self, vr: VrView | None, chosen: bool) -> None:
        """How it stands; `chosen`: VR is the source, None: nothing was heard of it yet."""
        settings = self._state.settings.vr
        for box, value in ((self.limit, settings.latency_limit_ms), (self.lookahead, settings.lookahead_ms)):
            if not box.hasFocus():  # what is being typed stays
                box.setValue(round(value))
        self.use.setVisible(not chosen)
        words, mood = STATES[vr.state if vr is not None else "starting" if chosen else "off"]
        self.pill.setText(words)
        set_property(self.pill, "state", mood)
        if vr is None:
            self.words.setText("")
            self.remedy.setVisible(False)
            return
        self._show_runtime(vr)

    def _show_found(self) -> None:
        """Read from files, once: a runtime that is installed later shows up when the window is opened anew."""
        active = active_runtime()
        names = sorted({runtime.name for runtime in installed_runtimes()})
        text = f"Active on this computer: {active.name} ({active.path})." if active else "No OpenXR runtime is active."
        self.found.setText(text + (f" Installed: {', '.join(names)}." if names else ""))

    def _show_runtime(self, vr: VrView) -> None:
        held = [name for name in vr.controllers if name]
        rate = f"{vr.rate_hz:.0f} Hz" if vr.rate_hz else ""
        parts = [part for part in (vr.runtime, vr.headset, ", ".join(sorted(set(held))), rate) if part]
        self.words.setText(" · ".join(parts) or vr.text)
        self.words.setToolTip(self.words.text())  # names of runtimes are long
        self.remedy.setText(" ".join(f"{words[0].upper()}{words[1:]}." for words in (vr.text, vr.remedy) if words))
        self.remedy.setVisible(bool(vr.text) and vr.state != "running")
        self.found.setVisible(vr.state != "running")


def _milliseconds(prefix: str, low: int, high: int, name: str) -> QSpinBox:
    """A small setting in ms."""
    result = QSpinBox()
    result.setObjectName(name)
    result.setRange(low, high)
    result.setPrefix(prefix)
    result.setSuffix(" ms")
    return result
