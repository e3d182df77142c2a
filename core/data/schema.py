"""The record: every field of a data set with its shape, unit and frame, in one place (HDF5, robomimic and Isaac Lab).

    /            the file
    /data        attrs: total (samples), env_args (JSON, see `DatasetSpec.env_args`), format_version of this record
    /data/demo_N attrs: EPISODE_ATTRIBUTES; datasets: SAMPLE_FIELDS with a leading T, one row a command (10 Hz)
                 initial_state/...      same tree as states/ with a leading 1
                 physics/...            physical parameters of the episode, task_parameters/... what the task drew
                 rewards (T,), dones (T,)  sparse, written at the end for robomimic
    /trash       what was discarded or replaced, and the history that undo reads

Row t holds the state and the observation at time t and the command that was sent for it.
Quaternions are wxyz (Isaac Lab reads a file without its own root `format_version` as wxyz).
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from core.data.errors import DatasetMismatchError
from core.t1.model import JOINT_NAMES

FORMAT_VERSION = 1
"""Raised when a reader of this version could misread a newer file."""

ROBOT = "robot"
"""Name of the articulation in states/articulation."""

QUAT_ORDER = "wxyz"


@dataclass(frozen=True)
class Field:
    """One array of an episode."""

    name: str
    "path below demo_N; <object> and <observation> stand for names of the data set"
    shape: tuple[int | str, ...]
    "per sample; 'A', 'J' and 'D' stand for the sizes of action, joints and observation"
    dtype: str
    unit: str
    frame: str
    meaning: str


SAMPLE_FIELDS: tuple[Field, ...] = (
    Field("actions", ("A",), "f4", "m/s, rad/s, m, 1", "h velocity, b hands", "the command that was sent, component "
          "names in env_args: base velocity 3, hand positions 6, hand quaternions 8 wxyz, gripper openings 2"),
    Field("obs/<observation>", ("D",), "f4", "by task", "by task", "what the planner saw when it chose the command"),
    Field(f"states/articulation/{ROBOT}/root_pose", (7,), "f4", "m, 1", "w", "Trunk position 3, quaternion wxyz"),
    Field(f"states/articulation/{ROBOT}/root_velocity", (6,), "f4", "m/s, rad/s", "w",
          "linear velocity of the Trunk origin 3, angular velocity 3, both in world axes"),
    Field(f"states/articulation/{ROBOT}/joint_position", ("J",), "f4", "rad", "", "joint_names order"),
    Field(f"states/articulation/{ROBOT}/joint_velocity", ("J",), "f4", "rad/s", "", "joint_names order"),
    Field(f"states/articulation/{ROBOT}/gripper_opening", (2,), "f4", "m", "", "left, right, measured"),
    Field("states/rigid_object/<object>/root_pose", (7,), "f4", "m, 1", "w", "centre 3, quaternion wxyz"),
    Field("states/rigid_object/<object>/root_velocity", (6,), "f4", "m/s, rad/s", "w", "linear 3, angular 3"),
    Field("timestamps/monotonic_s", (), "f8", "s", "", "monotonic clock of the computer when the state was read"),
    Field("timestamps/sim_s", (), "f8", "s", "", "time since reset: of the simulator, or of the "
          "robot by its own ticks (core.robot.tick_clock)"),
    Field("timestamps/command_sent_s", (), "f8", "s", "", "monotonic clock when the command was handed on"),
)  # fmt: skip
"""Arrays with one row a sample. All simulated poses are relative to the world's own origin."""

DERIVED_FIELDS: tuple[Field, ...] = (
    Field("rewards", (), "f4", "1", "", "0, and 1 in the last row of a success"),
    Field("dones", (), "u1", "1", "", "0, and 1 in the last row"),
)
"""Arrays that the writer adds when an episode ends."""

EPISODE_ATTRIBUTES: dict[str, str] = {
    "num_samples": "int: T",
    "success": "bool: what the task (or the operator) judged",
    "label": "str: success, failure, recovered (the writer died before the end), or the operator's own word",
    "reason": "str: why it ended or failed",
    "seed": "int: of the episode, -1 unknown",
    "source": "str: heuristic, keyboard, vr, policy, ...",
    "operator": "str: who",
    "task": "str",
    "backend": "str: name and version",
    "software_version": "str",
    "date": "str: UTC, ISO 8601, when the episode began",
    "duration_s": "float: simulated time from the first to the last sample plus one command period",
    "uuid": "str: stays with the episode through trimming, labelling and merging",
    "version": "str: demo_N.k, k counts changes; what undo refers to",
}

