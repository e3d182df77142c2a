"""An HDF5 file that is only appended to: at every moment it is a complete file.

A change writes new objects behind the end, waits for the disk, then replaces the 48-byte superblock. A process killed
anywhere leaves the old superblock (the tail behind it is ignored) or the new one. Each change ends with a marker, so
that a file cut short or with a damaged superblock is brought back to its last complete change.
"""

import errno
import fcntl
import logging
import mmap
import os
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from core.data.errors import DatasetDamagedError, DatasetError, DatasetFullError, DatasetLockedError
from core.data.hdf5_encode import (
    SUPERBLOCK_SIZE,
    Appender,
    continuation_block,
    continuation_message,
    group_messages,
    link_message,
    object_header,
    parse_superblock,
    superblock,
)
from core.data.hdf5_read import addresses, array_at, attributes, group_at, open_file

logger = logging.getLogger(__name__)

LINKS_PER_BLOCK = 128
"""Links of /data that are written once and pointed to by every later version of its header."""

NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

_MARKER_MAGIC = b"RDPCOMIT"
_MARKER = struct.Struct("<8sQQI4x")


@dataclass(frozen=True)
class Contents:
    """What the superblock points to, as names and addresses of object headers."""

    episodes: Mapping[str, int]
    "/data/<name>"
    trash: Mapping[str, int]
    "/trash/<version>"
    total: int
    "samples in /data"
    history: bytes = b"{}"
    "JSON that undo reads"


@dataclass(frozen=True)
class _LinkBlock:
    """Links already in the file, as a continuation of an object header."""

    address: int
    size: int
    links: Mapping[str, int]


@dataclass(frozen=True)
class _Written:
    """What later versions of the root can point to again."""

    blocks: tuple[_LinkBlock, ...] = ()
    data_attributes: tuple[bytes, ...] | None = None
    root_attributes: tuple[bytes, ...] | None = None


@dataclass
class AppendFile:
    """Owns the file descriptor; `contents` is what is committed. Use `create` or `open`."""

    path: Path
    fd: int
    root: int
    "address of the root group's header"
    end: int
    "of what is committed, bytes"
    contents: Contents
    data_attributes: Mapping[str, Any]
    root_attributes: Mapping[str, Any] = field(default_factory=dict)
    root_links: Mapping[str, int] = field(default_factory=dict)
    "other members of the root group (robomimic's mask), carried along"
    fsync: Callable[[int], None] = os.fsync
    _written: _Written = field(default_factory=_Written)
    _staged: int = 0
    "end of objects that are written but not yet committed"
    _broken: bool = False

    @classmethod
    def create(cls, path: Path, data_attributes: Mapping[str, Any], fsync: Callable[[int], None] = os.fsync) -> None:
        """Write an empty data set; it appears under its name complete or not at all."""
        temporary = path.with_name(path.name + ".new")
        fd = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        try:
            new = cls(path, fd, 0, SUPERBLOCK_SIZE, Contents({}, {}, 0), data_attributes, fsync=fsync)
            new.commit(new.appender(), new.contents)
            os.rename(temporary, path)
            sync_folder(path.parent)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        finally:
            os.close(fd)

    @classmethod
    def open(cls, path: Path, fsync: Callable[[int], None] = os.fsync) -> "AppendFile":
        """Open for appending. Raises DatasetDamagedError, DatasetLockedError, DatasetError (foreign layout)."""
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            _share_with_readers(fd, path)
            head = parse_superblock(os.pread(fd, SUPERBLOCK_SIZE, 0))
            if head is None or head[1] > os.fstat(fd).st_size:
                raise DatasetDamagedError(f"{path} is damaged; bring it back with `refine-dp dataset recover {path}`")
            os.ftruncate(fd, head[1])  # what a killed writer left behind the end
            return _read_structure(path, fd, head, fsync)
        except BaseException:
            os.close(fd)
            raise

    def appender(self) -> Appender:
        """Encodes objects for the end of the file."""
        return Appender(max(self.end, self._staged))

    def stage(self, out: Appender) -> None:
        """Write objects that a later `commit` points to; until then they are no part of the file.

        Raises DatasetFullError; then what was staged is gone.
        """
        self._write(out, lambda start, data: _write_all(self.fd, data, start))
        self._staged = out.end

    def commit(self, out: Appender, contents: Contents) -> None:
        """Write what `out` holds and make `contents` the content. Raises DatasetFullError; then nothing changed."""
        written, root = self._encode_root(out, contents)
        end = out.end + _MARKER.size
        out.add(_marker(root, end))

        def write(start: int, data: bytes) -> None:
            _write_all(self.fd, data, start)
            self.fsync(self.fd)
            _write_all(self.fd, superblock(root, end), 0)
            self.fsync(self.fd)

        self._write(out, write)
        self.root, self.end, self.contents, self._written = root, end, contents, written

    def _write(self, out: Appender, write: Callable[[int, bytes], None]) -> None:
        if self._broken or not self._is_current():
            raise DatasetError(f"{self.path} changed under this program or its disk failed; open the data set again")
        data = out.data()
        try:
            write(out.start, data)
        except BaseException as error:  # an interrupt too: memory and file must agree before anything else happens
            self._roll_back()
            if not isinstance(error, OSError):
                raise
            if error.errno in NO_SPACE:
                raise DatasetFullError(self.path, len(data), os.strerror(error.errno)) from error
            raise DatasetError(f"cannot write {self.path}: {error.strerror}") from error

    def _is_current(self) -> bool:
        """The superblock on disk is the one that this object knows."""
        if self.end == SUPERBLOCK_SIZE:
            return True  # a new file
        return parse_superblock(os.pread(self.fd, SUPERBLOCK_SIZE, 0)) == (self.root, self.end)

    def close(self) -> None:
        """Release the file. Safe to call twice."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def _roll_back(self) -> None:
        """Back to the committed content; where even that fails, nothing more is written through this object."""
        self._staged = 0
        try:
            _write_all(self.fd, superblock(self.root, self.end), 0)  # it was replaced if only its fsync failed
            os.ftruncate(self.fd, self.end)
        except OSError:
            self._broken = True

    def _encode_root(self, out: Appender, contents: Contents) -> tuple[_Written, int]:
        w = self._written
        w = replace(
            w,
            data_attributes=w.data_attributes or tuple(out.attribute_messages(self.data_attributes)),
            root_attributes=w.root_attributes or tuple(out.attribute_messages(self.root_attributes)),
        )
        assert w.data_attributes is not None
        assert w.root_attributes is not None
        messages = group_messages() + out.attribute_messages({"total": contents.total}) + list(w.data_attributes)
        blocks, links = _encode_links(out, w.blocks, contents.episodes)
        links_of_root = dict(self.root_links)
        links_of_root["data"] = out.add(object_header(messages + links))
        history = out.dataset(np.frombuffer(contents.history, np.uint8))
        links_of_root["trash"] = out.group({"history": history, **contents.trash})
        root_links = [link_message(name, address) for name, address in links_of_root.items()]
        root = out.add(object_header(group_messages() + list(w.root_attributes) + root_links))
        return replace(w, blocks=blocks), root


def _encode_links(
    out: Appender, blocks: tuple[_LinkBlock, ...], links: Mapping[str, int]
) -> tuple[tuple[_LinkBlock, ...], list[bytes]]:
    """Messages for `links`, using the blocks in the file that still hold."""
    kept = [b for b in blocks if all(links.get(name) == address for name, address in b.links.items())]
    covered = {name for block in kept for name in block.links}
    recent = [(name, address) for name, address in links.items() if name not in covered]
    while len(recent) >= LINKS_PER_BLOCK:
        chunk, recent = recent[:LINKS_PER_BLOCK], recent[LINKS_PER_BLOCK:]
        data = continuation_block([link_message(name, address) for name, address in chunk])
        kept.append(_LinkBlock(out.add(data), len(data), dict(chunk)))
    messages = [continuation_message(block.address, block.size) for block in kept]
    return tuple(kept), messages + [link_message(name, address) for name, address in recent]


def _marker(root: int, end: int) -> bytes:
    body = _MARKER_MAGIC + struct.pack("<QQ", root, end)
    return _MARKER.pack(_MARKER_MAGIC, root, end, zlib.crc32(body))


def _write_all(fd: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        count = os.pwrite(fd, view, offset)
        view, offset = view[count:], offset + count


def sync_folder(folder: Path) -> None:
    """Make a rename in a folder survive a power cut."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _share_with_readers(fd: int, path: Path) -> None:
    """Take the lock that the HDF5 library takes for reading: its readers may come, its writers are refused."""
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        raise DatasetLockedError(f"{path} is open for writing in another program; close it there first") from None
    except OSError as error:
        logger.warning(
            "no file locks on the disk of %s (%s): other programs must not write to it", path, error.strerror
        )


