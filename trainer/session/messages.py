"""What the session worker and its client say to each other, and the bytes that carry it (no torch, no Qt, no pickle).

Frames are those of `trainer.session.frames`. The first message of either side is `Hello`; another protocol version ends
the connection.
"""

from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np

from core.checks import Line
from core.control.choices import ControllerName
from core.control.hardware_speeds import HAND_M_S, WALK_M_S
from core.policy.live_config import PlannerStats
from core.robot.ladder_evidence import Hang
from core.robot.status import RobotStatus
from core.tasks.scene import Scene
from core.teleop.xr_settings import VrSettings
from trainer.session.frames import Codec
from trainer.session.planner_messages import Runtime

PROTOCOL_VERSION = 1
FOLDER_PREFIX = "refine-dp-"
"""Begin of the name of the private folder in which the socket is."""
HEARTBEAT_PERIOD_S = 0.04
"""The client sends `Heartbeat` at this period."""
HEARTBEAT_TIMEOUT_S = 0.25
"""Without one for this long the robot holds: zero velocity, hands held, balance kept."""
TELEMETRY_HZ = 50.0
"""At most; a client that reads more slowly gets the latest value, never a queue."""


# ---------------------------------------------------------------------------------------------------- client to worker


@dataclass(frozen=True)
class Hello:
    """First message of either side."""

    role: Literal["client", "worker"]
    protocol: int = PROTOCOL_VERSION
    software: str = ""
    "version of the package, for the log"
    pid: int = 0


@dataclass(frozen=True)
class Configure:
    """What the session is about. Answered by `SceneChanged` and a `StateChanged`, or a `SessionError`.

    A changed source, seed, dataset, limit or pace takes effect at the next episode without loading anything anew.
    """

    task: str = "box_pickup"
    "name of the task"
    source: str = "heuristic"
    "who commands: heuristic, keyboard, vr or policy"
    backend: str = "mujoco"
    "mujoco; t1: the robot, whose firmware balances; t1_whole_body: all its joints; fake serves tests"
    seed: int = 0
    "seed of the first episode; episode k uses seed + k"
    dataset: str | None = None
    "path of the data set that episodes are recorded to, None records nothing"
    safety: Literal["simulation", "hardware"] = "simulation"
    "preset of safety limits; hardware: walking 0.2 m/s, hands 0.05 m/s"
    realtime: bool = True
    "pace the loop at 50 Hz; false runs as fast as it goes"
    episodes: int = 0
    "stop after this many episodes, 0 goes on until told"
    auto_record: bool = True
    "record each episode and keep it when it ends; false leaves that to the record commands"
    auto_next: bool = True
    "begin the next episode when one ends; false waits for start"
    operator: str = ""
    "name of the person, recorded with each episode"
    label: str = ""
    "label of the episodes to come"
    controller: ControllerName = "learned"
    "learned: as trained; robot_arms: arms trained for late targets (learned on a robot is this); ik_arms: by IK"
    vr: VrSettings = field(default_factory=VrSettings)
    "of the source vr"
    robot: str = "lo"
    "for t1 backends: network interface to the robot, with the DDS domain where it is not 0: eth0, 127.0.0.1:123"
    mocap: str = ""
    "for t1 backends: motion capture, such as natnet:192.168.1.5; '': none, objects are where the task says"
    checkpoint: str | None = None
    "planner of the source policy: a planner.safetensors, or a run folder; a newer file is read when an episode begins"
    runtime: Runtime = "torch"
    "what computes the planner: torch, or an exported one by ONNX Runtime (onnx) or TensorRT (tensorrt)"
    hold_after: int = 5
    "commands (0.1 s each) that the planner may be late before the robot holds"
    stop_key: str = ""
    "for t1 backends: device of a pedal or button whose every key is a hard stop, /dev/input/by-id/...; '' for none"
    soft_stop_key: str = ""
    "for t1 backends: device of a pedal or button whose every key is a soft stop; '' for none"

    hang: Hang = "gantry"
    "for t1 backends: shadow: nothing is sent; gantry: the robot hangs in it; free: it stands on its own feet"
    practise: bool = False
    "treat a simulated robot (refine-dp t1-sim) like a real one: it has to climb the ladder too"
    walk_limit_m_s: float = WALK_M_S
    "for t1 backends: largest walking speed, up to 0.4; more than 0.2 needs the operator's name and is logged with it"
    hand_limit_m_s: float = HAND_M_S
    "for t1 backends: largest hand speed, up to 0.5; more than 0.05 needs the operator's name and is logged with it"


SessionAction = Literal["start", "pause", "resume", "reset", "quit"]
"""start: begin an episode (from ready), pause and resume: freeze the simulation, reset: abandon the episode and put
the robot back, quit: end the worker."""
StopAction = Literal["soft_stop", "hard_stop", "clear_stop"]
"""soft_stop: zero velocity, hands held, balance kept. hard_stop: damping of every joint. Both latch until clear_stop;
a hard stop also ends the episode, and the next start resets."""
RecordAction = Literal["start", "keep", "discard", "undo", "again"]
"""start: record from now on; keep or discard: what the open (or just finished) recording becomes; undo: remove the
episode kept last from the data set; again: discard, reset and record anew."""