LABEL_SUCCESS, LABEL_FAILURE, LABEL_RECOVERED = "success", "failure", "recovered"


@dataclass(frozen=True)
class DatasetSpec:
    """What every episode of a data set shares; it must fit before anything is added."""

    task: str
    observation_sizes: Mapping[str, int]
    "name -> size, in the task's order"
    action_names: tuple[str, ...]
    "component names with units (`Command.component_names()`)"
    object_names: tuple[str, ...] = ()
    "free objects whose poses are recorded"
    command_hz: float = 10.0
    "rate of the samples"
    control_hz: float = 50.0
    "rate of the joint targets under them (not recorded)"
    joint_names: tuple[str, ...] = JOINT_NAMES
    backend: str = ""
    "name and version of the backend, the default of every episode"
    software_version: str = ""
    sim_args: Mapping[str, Any] = field(default_factory=dict)
    "dt, decimation, solver, ... (JSON)"
    scene: Mapping[str, Any] = field(default_factory=dict)
    "scene description as JSON (`dataclasses.asdict`), from which a replay builds the picture"

    def __post_init__(self) -> None:
        if not self.task:
            raise ValueError("a data set needs a task name, got ''")
        if self.command_hz <= 0 or self.control_hz < self.command_hz:
            raise ValueError(
                f"rates must satisfy 0 < command_hz <= control_hz, got {self.command_hz}, {self.control_hz}"
            )
        for name, size in self.observation_sizes.items():
            if size < 1 or "/" in name or not name:
                raise ValueError(f"observation {name!r} of size {size}: a name without '/' and a size >= 1 are needed")

    def env_args(self) -> dict[str, Any]:
        """The JSON attribute of /data: robomimic's and Isaac Lab's keys, then ours."""
        return {
            "env_name": self.task,
            "type": 2,
            "env_kwargs": {},
            "sim_args": dict(self.sim_args),
            "backend": self.backend,
            "software_version": self.software_version,
            "quat_order": QUAT_ORDER,
            "control_hz": self.control_hz,
            "command_hz": self.command_hz,
            "joint_names": list(self.joint_names),
            "action_names": list(self.action_names),
            "observation_sizes": dict(self.observation_sizes),
            "object_names": list(self.object_names),
            "scene": dict(self.scene),
        }

    @classmethod
    def from_env_args(cls, text: str) -> "DatasetSpec":
        """Inverse of `env_args`. Raises DatasetMismatchError when keys are missing (a file of another program)."""
        args = json.loads(text)
        missing = [key for key in ("command_hz", "joint_names", "action_names", "observation_sizes") if key not in args]
        if missing:
            raise DatasetMismatchError(f"env_args of this data set lack {missing}: it was not recorded by this program")
        if args["quat_order"] != QUAT_ORDER:
            raise DatasetMismatchError(f"quaternions are {args['quat_order']} in this data set; {QUAT_ORDER} is needed")
        return cls(
            task=args["env_name"],
            observation_sizes=args["observation_sizes"],
            action_names=tuple(args["action_names"]),
            object_names=tuple(args["object_names"]),
            command_hz=args["command_hz"],
            control_hz=args["control_hz"],
            joint_names=tuple(args["joint_names"]),
            backend=args["backend"],
            software_version=args["software_version"],
            sim_args=args["sim_args"],
            scene=args["scene"],
        )

    def check_fits(self, other: "DatasetSpec", path: str) -> None:
        """Raise DatasetMismatchError naming every difference that would mix unlike episodes (`other` is on disk)."""
        names = ("task", "command_hz", "control_hz", "joint_names", "action_names", "object_names", "observation_sizes")
        wrong = [
            f"{name}: data set has {getattr(other, name)}, recording has {getattr(self, name)}"
            for name in names
            if getattr(self, name) != getattr(other, name)
        ]
        if self.task != other.task:
            wrong = wrong[:1]  # the other differences follow from it
        if wrong:
            raise DatasetMismatchError(
                f"{path} does not fit this recording ({', '.join(wrong)}); choose another file or a new name"
            )

    def fields(self) -> tuple[Field, ...]:
        """SAMPLE_FIELDS with names and sizes filled in."""
        sizes = {"A": len(self.action_names), "J": len(self.joint_names)}
        result: list[Field] = []
        for item in SAMPLE_FIELDS:
            if "<observation>" in item.name:
                names = [(item.name.replace("<observation>", n), size) for n, size in self.observation_sizes.items()]
            elif "<object>" in item.name:
                names = [(item.name.replace("<object>", n), 0) for n in self.object_names]
            else:
                names = [(item.name, 0)]
            for name, size in names:
                shape = tuple(d if isinstance(d, int) else sizes.get(d, size) for d in item.shape)
                result.append(Field(name, shape, item.dtype, item.unit, item.frame, item.meaning))
        return tuple(result)

    def sample_dtype(self) -> np.dtype:
        """One sample as a packed record, in which the journal stores it and memory holds it."""
        return np.dtype([(item.name, item.dtype, item.shape) for item in self.fields()])


