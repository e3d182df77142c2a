"""Typed messages as bytes, for sockets and pipes between processes (no torch, no pickle).

A frame is `MAGIC`, the header length (uint32, little endian), a JSON header, then the raw bytes of the arrays, each
aligned to 8. The header holds the message's type, its fields, and dtype and shape of each array.
"""

import json
import math
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from trainer.typed_json import DecodeError, from_json, to_json

MAGIC = b"RDP1"
MAX_MESSAGE_BYTES = 1 << 20
_DTYPES = ("float32", "float64", "int64", "int32", "uint8", "bool")
_HEAD = struct.Struct("<4sI")


class MessageError(ValueError):
    """Bytes that are not a message of this protocol version."""


class Codec:
    """A closed set of messages (dataclasses) of one protocol version."""

    def __init__(self, version: int, kinds: Sequence[type]) -> None:
        self._version = version
        self._kinds = {kind.__name__: kind for kind in kinds}

    def encode(self, message: Any) -> bytes:
        """The frame of a message. Raises MessageError when it is too large or holds an array of another type."""
        arrays: list[np.ndarray] = []
        body = to_json(message, arrays)
        arrays = [np.ascontiguousarray(array) for array in arrays]
        header = {
            "v": self._version,
            "type": type(message).__name__,
            "body": body,
            "arrays": [{"dtype": array.dtype.name, "shape": list(array.shape)} for array in arrays],
        }
        text = json.dumps(header, separators=(",", ":")).encode()
        parts = [_HEAD.pack(MAGIC, len(text)), text]
        for array in arrays:
            if array.dtype.name not in _DTYPES:
                raise MessageError(
                    f"array of {array.dtype.name} in {type(message).__name__}; allowed: {', '.join(_DTYPES)}"
                )
            parts.append(b"\0" * _padding(sum(map(len, parts))))
            parts.append(array.tobytes())
        frame = b"".join(parts)
        if len(frame) > MAX_MESSAGE_BYTES:
            raise MessageError(f"{type(message).__name__} has {len(frame)} bytes; allowed: {MAX_MESSAGE_BYTES}")
        return frame

    def decode(self, frame: bytes) -> Any:
        """The message of a frame. Raises MessageError for anything that is not one, whatever the bytes are."""
        if len(frame) > MAX_MESSAGE_BYTES:
            raise MessageError(f"a message of {len(frame)} bytes; allowed: {MAX_MESSAGE_BYTES}")
        header, offset = _read_header(frame)
        if header.get("v") != self._version:
            raise MessageError(
                f"protocol version {header.get('v')!r}, this program speaks {self._version}; update the older side"
            )
        name = header.get("type")
        if not isinstance(name, str) or name not in self._kinds:
            raise MessageError(f"unknown message {str(name)[:60]!r}; known: {', '.join(self._kinds)}")
        arrays = _read_arrays(frame, offset, header.get("arrays"))
        try:
            return from_json(self._kinds[name], header.get("body"), arrays)
        except (DecodeError, RecursionError) as error:
            raise MessageError(str(error)) from error


def _padding(offset: int) -> int:
    return -offset % 8


def _read_header(frame: bytes) -> tuple[dict[str, Any], int]:
    if len(frame) < _HEAD.size:
        raise MessageError(f"a frame of {len(frame)} bytes is shorter than its head of {_HEAD.size}")
    magic, size = _HEAD.unpack_from(frame)
    if magic != MAGIC:
        raise MessageError(f"the frame begins with {magic!r}, not {MAGIC!r}")
    end = _HEAD.size + size
    if end > len(frame):
        raise MessageError(f"the header should have {size} bytes, the frame has {len(frame) - _HEAD.size} left")
    try:
        header = json.loads(frame[_HEAD.size : end])
    except (ValueError, RecursionError) as error:
        raise MessageError(f"the header is not JSON: {error}") from error
    if not isinstance(header, dict):
        raise MessageError(f"the header is a {type(header).__name__}, not an object")
    return header, end


def _read_arrays(frame: bytes, offset: int, listed: Any) -> list[np.ndarray]:
    if not isinstance(listed, list):
        raise MessageError("the header lists no arrays")
    arrays = []
    for item in listed:
        dtype, shape = _read_layout(item)
        offset += _padding(offset)
        size = math.prod(shape) * dtype.itemsize
        if offset + size > len(frame):
            raise MessageError(f"an array of shape {shape} needs {size} bytes, {max(0, len(frame) - offset)} are left")
        flat = np.frombuffer(frame, dtype=dtype, count=math.prod(shape), offset=offset)
        arrays.append(flat.reshape(shape))
        offset += size
    if offset != len(frame):
        raise MessageError(f"{len(frame) - offset} bytes after the last array")
    return arrays


def _read_layout(item: Any) -> tuple[np.dtype, tuple[int, ...]]:
    dtype, shape = (item.get("dtype"), item.get("shape")) if isinstance(item, dict) else (None, None)
    if dtype not in _DTYPES:
        raise MessageError(f"array of {str(dtype)[:60]!r}; allowed: {', '.join(_DTYPES)}")
    if not isinstance(shape, list) or len(shape) > 4 or not all(map(_is_size, shape)):
        raise MessageError(f"array of shape {str(shape)[:60]}; allowed: up to 4 sizes of 0 to {MAX_MESSAGE_BYTES}")
    return np.dtype(dtype), tuple(shape)


def _is_size(size: Any) -> bool:
    return isinstance(size, int) and not isinstance(size, bool) and 0 <= size <= MAX_MESSAGE_BYTES
