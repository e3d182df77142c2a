"""The state of the window: one object that talks to the session worker and that every panel reads."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, assert_never

from PyQt6.QtCore import QObject, QTimer, pyqtSignal

from app.library import Library
from app.problems import Problem
from app.replay import Replay
from app.reruns import Reruns
from app.robot_stop import RobotStopWatch
from app.scene_pose import ScenePose, pose_of_telemetry
from app.series import LiveSeries
from app.theme import DARK, Theme
from core.robot.preflight import refusal
from core.tasks.scene import Scene
from trainer.session.messages import (
    ClientMessage,
    Configure,
    Control,
    EpisodeFinished,
    Hello,
    Keys,
    Label,
    LogLine,
    PreflightAction,
    PreflightAsked,
    PreflightChanged,
    Record,
    RecordAction,
    RecordingChanged,
    SceneChanged,
    SessionError,
    SessionState,
    SettingsKept,
    StateChanged,
    Stop,
    StopAction,
    StopChanged,
    StopState,
    Telemetry,
    WorkerEvent,
)

DISPLAY_HZ = 30
CONTROL_PERIOD_S = 0.02
"The 50 Hz of the control loop; core.types, its owner, needs torch"
CLOSE_TIMEOUT_S = 2.0
"Closing the window ends the session worker within this time"


class Client(Protocol):
    """What the window needs of `trainer.session.client.SessionClient`."""

    @property
    def alive(self) -> bool: ...
    def start(self) -> None: ...
    def send(self, message: ClientMessage) -> None: ...
    def latest(self) -> Telemetry | None: ...
    def telemetry_age_s(self) -> float: ...
    def events(self) -> list[WorkerEvent]: ...
    def close(self, timeout_s: float = ...) -> None: ...


class AppState(QObject):
    """Everything the panels show. Pulls the newest telemetry at display rate; panels call its methods to act."""

    ticked = pyqtSignal()
    session_changed = pyqtSignal()
    "state, stop, settings or liveness of the session changed"
    scene_changed = pyqtSignal(object)
    episode_finished = pyqtSignal(object)
    recording_changed = pyqtSignal(object)
    dataset_changed = pyqtSignal(object)
    problem_raised = pyqtSignal(object)
    logged = pyqtSignal(str, str)
    theme_changed = pyqtSignal(object)
    preflight_changed = pyqtSignal()
    replay_changed = pyqtSignal()
    "an episode was opened for replay, or replay was left"

    def __init__(self, make_client: Callable[[], Client], now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._make_client = make_client
        self._now = now
        self._client: Client | None = None
        self._pulled_s = now()
        self._keys_down: frozenset[str] = frozenset()
        self._start_wanted = False
        self._stop_pressed_s: float | None = None
        self._told: tuple[Any, ...] = ()
        self.settings = Configure()
        self.session: SessionState = "unconfigured"
        self.scene: Scene | None = None
        self.time_limit_s = 0.0
        self.telemetry: Telemetry | None = None
        self.stop_shown: StopState = "none"
        self.stop_latency_ms: float | None = None
        self.stop_round_trip_ms: float | None = None
        self.robot_stop = RobotStopWatch(now)
        self.last_episode: EpisodeFinished | None = None
        self.series = LiveSeries()
        self.theme: Theme = DARK
        self.draws_slowly = False
        "the picture had to be simplified: other panels draw less often, too"
        self.replay: Replay | None = None
        self.preflight: PreflightChanged | None = None
        "of the robot, None before the first look"
        self.library = Library(self._lend_dataset, self._take_dataset_back)
        self.library.failed.connect(self.report)
        self.reruns = Reruns()
        self.reruns.failed.connect(self.report)
        self._timer = QTimer(self)
        self._timer.setInterval(round(1000 / DISPLAY_HZ))
        self._timer.timeout.connect(self.pull)

    # ------------------------------------------------------------------ life

    def begin(self) -> None:
        """Start the worker and the display clock, so that everything is loaded when Start is pressed."""
        self._timer.start()
        self._ensure_client()

    def close(self) -> None:
        """Stop the display clock and end the worker. Safe to call twice."""
        self._timer.stop()
        if self._client is not None:
            self._client.close(CLOSE_TIMEOUT_S)
            self._client = None
        self.library.close()
        self.reruns.close()
        self.robot_stop.close()

    @property
    def alive(self) -> bool:
        """Whether a session worker runs."""
        return self._client is not None and self._client.alive

    @property
    def has_robot(self) -> bool:
        """Whether the session is one with a real robot (or refine-dp t1-sim)."""
        return self.settings.backend.startswith("t1")

    @property
    def telemetry_age_s(self) -> float:
        """Age of what is shown; infinite before the first telemetry."""
        return self._client.telemetry_age_s() if self._client is not None else float("inf")

    def _ensure_client(self) -> None:
        if self.alive:
            return
        if self._client is not None:
            self._client.close(CLOSE_TIMEOUT_S)
        self._client = self._make_client()
        self._client.start()
        self.session = "loading"
        self.telemetry = None
        self.stop_shown = "none"
        self.series.clear()
        self._client.send(self.settings)
        self.session_changed.emit()

    def _send(self, message: ClientMessage) -> None:
        if self._client is not None:
            self._client.send(message)

    # ------------------------------------------------------------------ what panels ask for

    def configure(self, **changes: Any) -> None:
        """Change settings of the session (fields of `Configure`)."""
        settings = replace(self.settings, **changes)
        if settings == self.settings:
            return
        self.settings = settings
        self.preflight = None  # it was about other settings; the session looks again
        self._send(settings)
        self.session_changed.emit()

    def watch(self, checkpoint: Path) -> None:
        """Let a trained planner command: from the next episode on, where one runs. What it does is not recorded by
        itself, so that it does not end up among demonstrations.
        """
        self.leave_replay()
        runtime = self.settings.runtime
        if checkpoint.suffix == ".onnx":
            runtime = "onnx" if runtime == "torch" else runtime
        self.configure(source="policy", checkpoint=str(checkpoint), runtime=runtime, auto_record=False)

    def choose_dataset(self, path: Path | None) -> None:
        """Record to this data set and browse it."""
        self.leave_replay()
        self.configure(dataset=str(path) if path is not None else None)
        self.library.open(path)
        self.dataset_changed.emit(path)

    @property
    def can_edit_dataset(self) -> bool:
        """Whether the recorder can let go of the data set: not in the middle of an episode."""
        return self.telemetry is None or not self.alive or self.telemetry.recording != "recording"

    def _lend_dataset(self) -> None:
        self._send(replace(self.settings, dataset=None))

    def _take_dataset_back(self) -> None:
        self._send(self.settings)

    @property
    def dataset(self) -> Path | None:
        """The data set that is recorded to and browsed."""
        return Path(self.settings.dataset) if self.settings.dataset else None

    def start(self) -> None:
        """Begin an episode, or as soon as everything is loaded; go on when paused."""
        self.leave_replay()
        self._ensure_client()
        if self.session == "engaging":
            return
        if why := self._closed_gate():
            self.report(Problem("The robot is not started", why, "work the red lines off in the tab Pre-flight"))
            return
        if self.session == "paused":
            self._send(Control("resume"))
        elif self.session == "ready":
            self._send(Control("start"))
        else:
            if self.session == "unconfigured":
                self._send(self.settings)  # an earlier attempt failed: try again
            self._start_wanted = True
            self.session_changed.emit()

    @property
    def start_pending(self) -> bool:
        """Start was pressed and waits for loading to end."""
        return self._start_wanted

    def toggle(self) -> None:
        """Start, pause or go on: what the big button does."""
        if self.session in ("running", "engaging"):
            self.pause()
        else:
            self.start()

    def pause(self) -> None:
        """Freeze the simulation."""
        self._send(Control("pause"))

    def reset(self) -> None:
        """Abandon the episode and put the robot back."""
        self._start_wanted = False
        self._send(Control("reset"))

    def stop(self, action: StopAction) -> None:
        """Soft stop, hard stop, or clear a latched stop. Sent before anything else happens."""
        pressed_s = self._now()
        self._send(Stop(action, pressed_s))
        match action:
            case "hard_stop":
                self.robot_stop.pressed("hard")
            case "soft_stop":
                self.robot_stop.pressed("soft")
            case "clear_stop":
                self.robot_stop.clear_asked()
        self._start_wanted = False
        self._stop_pressed_s = pressed_s
        self.stop_round_trip_ms = None
        self.session_changed.emit()

    def ask_preflight(self, action: PreflightAction, by: str = "") -> None:
        """Look again, confirm by name, or test the stop."""
        self._send(PreflightAsked(action, by))

    def _closed_gate(self) -> str:
        """Why a robot must not be started, '' where nothing is known against it."""
        waits = self.session in ("ready", "paused") and self.has_robot
        if self.preflight is None or not waits:
            return ""
        return refusal(self.preflight.lines)

    def record(self, action: RecordAction) -> None:
        """Steer the recorder."""
        self._send(Record(action))

    def set_label(self, text: str) -> None:
        """Label of the open recording, or of the next."""
        self.settings = replace(self.settings, label=text)
        self._send(Label(text))

    def set_keys(self, down: frozenset[str]) -> None:
        """Every teleoperation key that is down now."""
        if down != self._keys_down:
            self._keys_down = down
            self._send_keys()

    @property
    def keys_down(self) -> frozenset[str]:
        """Teleoperation keys that are down."""
        return self._keys_down

    def _send_keys(self) -> None:
        self._send(Keys(tuple(sorted(self._keys_down)), self._now()))

    def set_theme(self, theme: Theme) -> None:
        """Tell every widget that draws by itself."""
        self.theme = theme
        self.theme_changed.emit(theme)

    def open_replay(self, replay: Replay) -> None:
        """Show a recorded episode instead of the live robot; the session goes on underneath."""
        self.replay = replay
        self.replay_changed.emit()

    def leave_replay(self) -> None:
        """Show the live robot again."""
        if self.replay is not None:
            self.replay = None
            self.replay_changed.emit()

    def report(self, problem: Problem) -> None:
        """Tell a problem to the person and to the log."""
        self.logged.emit("error", f"{problem.title}: {problem.cause}")
        self.problem_raised.emit(problem)

    # ------------------------------------------------------------------ what comes in

    def pull(self) -> None:
        """Take what the worker sent since the last call: all events, and the newest telemetry only."""
        if self._client is not None:
            for event in self._client.events():
                self._take(event)
            telemetry = self._client.latest()
            # the last words of a worker that died must not bring its session back to life
            if telemetry is not None and telemetry is not self.telemetry and self._client.alive:
                self._take_telemetry(telemetry)
            if self._keys_down:
                self._send_keys()
        now = self._now()
        if self.replay is not None:
            self.replay.advance(now - self._pulled_s)
        self._pulled_s = now
        self.ticked.emit()

    def _take_telemetry(self, telemetry: Telemetry) -> None:
        self.telemetry = telemetry
        self.robot_stop.heard(telemetry.robot)
        self.series.add(telemetry, CONTROL_PERIOD_S)
        if telemetry.state != self.session:
            self._enter(telemetry.state)
        self.stop_shown = telemetry.stop
        told = (telemetry.state, telemetry.stop, telemetry.recording, telemetry.recorded_episodes, telemetry.holding)
        if told != self._told:
            self._told = told
            self.session_changed.emit()

    def _enter(self, state: SessionState) -> None:
        self.session = state
        if state == "ready" and self._start_wanted:
            self._start_wanted = False
            self._send(Control("start"))
        if state == "ended":
            self._start_wanted = False
        self.session_changed.emit()

    def _take(self, event: WorkerEvent) -> None:
        match event:
            case StateChanged():
                self._enter(event.state)
            case SceneChanged():
                self.scene, self.time_limit_s = event.scene, event.time_limit_s
                self.scene_changed.emit(event.scene)
            case SettingsKept():
                self.settings = event.settings
                self.session_changed.emit()
            case StopChanged():
                self._take_stop(event)
            case PreflightChanged():
                self.preflight = event
                self.preflight_changed.emit()
            case EpisodeFinished():
                self._take_episode(event)
            case RecordingChanged():
                self._take_recording(event)
            case SessionError():
                self._take_error(event)
            case LogLine():
                self.logged.emit(event.level, event.text)
            case Hello():
                self.logged.emit("info", f"session worker {event.pid} connected")
            case _:
                assert_never(event)

    def _take_stop(self, event: StopChanged) -> None:
        self.stop_shown, self.stop_latency_ms = event.state, event.latency_ms
        if self._stop_pressed_s is not None:
            self.stop_round_trip_ms = 1e3 * (self._now() - self._stop_pressed_s)
            self._stop_pressed_s = None
        text = "cleared" if event.state == "none" else f"{event.state} stop obeyed after {event.latency_ms:.1f} ms"
        self.logged.emit("info" if event.state == "none" else "warning", f"stop: {text}")
        self.session_changed.emit()

    def _take_episode(self, event: EpisodeFinished) -> None:
        self.last_episode = event
        outcome = "success" if event.success else f"failure ({event.reason})"
        self.logged.emit("info", f"episode {event.index}: {outcome} after {event.duration_s:.1f} s, seed {event.seed}")
        self.episode_finished.emit(event)

    def _take_recording(self, event: RecordingChanged) -> None:
        self.logged.emit("info", f"recording {event.action}: {event.episodes} episodes in {event.dataset}")
        self.recording_changed.emit(event)
        if event.action != "started":
            self.library.reload()

    def _take_error(self, event: SessionError) -> None:
        if event.fatal:
            self.session = "ended"
        self._start_wanted = False
        cause, _, remedy = event.what.partition(";")  # messages say what was wrong; what to do
        self.report(Problem("The session reports a problem", cause, remedy.strip() or event.remedy, event.detail))
        self.session_changed.emit()

    # ------------------------------------------------------------------ what the 3-D view shows

    def pose(self) -> ScenePose | None:
        """The pose to draw now: of the replay, else of the newest telemetry, else none."""
        if self.replay is not None:
            return self.replay.pose()
        return pose_of_telemetry(self.telemetry) if self.telemetry is not None else None
