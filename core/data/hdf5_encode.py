"""HDF5 objects as bytes, for a file that is only ever appended to (HDF5 File Format Specification 3.0, sections II-IV).

The HDF5 library changes metadata in place, so a process killed while it writes can leave a file that nothing opens.
Here every object is written once, behind the end of the file, and becomes part of the file when the superblock is
replaced by one that points to the new root. Everything written is superblock version 2 / object header version 2,
which every HDF5 since 1.8 reads.
"""

import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

SUPERBLOCK_SIZE = 48
UNDEFINED = 0xFFFF_FFFF_FFFF_FFFF
_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_GLOBAL_HEAP_MIN = 4096

_DATASPACE, _LINK_INFO, _DATATYPE, _FILL, _LINK = 0x01, 0x02, 0x03, 0x05, 0x06
_LAYOUT, _GROUP_INFO, _ATTRIBUTE, _CONTINUATION = 0x08, 0x0A, 0x0C, 0x10


def lookup3(data: bytes) -> int:
    """Bob Jenkins' hashlittle with initial value 0: the checksum of HDF5 metadata."""
    mask = 0xFFFF_FFFF
    a = b = c = (0xDEADBEEF + len(data)) & mask
    if not data:
        return c
    blocks = (len(data) - 1) // 12  # the last 1..12 bytes go through the final mix
    padded = data + bytes(12 * (blocks + 1) - len(data))
    words = struct.unpack(f"<{3 * (blocks + 1)}I", padded)
    for i in range(0, 3 * blocks, 3):
        a, b, c = (a + words[i]) & mask, (b + words[i + 1]) & mask, (c + words[i + 2]) & mask
        a = (a - c) & mask ^ ((c << 4 | c >> 28) & mask)
        c = (c + b) & mask
        b = (b - a) & mask ^ ((a << 6 | a >> 26) & mask)
        a = (a + c) & mask
        c = (c - b) & mask ^ ((b << 8 | b >> 24) & mask)
        b = (b + a) & mask
        a = (a - c) & mask ^ ((c << 16 | c >> 16) & mask)
        c = (c + b) & mask
        b = (b - a) & mask ^ ((a << 19 | a >> 13) & mask)
        a = (a + c) & mask
        c = (c - b) & mask ^ ((b << 4 | b >> 28) & mask)
        b = (b + a) & mask
    a, b, c = ((x + y) & mask for x, y in zip((a, b, c), words[-3:]))
    for turn in (14, 11, 25, 16, 4, 14, 24):
        # c, a, b change in turn: c ^= b, a ^= c, b ^= a, ...
        c = ((c ^ b) - (b << turn | b >> (32 - turn))) & mask
        a, b, c = b, c, a
    return b  # the last word changed was c, rotated once


def superblock(root: int, end: int) -> bytes:
    """Version 2 superblock: address of the root group's header and end of the file."""
    body = _SIGNATURE + struct.pack("<BBBBQQQQ", 2, 8, 8, 0, 0, UNDEFINED, end, root)
    return body + struct.pack("<I", lookup3(body))


def parse_superblock(data: bytes) -> tuple[int, int] | None:
    """(root, end) of a version 2 or 3 superblock, None when it is something else or damaged."""
    if len(data) < SUPERBLOCK_SIZE or data[:8] != _SIGNATURE or data[8] not in (2, 3) or data[9:11] != b"\x08\x08":
        return None
    (checksum,) = struct.unpack_from("<I", data, 44)
    base, _, end, root = struct.unpack_from("<QQQQ", data, 12)
    return (root, end) if checksum == lookup3(data[:44]) and base == 0 else None


def _message(kind: int, body: bytes) -> bytes:
    return struct.pack("<BHB", kind, len(body), 0) + body


def link_message(name: str, address: int) -> bytes:
    """A hard link of a group."""
    encoded = name.encode()
    return _message(_LINK, struct.pack("<BBBH", 1, 0x11, 1, len(encoded)) + encoded + struct.pack("<Q", address))


def continuation_message(address: int, size: int) -> bytes:
    """More messages of the same header are at `address`."""
    return _message(_CONTINUATION, struct.pack("<QQ", address, size))


def continuation_block(messages: Sequence[bytes]) -> bytes:
    """Messages of an object header outside its first chunk."""
    body = b"OCHK" + b"".join(messages)
    return body + struct.pack("<I", lookup3(body))


def object_header(messages: Sequence[bytes]) -> bytes:
    """A version 2 object header in one chunk."""
    content = b"".join(messages)
    body = b"OHDR" + struct.pack("<BBI", 2, 0x02, len(content)) + content
    return body + struct.pack("<I", lookup3(body))


def group_messages() -> list[bytes]:
    """What makes an object header a group whose links are messages of the header."""
    return [_message(_LINK_INFO, struct.pack("<BBQQ", 0, 0, UNDEFINED, UNDEFINED)), _message(_GROUP_INFO, bytes(2))]


def _dataspace(shape: tuple[int, ...]) -> bytes:
    kind = 1 if shape else 0
    return struct.pack("<BBBB", 2, len(shape), 0, kind) + b"".join(struct.pack("<Q", n) for n in shape)


