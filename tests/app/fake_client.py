"""A session client without a process: the same methods as `trainer.session.client.SessionClient`, obeying at once."""

import time

import numpy as np

from core.policy.live_config import PlannerStats
from core.robot.status import RobotStatus
from core.t1.model import DEFAULT_BASE_HEIGHT_M, DEFAULT_JOINT_POS
from core.tasks.scene import BoxObject, Scene
from trainer.session.messages import (
    ClientMessage,
    Configure,
    Control,
    EpisodeFinished,
    Keys,
    LoopStats,
    Record,
    RecordingChanged,
    SceneChanged,
    SessionError,
    StateChanged,
    Stop,
    StopChanged,
    Telemetry,
    VrView,
    WorkerEvent,
)

SCENE = Scene(
    "box_pickup",
    (
        BoxObject("table", (0.6, 1.0, 0.7), (0.95, 0.0, 0.35), fixed=True, rgba=(0.55, 0.57, 0.60, 1.0)),
        BoxObject("box", (0.25, 0.30, 0.22), (0.80, 0.0, 0.81)),
    ),
)


class FakeClient:
    """Walks on the spot while running. `crash` and `finish` play what a worker may do."""

    def __init__(self) -> None:
        self.sent: list[ClientMessage] = []
        self.closed = False
        self.vr: VrView | None = None
        "what a VR session would say"
        self.robot: RobotStatus | None = None
        "what a robot's session would say"
        self._alive = False
        self._events: list[WorkerEvent] = []
        self._settings = Configure()
        self._state = "unconfigured"
        self._stop = "none"
        self._recording = "off"
        self._episodes = 0
        self._finished = 0
        self._succeeded = 0
        self._tick = 0
        self._began = time.monotonic()

    @property
    def alive(self) -> bool:
        return self._alive

    def start(self) -> None:
        self._alive = True

    def close(self, timeout_s: float = 3.0) -> None:
        self._alive, self.closed = False, True

    def telemetry_age_s(self) -> float:
        return 0.01

    def events(self) -> list[WorkerEvent]:
        events, self._events = self._events, []
        return events

    def send(self, message: ClientMessage) -> None:
        self.sent.append(message)
        match message:
            case Configure():
                self._configure(message)
            case Control(action="start"):
                self._enter("running")
                if self._recording == "armed" or (self._settings.dataset and self._settings.auto_record):
                    self._recording = "recording"
            case Control(action="pause"):
                self._enter("paused")
            case Control(action="resume"):
                self._enter("running")
            case Control(action="reset"):
                self._enter("ready")
            case Stop(action=action):
                self._stop = {"soft_stop": "soft", "hard_stop": "hard", "clear_stop": "none"}[action]
                self._events.append(StopChanged(self._stop, 4.2))  # type: ignore[arg-type]
            case Record(action=action):
                self._record(action)
            case _:
                pass

    def sent_of(self, kind: type) -> list[ClientMessage]:
        return [message for message in self.sent if isinstance(message, kind)]

    def keys(self) -> tuple[str, ...]:
        sent = self.sent_of(Keys)
        return sent[-1].down if sent else ()  # type: ignore[union-attr]

    def finish(self, success: bool = True) -> None:
        """The episode ends."""
        self._finished += 1
        self._succeeded += success
        reason = "success" if success else "fall"
        self._events.append(EpisodeFinished(self._finished - 1, self._finished - 1, success, reason, 12.3, False))
        if self._recording == "recording":
            self._recording = "finished"

    def crash(self) -> None:
        """The worker dies."""
        self._alive = False
        error = SessionError(
            "the session worker was killed by signal 9", "start the session again", "trace", fatal=True
        )
        self._events.append(error)

    def _configure(self, settings: Configure) -> None:
        first = self._state == "unconfigured"
        self._settings = settings
        self._recording = (
            "off" if settings.dataset is None else ("armed" if self._recording == "off" else self._recording)
        )
        if first:
            self._events.append(SceneChanged(SCENE, settings.task, 30.0))
            self._enter("ready")

    def _enter(self, state: str) -> None:
        self._state = state
        self._events.append(StateChanged(state))  # type: ignore[arg-type]

    def _record(self, action: str) -> None:
        words = {"keep": "kept", "discard": "discarded", "undo": "undone", "start": "started", "again": "started"}
        self._recording = {"start": "recording", "again": "recording"}.get(action, "armed")
        self._episodes += {"keep": 1, "undo": -1}.get(action, 0)
        self._events.append(RecordingChanged(words[action], str(self._settings.dataset), self._episodes))  # type: ignore[arg-type]

    def latest(self) -> Telemetry | None:
        if self._state == "unconfigured" or not self._alive:
            return None
        if self._state == "running":
            self._tick += 1
        return self._telemetry(0.02 * self._tick)

    def _telemetry(self, t: float) -> Telemetry:
        joints = DEFAULT_JOINT_POS + 0.25 * np.sin(3.0 * t + np.arange(29))
        base = np.array([0.1 * t % 0.5, 0.0, DEFAULT_BASE_HEIGHT_M, 1.0, 0.0, 0.0, 0.0])
        hands = np.array([[0.45, 0.2, 0.85, 1, 0, 0, 0], [0.45, -0.2, 0.85, 1, 0, 0, 0]]) + np.eye(2, 7)[:, :7] * 0.0
        v = 0.2 + 0.02 * np.sin(6 * t)
        return Telemetry(
            tick=self._tick,
            time_s=t % 30.0,
            state=self._state,  # type: ignore[arg-type]
            stop=self._stop,  # type: ignore[arg-type]
            holding=self._stop == "soft",
            hold_reason="soft stop" if self._stop == "soft" else "",
            source=self._settings.source,
            stage="walk_to_table",
            episode=self._finished,
            episodes_finished=self._finished,
            episodes_succeeded=self._succeeded,
            success=False,
            recording=self._recording,  # type: ignore[arg-type]
            recorded_samples=self._tick // 5,
            recorded_episodes=self._episodes,
            base_pose_w=base,
            joint_pos=joints,
            gripper_opening=np.array([0.03, 0.03]),
            object_poses_w={
                "table": np.array([0.95, 0.0, 0.35, 1, 0, 0, 0]),
                "box": np.array([0.80, 0.0, 0.81, 1, 0, 0, 0]),
            },
            object_sizes={"box": np.array([0.25, 0.30, 0.22])},
            command_hand_poses_w=hands,
            hand_poses_w=hands,
            planned_steps_w=np.array([[0.2, 0.1, 0.0, 0.0], [0.4, -0.1, 0.0, 0.1]]),
            planned_sides=np.array([0, 1]),
            velocity_command=np.array([0.2, 0.0, 0.1]),
            velocity_actual=np.array([v, 0.01 * np.sin(9 * t), 0.1 + 0.05 * np.cos(4 * t)]),
            gripper_command=np.array([0.03, 0.03]),
            hand_pos_error_m=np.abs(np.array([0.004, 0.006]) * (1 + np.sin(2 * t))),
            hand_rot_error_rad=np.abs(np.array([0.02, 0.03]) * (1 + np.cos(2 * t))),
            foot_error_m=0.012 + 0.004 * np.sin(t),
            interventions={"speed": 2 if t > 5 else 0, "workspace": 0},
            loop=LoopStats(50.0, 0, 12.0, 0.3, 0.1, 2.5, 4.0),
            vr=self.vr if self._settings.source == "vr" else None,
            robot=self.robot,
            planner=PlannerStats(chunks=12, latency_p50_ms=14.4, latency_p99_ms=22.1, late=1),
        )
