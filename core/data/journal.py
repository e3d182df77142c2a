"""What the open episodes hold so far, on disk sample by sample: an append-only file of checksummed records.

Each sample is handed to the operating system at once, so a killed process loses nothing that was appended; a thread
flushes it to the disk at least every half second, so a power cut loses no more than that.
"""

import json
import os
import struct
import threading
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from core.data.append_file import NO_SPACE, sync_folder
from core.data.errors import DatasetError, DatasetFullError

SYNC_INTERVAL_S = 0.5
_MAGIC = b"RDPJRNL1"
_HEAD = struct.Struct("<II")
"""Length and CRC-32 of what follows."""
_KIND = struct.Struct("<BI")
"""Kind of record and number of the episode."""
_LAYOUT, _BEGIN, _SAMPLE, _END = 0, 1, 2, 3


@dataclass
class JournalEpisode:
    """An episode that was open when the journal ended."""

    meta: dict[str, Any]
    arrays: dict[str, np.ndarray]
    rows: list[bytes] = field(default_factory=list)
    closed: bool = False


@dataclass(frozen=True)
class JournalContent:
    """What a journal holds up to its first torn record."""

    dtype: np.dtype | None
    episodes: tuple[JournalEpisode, ...]
    torn_bytes: int
    "bytes behind the last whole record"