def _read_structure(path: Path, fd: int, head: tuple[int, int], fsync: Callable[[int], None]) -> AppendFile:
    with open_file(path) as file:
        data = group_at(file, "data")
        trash = addresses(group_at(file, "trash")) if "trash" in file else {}
        history = array_at(file, "trash/history").tobytes() if trash.pop("history", None) else b"{}"
        contents = Contents(addresses(data), trash, int(data.attrs.get("total", 0)), history)
        return AppendFile(
            path,
            fd,
            *head,
            contents,
            {name: value for name, value in attributes(data).items() if name != "total"},
            attributes(file),
            {name: address for name, address in addresses(file).items() if name not in ("data", "trash")},
            fsync,
        )


def recover(path: Path) -> bool:
    """Bring a damaged file back to its last complete change; true when something was repaired.

    Raises DatasetDamagedError when no complete change is left.
    """
    with path.open("r+b") as file:
        size = os.fstat(file.fileno()).st_size
        first = file.read(SUPERBLOCK_SIZE)
        head = parse_superblock(first)
        if head is not None and head[1] <= size:
            return False
        if head is None and _readable(path):
            raise DatasetError(
                f"{path} was written by another program (repacked?): it can be read; to add to it, make a copy with "
                f"`refine-dp dataset merge OUTPUT {path}`"
            )
        if size > SUPERBLOCK_SIZE:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                for root, end in _complete_changes(data):
                    _replace_superblock(file.fileno(), superblock(root, end))
                    if _readable(path):
                        return True
            _replace_superblock(file.fileno(), first)
    raise DatasetDamagedError(
        f"{path} ({size} bytes) is no data set, or one that is damaged beyond recovery; give another path"
    )


def _replace_superblock(fd: int, data: bytes) -> None:
    os.pwrite(fd, data, 0)
    os.fsync(fd)


def _complete_changes(data: mmap.mmap) -> Iterator[tuple[int, int]]:
    """(root, end) of the changes that lie within `data`, latest first."""
    at = data.rfind(_MARKER_MAGIC)
    while at >= 0:
        if at + _MARKER.size <= len(data):
            _, root, end, checksum = _MARKER.unpack_from(data, at)
            if checksum == zlib.crc32(data[at : at + 24]) and end == at + _MARKER.size:
                yield root, end
        at = data.rfind(_MARKER_MAGIC, 0, at)


def _readable(path: Path) -> bool:
    try:
        with open_file(path) as file:
            data = group_at(file, "data")
            return all("num_samples" in group_at(data, str(name)).attrs for name in data)
    except (DatasetError, OSError, KeyError, RuntimeError):
        return False
