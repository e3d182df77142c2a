"""The status bar: how the loop keeps its schedule, where its time goes, what the safety filter did."""

import shutil

from PyQt6.QtWidgets import QLabel, QStatusBar

from app.state import AppState
from app.theme import mono_font
from app.widgets.roles import set_property
from trainer.session.messages import Telemetry

SHOW_EVERY_TICKS = 6
DISK_EVERY_TICKS = 150
LOW_DISK_BYTES = 2_000_000_000
STALE_S = 0.5


class StatusLine:
    """Fills a status bar from the state."""

    def __init__(self, state: AppState, bar: QStatusBar) -> None:
        self._state = state
        self._ticks = 0
        self.backend = _field("backend", "Backend of the session")
        self.rate = _field("rate", "Control periods a second, of 50")
        self.missed = _field("missed", "Control periods dropped because they were late, since the session began")
        self.latency = _field("latency", "Time of each stage of a control period, mean of the last second")
        self.planner = _field(
            "planner", "Time from asking the planner for a chunk to having it, p50 / p99; chunks that came late"
        )
        self.safety = _field("safety_interventions", "What the safety filter changed, by kind, since the session began")
        self.recording = _field("recording", "State of the recorder")
        self.disk = _field("disk", "Space left on the disk of the data set")
        for field in (self.backend, self.rate, self.missed, self.latency, self.planner, self.safety):
            bar.addWidget(field)
        self.planner.hide()
        for field in (self.recording, self.disk):
            bar.addPermanentWidget(field)
        state.ticked.connect(self._on_ticked)
        self._show_disk()

    def _on_ticked(self) -> None:
        self._ticks += 1
        if self._ticks % SHOW_EVERY_TICKS == 0:
            self.show()
        if self._ticks % DISK_EVERY_TICKS == 0:
            self._show_disk()

    def show(self) -> None:
        """Show the newest telemetry."""
        t = self._state.telemetry
        self.backend.setText(self._state.settings.backend)
        if t is None:
            self.rate.setText("loop: loading…" if self._state.session == "loading" else "loop: –")
            return
        loop = t.loop
        stale = self._state.telemetry_age_s > STALE_S
        self.rate.setText("loop: no answer" if stale else f"loop {loop.rate_hz:5.1f} Hz")
        slow = t.state == "running" and self._state.settings.realtime and loop.rate_hz < 45
        set_property(self.rate, "state", "danger" if stale else "warning" if slow else "good")
        self.missed.setText(f"missed {loop.missed_ticks}")
        set_property(self.missed, "state", "warning" if loop.missed_ticks else "idle")
        self.latency.setText(
            f"source {loop.source_ms:.1f} · safety {loop.safety_ms:.1f} · control {loop.controller_ms:.1f}"
            f" · backend {loop.backend_ms:.1f} · slack {loop.slack_ms:.1f} ms"
        )
        self._show_planner(t)
        self._show_safety(t.interventions)
        self.recording.setText(_recording_text(t.recording, t.recorded_samples))
        set_property(self.recording, "state", "danger" if t.recording in ("recording", "refused") else "idle")

    def _show_planner(self, t: Telemetry) -> None:
        self.planner.setVisible(t.source == "policy")
        p = t.planner
        words = f"planner {p.latency_p50_ms:.0f} / {p.latency_p99_ms:.0f} ms · late {p.late}"
        for count, what in ((p.rejected, "rejected"), (p.restarts, "restarts")):
            words += f" · {what} {count}" if count else ""
        self.planner.setText(words if p.chunks else "planner: no chunk yet")
        set_property(self.planner, "state", "warning" if p.late or p.rejected or p.restarts else "idle")

    def _show_safety(self, interventions: dict[str, int]) -> None:
        counted = {kind: count for kind, count in interventions.items() if count}
        self.safety.setText(
            "safety: "
            + (", ".join(f"{kind} {count}" for kind, count in counted.items()) if counted else "nothing changed")
        )
        set_property(self.safety, "state", "warning" if counted else "idle")

    def _show_disk(self) -> None:
        free = free_bytes(self._state)
        self.disk.setText("" if free is None else f"{free / 1e9:.1f} GB free")
        set_property(self.disk, "state", "warning" if free is not None and free < LOW_DISK_BYTES else "idle")


def free_bytes(state: AppState) -> int | None:
    """Space left where the data set is, None without a data set."""
    if state.dataset is None:
        return None
    folder = state.dataset.parent
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def _recording_text(state: str, samples: int) -> str:
    if state == "recording":
        return f"● recording, {samples} samples"
    words = {
        "off": "not recording",
        "refused": "data set refused",
        "armed": "recording armed",
        "finished": "keep or discard?",
    }
    return words[state]


def _field(name: str, tip: str) -> QLabel:
    result = QLabel()
    result.setObjectName(f"status_{name}")
    result.setToolTip(tip)
    result.setFont(mono_font())
    return result
