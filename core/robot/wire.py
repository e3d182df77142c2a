"""The T1's messages as data: topics, codes, and the bytes of the two fast messages (no DDS, no SDK, no torch).

Measured from the SDK 1.6.3 on the wire: CDR little endian, plain XCDR1, no keys. Motors are in the order of
`core.t1.model.JOINT_NAMES`, which is the SDK's order of the T1 with 7-DoF arms.
"""

import json
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np

from core.t1.model import NUM_JOINTS

LOW_STATE = "rt/low_state"
LOW_CMD = "rt/joint_ctrl"
ODOMETER = "rt/odometer_state"
FALL_DOWN = "rt/fall_down"
BATTERY = "rt/battery_state"
ROBOT_STATES = "rt/robot_states"
REMOTE = "rt/remote_controller_state"
RPC_REQUEST = "rt/LocoApiTopicReq"
RPC_RESPONSE = "rt/LocoApiTopicResp"

FRAME_PERIOD_S = 0.002
"""Low-level state and command frames: 500 Hz."""


class Mode(IntEnum):
    """Mode of the robot's controller (`RobotMode` of the SDK)."""

    UNKNOWN = -1
    DAMPING = 0
    PREPARE = 1
    WALKING = 2
    CUSTOM = 3
    SOCCER = 4


def mode_name(mode: int) -> str:
    """As people read it."""
    return Mode(mode).name.lower() if mode in set(Mode) else str(mode)


class BodyControl(IntEnum):
    """What moves the body, as `rt/robot_states` says beside the mode."""

    DAMPING = 1
    PREPARE = 2
    HUMANLIKE_GAIT = 3
    CUSTOM = 6


class FallState(IntEnum):
    """`rt/fall_down`."""

    READY = 0
    FALLING = 1
    FALLEN = 2
    GETTING_UP = 3


class CommandType(IntEnum):
    """Space of a low-level command: SERIAL joints, or PARALLEL ankle cranks. Only SERIAL is used here."""

    PARALLEL = 0
    SERIAL = 1


class Api(IntEnum):
    """Remote procedure calls of the locomotion service that this program knows."""

    CHANGE_MODE = 2000
    MOVE = 2001
    ROTATE_HEAD = 2004
    CONTROL_GRIPPER = 2010
    GET_MODE = 2017
    GET_STATUS = 2018
    GET_ROBOT_INFO = 2022
    UPPER_BODY_CUSTOM_CONTROL = 2030
    RESET_ODOMETRY = 2031
    ROTATE_HEAD_WITH_TIME = 2043
    GET_HANDS = 2045
    GET_ROBOT_MODEL = 2046


ASKING = frozenset(
    (Api.GET_MODE, Api.GET_STATUS, Api.GET_ROBOT_INFO, Api.GET_HANDS, Api.GET_ROBOT_MODEL)
)  # fmt: skip
"""Calls that change nothing."""


class Code(IntEnum):
    """Answers of the service."""

    OK = 0
    TIMEOUT = 100
    BAD_REQUEST = 400
    CONFLICT = 409
    TOO_FREQUENT = 429
    INTERNAL = 500
    REFUSED = 501
    TRANSITION_FAILED = 502


class CallMode(IntEnum):
    """Whether a request wants an answer."""

    ANSWER = 0
    OPERATION = 1
    FORGET = 2