@dataclass(frozen=True)
class Control:
    """Steer the session."""

    action: SessionAction


@dataclass(frozen=True)
class Stop:
    """Handled at once by the receiving thread of the worker; never waits behind another message."""

    action: StopAction
    pressed_s: float = 0.0
    "monotonic time of the press (one clock for all processes of a computer); 0: when it arrives"


@dataclass(frozen=True)
class Record:
    """Steer the recorder."""

    action: RecordAction


@dataclass(frozen=True)
class Label:
    """Label of the open recording, or of the next."""

    text: str


@dataclass(frozen=True)
class Keys:
    """Keyboard operator: every key that is down now. Sent on each change and at 20 Hz while any is down.

    Key names are those of `core.teleop.keyboard.BINDINGS`: lower-case characters, 'shift', 'up', 'space', ...
    """

    down: tuple[str, ...]
    time_s: float = 0.0
    "monotonic time of the client, for the log; the worker stamps arrival by its own clock"


PreflightAction = Literal["look", "gantry", "remote", "stop_test"]
"""look: tell the lines again; gantry, remote: a person confirms it; stop_test: test the hard stop (in the gantry the
robot stands up and sinks)."""


@dataclass(frozen=True)
class PreflightAsked:
    """What a person wants of the pre-flight check. Answered by `PreflightChanged`."""

    action: PreflightAction
    by: str = ""
    "name of the person who confirms"


@dataclass(frozen=True)
class Heartbeat:
    """The client is alive; sent at 10 Hz."""

    count: int = 0
    owner_age_s: float = 0.0
    "how long ago the window (the owner of the client) was last busy: a frozen one is found without waiting for silence"


# ---------------------------------------------------------------------------------------------------- worker to client

SessionState = Literal["unconfigured", "loading", "ready", "engaging", "running", "paused", "ended"]
"""engaging: a real robot stands up and is taken over, some seconds in which only stops, pause and reset work."""
StopState = Literal["none", "soft", "hard"]
RecordingState = Literal["off", "refused", "armed", "recording", "finished"]
"""off: no data set; refused: the data set cannot be recorded to; armed: the next start records; recording; finished:
waits for keep or discard."""


@dataclass(frozen=True)
class SceneChanged:
    """The scene to draw: build the display model with `core.backends.mujoco_scene.compile_scene`."""

    scene: Scene
    task: str
    time_limit_s: float


@dataclass(frozen=True)
class StateChanged:
    """The session is in another state."""

    state: SessionState


@dataclass(frozen=True)
class SettingsKept:
    """Settings were refused; these go on."""

    settings: Configure


@dataclass(frozen=True)
class EpisodeFinished:
    """An episode ended."""

    index: int
    "0, 1, ... in this session"
    seed: int
    success: bool
    reason: str
    "success, time limit, fall, stopped, reset, diverged, ..."
    duration_s: float
    recorded: bool
    "kept in the data set already"


@dataclass(frozen=True)
class RecordingChanged:
    """The recorder did something: the data set now has `episodes` episodes."""

    action: Literal["started", "kept", "discarded", "undone"]
    dataset: str
    episodes: int
    text: str = ""


@dataclass(frozen=True)
class StopChanged:
    """A stop took effect (or was cleared): the joint targets sent obey it."""

    state: StopState
    latency_ms: float
    "from the arrival of the message to the first joint targets that obey"


@dataclass(frozen=True)
class RungView:
    """One rung of the ladder, for this robot with these controllers."""

    title: str
    open: bool
    says: str
    remedy: str = ""
    expires_s: float = 0.0
    "wall clock; 0 where nothing expires"


@dataclass(frozen=True)
class PreflightChanged:
    """The pre-flight check says something else than before."""

    lines: tuple[Line, ...]
    rungs: tuple[RungView, ...] = ()
    robot: str = ""
    subject: str = ""
    "what drives, by its digests"
    enforced: bool = True
    "whether the rungs must be open: false for a simulated robot that does not practise"


@dataclass(frozen=True)
class SessionError:
    """Something did not work."""

    what: str
    "one sentence"
    remedy: str = ""
    "what to do"
    detail: str = ""
    "trace, folded in the dialog"
    fatal: bool = False
    "true when the worker ends"


@dataclass(frozen=True)
class LogLine:
    """A line for the log view."""

    text: str
    level: Literal["debug", "info", "warning", "error"] = "info"


@dataclass(frozen=True)
class LoopStats:
    """How the loop keeps its schedule. Latencies are means over the last second."""

    rate_hz: float = 0.0
    "control periods a second, measured"
    missed_ticks: int = 0
    "late ticks dropped since the session began"
    slack_ms: float = 0.0
    "time left in the last period"
    source_ms: float = 0.0
    safety_ms: float = 0.0
    controller_ms: float = 0.0
    backend_ms: float = 0.0


