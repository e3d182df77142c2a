"""What the input process and its parent say to each other: a letter and fixed bytes, or JSON; never pickle."""

import json
import struct
from dataclasses import asdict, dataclass, fields
from typing import Literal, get_args

from core.teleop.xr_joints import XrJoints, pack_joints, unpack_joints
from core.teleop.xr_sample import SampleError, XrSample, pack, unpack

XrState = Literal["starting", "no_runtime", "no_answer", "no_headset", "waiting", "running", "lost", "failed", "off"]
"""starting: the process comes up; no_runtime: none is installed or active; no_answer: its service is not running;
no_headset: nothing is connected to it; waiting: connected, but our input is not the one that it delivers; running;
lost: it was there; failed: for another reason; off: the session does not use VR."""


@dataclass(frozen=True)
class XrStatus:
    """How the connection to the runtime stands, in words."""

    state: XrState = "off"
    text: str = ""
    "what is the case, one sentence"
    remedy: str = ""
    "what to do"
    runtime: str = ""
    "name and version, '' while none answers"
    headset: str = ""
    controllers: tuple[str, str] = ("", "")
    "what the left and the right hand hold"
    headless: bool = True
    joints: bool = False
    "finger joints are offered"
    rate_hz: float = 0.0
    "samples a second, measured"
    detail: str = ""
    "for a report"


@dataclass(frozen=True)
class Pulse:
    """Vibration of one controller: `count` pulses with pauses as long as they are."""

    side: Literal["left", "right"]
    amplitude: float
    seconds: float
    count: int = 1

    def __post_init__(self) -> None:
        if not (0 < self.amplitude <= 1 and 0 < self.seconds <= 2 and 1 <= self.count <= 5):
            raise ValueError(f"a pulse has amplitude 0 to 1, up to 2 s, 1 to 5 times; got {self}")


@dataclass(frozen=True)
class Quit:
    """The parent wants the process to end."""


Frame = XrSample | XrJoints | XrStatus | Pulse | Quit
_PULSE = struct.Struct("<BffB")
MAX_FRAME_BYTES = 1 << 16
_STATUS_TYPES = {f.name: f.type for f in fields(XrStatus)}


class LinkError(ValueError):
    """Bytes that are no frame."""


def encode(frame: Frame) -> bytes:
    """The bytes of a frame."""
    match frame:
        case XrSample():
            return b"S" + pack(frame)
        case XrJoints():
            return b"F" + pack_joints(frame)
        case XrStatus():
            return b"J" + json.dumps(asdict(frame)).encode()
        case Pulse():
            return b"H" + _PULSE.pack(frame.side == "right", frame.amplitude, frame.seconds, frame.count)
        case Quit():
            return b"Q"


def decode(data: bytes) -> Frame:
    """Inverse of `encode`. Raises LinkError for anything else, whatever the bytes are."""
    kind, body = data[:1], data[1:]
    try:
        if kind == b"S":
            return unpack(body)
        if kind == b"F":
            return unpack_joints(body)
        if kind == b"J":
            return _status(json.loads(body))
        if kind == b"H":
            right, amplitude, seconds, count = _PULSE.unpack(body)
            return Pulse("right" if right else "left", amplitude, seconds, count)
        if kind == b"Q" and not body:
            return Quit()
    except (SampleError, struct.error, ValueError, TypeError, KeyError) as error:
        raise LinkError(f"a frame of kind {kind!r} that cannot be read: {error}") from error
    raise LinkError(f"a frame of kind {kind!r}; known: S, F, J, H, Q")


def _status(body: dict[str, object]) -> XrStatus:
    unknown = sorted(set(body) - set(_STATUS_TYPES))
    left, right = body["controllers"]  # type: ignore[misc]  # other shapes raise
    status = XrStatus(**{**body, "controllers": (str(left), str(right))})  # type: ignore[arg-type]  # checked below
    texts = (status.text, status.remedy, status.runtime, status.headset, status.detail)
    if unknown or status.state not in get_args(XrState) or not all(isinstance(text, str) for text in texts):
        raise LinkError(f"a status that is none: {str(body)[:200]}")
    return status