def _fixed_point(size: int, signed: bool) -> bytes:
    return struct.pack("<BBBBIHH", 0x10, 0x08 if signed else 0, 0, 0, size, 0, 8 * size)


def _datatype(dtype: np.dtype) -> bytes:
    match dtype.kind, dtype.itemsize:
        case "f", 4:
            return struct.pack("<BBBBIHHBBBBI", 0x11, 0x20, 31, 0, 4, 0, 32, 23, 8, 0, 23, 127)
        case "f", 8:
            return struct.pack("<BBBBIHHBBBBI", 0x11, 0x20, 63, 0, 8, 0, 64, 52, 11, 0, 52, 1023)
        case ("i" | "u") as kind, size:
            return _fixed_point(size, signed=kind == "i")
        case "b", 1:  # h5py's bool: an enumeration of FALSE and TRUE over int8
            return struct.pack("<BBBBI", 0x38, 2, 0, 0, 1) + _fixed_point(1, signed=True) + b"FALSE\0TRUE\0\x00\x01"
        case _:
            raise ValueError(f"cannot store arrays of {dtype}; float32, float64, integers and bool can be")


_VARIABLE_STRING = struct.pack("<BBBBI", 0x19, 0x01, 0x01, 0, 16) + _fixed_point(1, signed=False)


def _global_heap(items: Sequence[bytes]) -> bytes:
    """A collection that holds variable-length strings, numbered from 1."""
    body = b""
    for number, item in enumerate(items, start=1):
        body += struct.pack("<HHIQ", number, 1, 0, len(item)) + item + bytes(-len(item) % 8)
    size = max(_GLOBAL_HEAP_MIN, 16 + len(body) + 16)
    free = size - 16 - len(body)
    return (
        b"GCOL"
        + struct.pack("<BBBBQ", 1, 0, 0, 0, size)
        + body
        + struct.pack("<HHIQ", 0, 0, 0, free)
        + bytes(free - 16)
    )


def _attribute(name: str, datatype: bytes, shape: tuple[int, ...], data: bytes) -> bytes:
    encoded, space = name.encode() + b"\0", _dataspace(shape)
    head = struct.pack("<BBHHHB", 3, 0, len(encoded), len(datatype), len(space), 1)
    return _message(_ATTRIBUTE, head + encoded + datatype + space + data)


class Appender:
    """Collects encoded objects for the end of a file and knows where each will be."""

    def __init__(self, start: int) -> None:
        self.start = start
        self._parts: list[bytes] = [bytes(-start % 8)]
        self.end = start + len(self._parts[0])

    def add(self, data: bytes) -> int:
        """Append bytes at the next multiple of eight; returns their address."""
        address = self.end
        padding = bytes(-len(data) % 8)
        self._parts += [data, padding]
        self.end += len(data) + len(padding)
        return address

    def data(self) -> bytes:
        """Everything collected, to be written at `start`."""
        return b"".join(self._parts)

    def attribute_messages(self, attributes: Mapping[str, Any]) -> list[bytes]:
        """Attribute messages; strings go to a heap that is written first."""
        texts = {name: value.encode() for name, value in attributes.items() if isinstance(value, str)}
        filled = {name: i for i, name in enumerate((n for n, text in texts.items() if text), start=1)}
        heap = self.add(_global_heap([texts[name] for name in filled])) if filled else 0
        messages = []
        for name, value in attributes.items():
            if name in texts:
                data = struct.pack("<IQI", len(texts[name]), heap if texts[name] else 0, filled.get(name, 0))
                messages.append(_attribute(name, _VARIABLE_STRING, (), data))
            else:
                array = np.asarray(value)
                data = array.astype(array.dtype.newbyteorder("<")).tobytes()
                messages.append(_attribute(name, _datatype(array.dtype), array.shape, data))
        return messages

    def dataset(self, array: np.ndarray) -> int:
        """A contiguous data set; returns the address of its header."""
        array = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).reshape(array.shape)
        raw = self.add(array.tobytes()) if array.size else UNDEFINED
        messages = [
            _message(_DATASPACE, _dataspace(array.shape)),
            _message(_DATATYPE, _datatype(array.dtype)),
            _message(_FILL, b"\x03\x0a"),
            _message(_LAYOUT, struct.pack("<BBQQ", 3, 1, raw, array.nbytes)),
        ]
        return self.add(object_header(messages))

    def group(self, links: Mapping[str, int], attributes: Mapping[str, Any] | None = None) -> int:
        """A group with hard links by name; returns the address of its header."""
        messages = group_messages() + self.attribute_messages(attributes or {})
        return self.add(object_header(messages + [link_message(name, address) for name, address in links.items()]))

    def tree(self, arrays: Mapping[str, np.ndarray]) -> dict[str, int]:
        """Data sets by path ('a/b/c'), with the groups between; returns the links of the top level."""
        inner: dict[str, dict[str, np.ndarray]] = {}
        links: dict[str, int] = {}
        for path, array in arrays.items():
            head, _, rest = path.partition("/")
            if rest:
                inner.setdefault(head, {})[rest] = array
            else:
                links[head] = self.dataset(array)
        return links | {name: self.group(self.tree(below)) for name, below in inner.items()}
