"""What the live session and its planner process say to each other, over the process's standard input and output."""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, Literal, get_args

import numpy as np

from trainer.session.frames import MAX_MESSAGE_BYTES, Codec, MessageError

PROTOCOL_VERSION = 1
Runtime = Literal["torch", "onnx", "tensorrt"]
_SIZE = struct.Struct("<I")


@dataclass(frozen=True)
class Load:
    """First message: what to plan with."""

    checkpoint: str
    runtime: Runtime
    task: str


@dataclass(frozen=True)
class Begin:
    """An episode begins: if the file was written anew, read it."""


@dataclass(frozen=True)
class Ask:
    """Plan a chunk."""

    number: int
    obs: np.ndarray
    "(To, Do) SI units, float32"
    noise: np.ndarray
    "(Z, 1, Tp, Da) float32"


@dataclass(frozen=True)
class Ready:
    """The weights are loaded."""

    noise_count: int
    executed_steps: int
    text: str
    "which planner, for the log"


@dataclass(frozen=True)
class Unready:
    """It cannot be loaded; the process ends."""

    what: str


@dataclass(frozen=True)
class Note:
    """A line for the log."""

    text: str


@dataclass(frozen=True)
class Chunk:
    """A plan."""

    number: int
    chunk: np.ndarray
    "(Tp, 19)"
    plan_ms: float
    "wall time of the planning alone"


@dataclass(frozen=True)
class NoChunk:
    """Planning failed; the next one may work."""

    number: int
    what: str


PlannerMessage = Load | Begin | Ask | Ready | Unready | Note | Chunk | NoChunk
CODEC = Codec(PROTOCOL_VERSION, get_args(PlannerMessage))


def write_message(pipe: BinaryIO, message: PlannerMessage) -> None:
    """Length (uint32, little endian) and frame. Blocks while the pipe is full. Raises OSError when it is broken."""
    frame = CODEC.encode(message)
    pipe.write(_SIZE.pack(len(frame)) + frame)
    pipe.flush()


def read_message(pipe: BinaryIO) -> PlannerMessage:
    """The next message. Raises EOFError at the end, MessageError for bytes that are none.

    After a MessageError the next message can be read, unless its length was not credible: then the next is EOFError.
    """
    frame = _read_frame(pipe.read)
    return CODEC.decode(frame)


def _read_frame(read: Callable[[int], bytes]) -> bytes:
    head = read(_SIZE.size)
    if len(head) < _SIZE.size:
        raise EOFError
    (size,) = _SIZE.unpack(head)
    if size > MAX_MESSAGE_BYTES:
        read(-1)  # where the next message begins cannot be known
        raise MessageError(f"a message of {size} bytes; allowed: {MAX_MESSAGE_BYTES}")
    frame = read(size)
    if len(frame) < size:
        raise EOFError
    return frame
