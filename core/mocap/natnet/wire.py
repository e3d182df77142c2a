"""NatNet on the wire: message numbers, versions, and a reader that never goes beyond a packet.

Little endian throughout. A message is its number (u16), the size of what follows (u16), and that payload. Layout as in
public depacketisation clients; 3.0 to 4.x are understood. From 4.1 each section says how long it is, so that what is
not needed is skipped whatever is in it.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

COMMAND_PORT, DATA_PORT = 1510, 1511
MULTICAST_GROUP = "239.255.42.99"
MAX_BYTES = 65535
_HEADER = struct.Struct("<HH")
_NAME_BYTES = 256


class Message(IntEnum):
    """Kinds of messages."""

    CONNECT = 0
    SERVER_INFO = 1
    REQUEST = 2
    RESPONSE = 3
    REQUEST_MODELS = 4
    MODELS = 5
    REQUEST_FRAME = 6
    FRAME = 7
    TEXT = 8
    DISCONNECT = 9
    KEEP_ALIVE = 10
    ECHO_REQUEST = 12
    ECHO_RESPONSE = 13
    UNRECOGNISED = 100


class PacketError(ValueError):
    """Bytes that are no NatNet message of a version that is understood."""


@dataclass(frozen=True, order=True)
class Version:
    """Version of the bit stream."""

    major: int
    minor: int

    def __post_init__(self) -> None:
        if not Version.supported(self.major):
            raise PacketError(f"NatNet {self.major}.{self.minor} is not understood; 3.0 to 4.x are: update Motive")

    @staticmethod
    def supported(major: int) -> bool:
        """Whether streams of this version can be read."""
        return major in (3, 4)

    @property
    def sized(self) -> bool:
        """Whether sections and descriptions say how many bytes they have."""
        return (self.major, self.minor) >= (4, 1)

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


class Reader:
    """Reads one payload from front to back. Raises PacketError at its end, never IndexError."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        """Bytes that were not read."""
        return len(self._data) - self._at

    def skip(self, count: int) -> None:
        """Leave bytes out."""
        if not 0 <= count <= self.left:
            raise PacketError(f"{count} bytes are to be skipped, {self.left} are left")
        self._at += count

    def take(self, layout: str) -> tuple[Any, ...]:
        """Values by a `struct` layout (little endian, no padding)."""
        size = struct.calcsize("<" + layout)
        if size > self.left:
            raise PacketError(f"{size} bytes are to be read, {self.left} are left")
        values = struct.unpack_from("<" + layout, self._data, self._at)
        self._at += size
        return values

    def integer(self) -> int:
        """An i32."""
        return self.take("i")[0]

    def count(self, item_bytes: int) -> int:
        """A number of items that take at least so many bytes each: more than fit are refused before any is read."""
        count = self.integer()
        if count < 0 or count * item_bytes > self.left:
            raise PacketError(f"{count} items of {item_bytes} bytes or more do not fit into {self.left} bytes")
        return count

    def text(self) -> str:
        """A string that ends with a zero byte."""
        end = self._data.find(b"\0", self._at)
        if end < 0 or end - self._at > _NAME_BYTES:
            raise PacketError("a name does not end")
        words = self._data[self._at : end].decode("utf-8", errors="replace")
        self._at = end + 1
        return words

    def fixed_text(self) -> str:
        """A string in a field of 256 bytes."""
        (raw,) = self.take(f"{_NAME_BYTES}s")
        return raw.partition(b"\0")[0].decode("utf-8", errors="replace")


def fixed_text(words: str) -> bytes:
    """The field that `Reader.fixed_text` reads."""
    return struct.pack(f"{_NAME_BYTES}s", words.encode()[: _NAME_BYTES - 1])


def split(packet: bytes) -> tuple[int, bytes]:
    """Number and payload of a message. Raises PacketError when the size is not that of the packet."""
    if len(packet) < _HEADER.size:
        raise PacketError(f"{len(packet)} bytes are no message")
    number, size = _HEADER.unpack_from(packet)
    payload = packet[_HEADER.size :]
    if size != len(payload):
        raise PacketError(f"message {number} says {size} bytes, {len(payload)} came")
    return number, payload


def message(number: int, payload: bytes = b"") -> bytes:
    """The packet of a message."""
    return _HEADER.pack(number, len(payload)) + payload


def connect_request() -> bytes:
    """What a client says first; also asks a server that sends to single clients to send to this one."""
    return message(Message.CONNECT, fixed_text("refine-dp") + bytes((1, 0, 0, 0, 4, 1, 0, 0)))


def echo_request(stamp_ns: int) -> bytes:
    """Asks the server for its clock."""
    return message(Message.ECHO_REQUEST, struct.pack("<Q", stamp_ns))