@dataclass(frozen=True)
class VrLatency:
    """Where the time goes between the operator's hand and the joint targets."""

    sample_ms: float
    "age of the sample when the command was made of it: tracking, the network's share that the runtime knows, waiting"
    mapper_ms: float
    loop_ms: float
    "safety filter"
    controller_ms: float
    p50_ms: float
    "from the moment of the pose to the command sent, over the last 20 s"
    p99_ms: float
    limit_ms: float
    "above this the robot holds"


@dataclass(frozen=True)
class VrView:
    """The operator with the headset. Pairs are left, right."""

    state: str
    "see core.teleop.xr_link.XrState"
    text: str
    "what is the case where it does not run"
    remedy: str
    runtime: str
    headset: str
    controllers: tuple[str, str]
    rate_hz: float
    hands: tuple[str, str]
    "see core.teleop.clutch.HandState"
    why: tuple[str, str]
    "why each clutch was dropped last, '' when the operator let go"
    walking: bool
    "the sticks may move the robot"
    scale: float
    "robot's motion over the operator's"
    line: str
    "what the operator should read now, '' for nothing"
    buttons: tuple[int, int]
    "core.teleop.xr_sample.Button"
    triggers: tuple[float, float]
    squeezes: tuple[float, float]
    sticks: tuple[float, float, float, float]
    "left x, y, right x, y"
    latency: VrLatency
    preview_w: np.ndarray
    "(2, 7) hand frames that the operator asks for, or would when taking over; NaN where not tracked"
    reachable: tuple[bool, bool]
    recording_input: bool
    "the raw input is being written to a file"
    joints: str
    "whose finger joints are seen, in words; '' while no runtime runs"


@dataclass(frozen=True)
class Telemetry:
    """The state at one control period, world 0. Poses are 7 numbers: position (m), quaternion wxyz; float32 arrays."""

    tick: int
    "control periods since the worker began"
    time_s: float
    "time of the episode"
    state: SessionState
    stop: StopState
    holding: bool
    "true while zero velocity is sent and hands are held: soft stop, stale input or no heartbeat"
    hold_reason: str
    "'', 'soft stop', 'no heartbeat', 'stale command', 'not a number', or what is wrong with the planner"
    source: str
    stage: str
    "stage of the planner, '' when the source has none"
    episode: int
    "index of the episode in this session"
    episodes_finished: int
    episodes_succeeded: int
    success: bool
    "the task's success, latched within the episode"
    recording: RecordingState
    recorded_samples: int
    recorded_episodes: int
    base_pose_w: np.ndarray
    "(7,) Trunk"
    joint_pos: np.ndarray
    "(29,) rad, canonical order"
    gripper_opening: np.ndarray
    "(2,) m"
    object_poses_w: dict[str, np.ndarray]
    "(7,) of every object, fixed ones included"
    object_sizes: dict[str, np.ndarray]
    "(3,) full edge lengths, m: sizes vary from episode to episode"
    command_hand_poses_w: np.ndarray
    "(2, 7) commanded hand frames (as sent)"
    hand_poses_w: np.ndarray
    "(2, 7) measured hand frames"
    planned_steps_w: np.ndarray
    "(P, 4) x, y, z, yaw of upcoming footsteps"
    planned_sides: np.ndarray
    "(P,) 0 left, 1 right"
    velocity_command: np.ndarray
    "(3,) vx, vy (m/s), wz (rad/s) as sent, heading frame"
    velocity_actual: np.ndarray
    "(3,) of the base, heading frame"
    gripper_command: np.ndarray
    "(2,) m"
    hand_pos_error_m: np.ndarray
    "(2,)"
    hand_rot_error_rad: np.ndarray
    "(2,)"
    foot_error_m: float
    "placement error of the last footstep; NaN before the first"
    interventions: dict[str, int]
    "safety interventions by kind since the session began, every kind listed"
    loop: LoopStats = field(default_factory=LoopStats)
    vr: VrView | None = None
    "None unless the source is vr"
    planner: PlannerStats = field(default_factory=PlannerStats)
    "of the source policy"
    robot: RobotStatus | None = None
    "None unless the backend is a robot"


ClientMessage = Hello | Configure | Control | Stop | Record | Label | Keys | PreflightAsked | Heartbeat
WorkerEvent = (
    Hello
    | SceneChanged
    | StateChanged
    | SettingsKept
    | EpisodeFinished
    | RecordingChanged
    | StopChanged
    | PreflightChanged
    | SessionError
    | LogLine
)
WorkerMessage = WorkerEvent | Telemetry
Message = ClientMessage | WorkerMessage

_CODEC = Codec(PROTOCOL_VERSION, get_args(Message))


def encode(message: Message) -> bytes:
    """The frame of a message. Raises MessageError when it is too large."""
    return _CODEC.encode(message)


def decode(frame: bytes) -> Message:
    """The message of a frame. Raises MessageError for anything that is not one, whatever the bytes are."""
    return _CODEC.decode(frame)