class Journal:
    """Writer of a journal. Not for several threads.

    After DatasetFullError the record is kept in memory and goes out with the next one that succeeds.
    """

    def __init__(
        self,
        path: Path,
        dtype: np.dtype,
        fsync: Callable[[int], None] = os.fdatasync,
        interval_s: float = SYNC_INTERVAL_S,
    ) -> None:
        self.path = path
        self._fsync = fsync
        self._layout = _record(_LAYOUT, 0, json.dumps(_describe(dtype)).encode())
        self._pending = bytearray()
        self._fd, self._end = self._create(path, b"")
        self._sync = _BackgroundSync(self._flush_to_disk, interval_s)

    @property
    def size(self) -> int:
        """Bytes in the file."""
        return self._end

    def begin(self, number: int, meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        """An episode starts: its attributes (JSON) and arrays."""
        self._write(begin_record(number, meta, arrays))

    def sample(self, number: int, row: bytes) -> None:
        """One packed sample."""
        self._write(_record(_SAMPLE, number, row))

    def end(self, number: int) -> None:
        """The episode is safe elsewhere, or not wanted."""
        self._write(_record(_END, number, b""))

    def clear(self) -> None:
        """Forget everything: no episode is open."""
        self._pending.clear()
        self._end = len(_MAGIC) + len(self._layout)
        os.ftruncate(self._fd, self._end)

    def rewrite(self, records: bytes) -> None:
        """Replace the content by the records of the open episodes; the old file stays until the new one is whole."""
        temporary = self.path.with_name(self.path.name + ".new")
        try:
            fd, end = self._create(temporary, records)
        except DatasetFullError:
            temporary.unlink(missing_ok=True)
            raise
        with self._sync.paused():
            os.rename(temporary, self.path)
            os.close(self._fd)
            self._fd, self._end = fd, end
            self._pending.clear()

    def close(self, remove: bool) -> None:
        """Stop the thread and close; `remove` when no episode is open."""
        self._sync.close()
        os.close(self._fd)
        if remove:
            self.path.unlink(missing_ok=True)

    def _create(self, path: Path, records: bytes) -> tuple[int, int]:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        data = _MAGIC + self._layout + records
        try:
            _write_at(fd, data, 0, path)
        except DatasetError:
            os.close(fd)
            raise
        sync_folder(path.parent)
        return fd, len(data)

    def _write(self, record: bytes) -> None:
        self._sync.check(self.path)
        self._pending += record
        _write_at(self._fd, bytes(self._pending), self._end, self.path)
        self._end += len(self._pending)
        self._pending.clear()
        self._sync.request()

    def _flush_to_disk(self) -> None:
        self._fsync(self._fd)


class _BackgroundSync:
    """Calls `flush` in a thread, at most once an interval: the loop never waits for the disk."""

    def __init__(self, flush: Callable[[], None], interval_s: float) -> None:
        self._flush = flush
        self._interval_s = interval_s
        self._wanted, self._closed, self._lock = threading.Event(), threading.Event(), threading.Lock()
        self._error: OSError | None = None
        self._thread = threading.Thread(target=self._run, name="journal sync", daemon=True)
        self._thread.start()

    def request(self) -> None:
        """Something was written."""
        self._wanted.set()

    def check(self, path: Path) -> None:
        """Raise what the disk answered in the background."""
        error, self._error = self._error, None
        if error is not None:
            raise DatasetError(f"the disk did not take {path}: {error.strerror}") from error

    def paused(self) -> threading.Lock:
        """Held while the file is exchanged."""
        return self._lock

    def close(self) -> None:
        """Ends the thread."""
        self._closed.set()
        self._wanted.set()
        self._thread.join()

    def _run(self) -> None:
        while self._wanted.wait() and not self._closed.is_set():
            self._wanted.clear()
            with self._lock:
                try:
                    self._flush()
                except OSError as error:
                    self._error = error
            self._closed.wait(self._interval_s)


def _record(kind: int, number: int, body: bytes) -> bytes:
    payload = _KIND.pack(kind, number) + body
    return _HEAD.pack(len(payload), zlib.crc32(payload)) + payload


def begin_record(number: int, meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> bytes:
    """The first record of an episode."""
    dtype = [(name, value.dtype.str, value.shape) for name, value in arrays.items()]
    head = json.dumps({"meta": dict(meta), "arrays": dtype}).encode()
    body = struct.pack("<I", len(head)) + head + b"".join(value.tobytes() for value in arrays.values())
    return _record(_BEGIN, number, body)


def sample_record(number: int, row: bytes) -> bytes:
    """One sample of an episode."""
    return _record(_SAMPLE, number, row)


def _write_at(fd: int, data: bytes, offset: int, path: Path) -> None:
    view, at = memoryview(data), offset
    try:
        while view:
            count = os.pwrite(fd, view, at)
            view, at = view[count:], at + count
    except OSError as error:
        os.ftruncate(fd, offset)  # no torn record in the middle
        if error.errno in NO_SPACE:
            raise DatasetFullError(path, len(data), os.strerror(error.errno)) from error
        raise DatasetError(f"cannot write {path}: {error.strerror}") from error


def _describe(dtype: np.dtype) -> list[tuple[str, str, tuple[int, ...]]]:
    assert dtype.names is not None
    return [(name, dtype[name].base.str, dtype[name].shape) for name in dtype.names]


def _dtype_from(described: list[Any]) -> np.dtype:
    return np.dtype([(name, kind, tuple(shape)) for name, kind, shape in described])


def read_journal(path: Path) -> JournalContent:
    """Read up to the first torn or damaged record. A file that is no journal gives no episodes."""
    data = path.read_bytes()
    dtype: np.dtype | None = None
    episodes: dict[int, JournalEpisode] = {}
    at = len(_MAGIC) if data.startswith(_MAGIC) else len(data)
    while at + _HEAD.size <= len(data):
        size, checksum = _HEAD.unpack_from(data, at)
        payload = data[at + _HEAD.size : at + _HEAD.size + size]
        if len(payload) < size or size < _KIND.size or zlib.crc32(payload) != checksum:
            break
        kind, number = _KIND.unpack_from(payload)
        body = payload[_KIND.size :]
        if kind == _LAYOUT:
            dtype = _dtype_from(json.loads(body))
        elif kind == _BEGIN:
            episodes[number] = _read_begin(body)
        elif kind == _SAMPLE and number in episodes:
            episodes[number].rows.append(body)
        elif kind == _END and number in episodes:
            episodes[number].closed = True
        at += _HEAD.size + size
    left = tuple(episode for episode in episodes.values() if not episode.closed)
    return JournalContent(dtype, left, len(data) - at)


def _read_begin(body: bytes) -> JournalEpisode:
    (size,) = struct.unpack_from("<I", body)
    head = json.loads(body[4 : 4 + size])
    arrays, at = {}, 4 + size
    for name, kind, shape in head["arrays"]:
        dtype = np.dtype(kind)
        count = int(np.prod(shape, dtype=np.int64))
        arrays[name] = np.frombuffer(body, dtype, count, at).reshape(shape).copy()
        at += count * dtype.itemsize
    return JournalEpisode(head["meta"], arrays)