MOTOR_STATE = np.dtype(
    [
        *(("mode", "u1"), ("_1", "u1", 3), ("q", "<f4"), ("dq", "<f4"), ("ddq", "<f4"), ("tau", "<f4")),
        *(("temperature", "u1"), ("_2", "u1", 3), ("lost", "<u4"), ("reserve", "<u4", 2)),
    ]
)
MOTOR_COMMAND = np.dtype(
    [
        *(("mode", "u1"), ("_1", "u1", 3), ("q", "<f4"), ("dq", "<f4"), ("tau", "<f4")),
        *(("kp", "<f4"), ("kd", "<f4"), ("weight", "<f4")),
    ]
)
_HEADER = b"\x00\x01\x00\x00"
_LOW_STATE_HEAD = np.dtype([("header", "S4"), ("rpy", "<f4", 3), ("gyro", "<f4", 3), ("acc", "<f4", 3)])
_LOW_STATE = np.dtype(
    [
        *(("head", _LOW_STATE_HEAD), ("n_parallel", "<u4"), ("parallel", MOTOR_STATE, NUM_JOINTS)),
        *(("n_serial", "<u4"), ("serial", MOTOR_STATE, NUM_JOINTS)),
    ]
)


class LowStateFrame:
    """A reusable `rt/low_state` frame of 29 motors: fill the views, take the bytes."""

    def __init__(self) -> None:
        self._frame = np.zeros((), dtype=_LOW_STATE)
        self._frame["n_parallel"] = self._frame["n_serial"] = NUM_JOINTS
        self.rpy, self.gyro, self.acc = (self._frame["head"][name] for name in ("rpy", "gyro", "acc"))
        "(3,) rad, rad/s, m/s^2"
        self.serial: np.ndarray = self._frame["serial"]
        "(29,) MOTOR_STATE"
        self.parallel: np.ndarray = self._frame["parallel"]

    def to_bytes(self) -> bytes:
        """CDR sample with its encapsulation header."""
        return _HEADER + self._frame.tobytes()[4:]


@dataclass(frozen=True)
class Sample:
    """Bytes of a sample as they came."""

    data: bytes
    source_time_ns: int
    "clock of the writer"
    writer: int
    "handle of the writer, to tell writers apart"


@dataclass(frozen=True)
class LowCommand:
    """A decoded `rt/joint_ctrl` frame."""

    kind: int
    "CommandType"
    motors: np.ndarray
    "(n,) MOTOR_COMMAND"


def decode_low_command(sample: bytes) -> LowCommand:
    """A `rt/joint_ctrl` sample with its encapsulation header. Raises ValueError when the bytes are no such sample."""
    if len(sample) < 12 or sample[:2] != b"\x00\x01":
        raise ValueError(f"not a little-endian CDR sample of at least 12 bytes: {len(sample)} bytes, {sample[:4]!r}")
    kind, count = np.frombuffer(sample, "<u4", 2, offset=4)
    if len(sample) < 12 + int(count) * MOTOR_COMMAND.itemsize:
        raise ValueError(f"a command of {count} motors does not fit into {len(sample)} bytes")
    return LowCommand(int(kind), np.frombuffer(sample, MOTOR_COMMAND, int(count), offset=12))


def encode_low_command(kind: int, motors: np.ndarray) -> bytes:
    """Inverse of `decode_low_command`; `motors` is (n,) MOTOR_COMMAND."""
    return _HEADER + np.array([kind, len(motors)], "<u4").tobytes() + motors.tobytes()


@dataclass(frozen=True)
class Request:
    """A call of the locomotion service."""

    uuid: str
    api: int
    call_mode: int
    body: dict[str, Any]


def decode_request(uuid: str, header: str, body: str) -> Request:
    """Raises ValueError when header or body are not the JSON objects that the service takes."""
    head = _json_object(header, "header")
    api = head.get("api_id")
    if not isinstance(api, int):
        raise ValueError(f"the request's header has no api_id: {header[:100]!r}")
    call_mode = head.get("call_mode", CallMode.ANSWER if head.get("expect_response", True) else CallMode.FORGET)
    return Request(uuid, api, int(call_mode), _json_object(body, "body") if body else {})


def _json_object(text: str, what: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise ValueError(f"the request's {what} is not JSON: {text[:100]!r}") from error
    if not isinstance(value, dict):
        raise ValueError(f"the request's {what} is not a JSON object: {text[:100]!r}")
    return value