def fill_sample(dtype: np.dtype, sample: Mapping[str, Any]) -> np.ndarray:
    """A (1,) record from arrays by field name. Raises ValueError on missing, unknown or wrongly shaped fields."""
    assert dtype.names is not None
    if len(sample) != len(dtype.names) or any(name not in sample for name in dtype.names):
        missing, unknown = sorted(set(dtype.names) - set(sample)), sorted(set(sample) - set(dtype.names))
        raise ValueError(f"sample does not fit the data set: missing fields {missing}, unknown fields {unknown}")
    row = np.zeros(1, dtype)
    for name in dtype.names:
        value = np.asarray(sample[name])
        if value.shape != dtype[name].shape:
            raise ValueError(
                f"field {name!r} of a sample has shape {value.shape}; the data set has {dtype[name].shape}"
            )
        row[name][0] = value
    return row


@dataclass(frozen=True)
class EpisodeStart:
    """What is known when an episode begins."""

    seed: int
    source: str
    operator: str = ""
    initial_state: Mapping[str, ArrayLike] = field(default_factory=dict)
    "fields of the tree below states/, without that prefix ('articulation/robot/root_pose': (7,), ...)"
    physics: Mapping[str, ArrayLike] = field(default_factory=dict)
    "parameters of this episode: object_size/<name> (3,) m, object_mass/<name> kg, object_friction/<name>, ..."
    task_parameters: Mapping[str, ArrayLike] = field(default_factory=dict)
    "what the task drew for this episode"
    backend: str | None = None
    "name and version; None: the data set's"


@dataclass(frozen=True)
class EpisodeInfo:
    """The attributes of one recorded episode."""

    name: str
    "demo_N"
    num_samples: int
    success: bool
    label: str
    reason: str
    seed: int
    source: str
    operator: str
    task: str
    backend: str
    software_version: str
    date: str
    duration_s: float
    uuid: str
    version: str

    @property
    def index(self) -> int:
        """N of demo_N."""
        return episode_index(self.name)

    def attributes(self) -> dict[str, Any]:
        """As stored on /data/demo_N."""
        values = asdict(self)
        return {name: values[name] for name in EPISODE_ATTRIBUTES}

    @classmethod
    def from_attributes(cls, name: str, attrs: Mapping[str, Any]) -> "EpisodeInfo":
        """From /data/demo_N; what another program left out gets neutral values."""

        def text(key: str, default: str = "") -> str:
            value = attrs.get(key, default)
            return value.decode() if isinstance(value, bytes) else str(value)

        success = bool(attrs.get("success", False))
        return cls(
            name=name,
            num_samples=int(attrs.get("num_samples", 0)),
            success=success,
            label=text("label", LABEL_SUCCESS if success else LABEL_FAILURE),
            reason=text("reason"),
            seed=int(attrs.get("seed", -1)),
            source=text("source"),
            operator=text("operator"),
            task=text("task"),
            backend=text("backend"),
            software_version=text("software_version"),
            date=text("date"),
            duration_s=float(attrs.get("duration_s", 0.0)),
            uuid=text("uuid"),
            version=text("version", f"{name}.0"),
        )


def episode_name(index: int) -> str:
    """/data/demo_N, as robomimic and Isaac Lab expect it."""
    return f"demo_{index}"


def episode_index(name: str) -> int:
    """N of demo_N. Raises ValueError on another name."""
    prefix, _, number = name.partition("_")
    if prefix != "demo" or not number.isdigit():
        raise ValueError(f"episode {name!r}: names are demo_0, demo_1, ...")
    return int(number)
