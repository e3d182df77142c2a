"""Raw operator input in a file: every sample and every look of the loop at them, so that an episode can be re-run.

`MAGIC`, a line of JSON (the header), then records in order: `S` and a sample, `F` and finger joints, `L` and the time
of a look (float64), or `I` and the number of a fault for which the session dropped the hands.
A file that ends in the middle of a record (a crash) is read up to there.
"""

import contextlib
import json
import struct
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import BinaryIO, get_args

from core.teleop.clutch import Fault
from core.teleop.xr_joints import JOINTS_BYTES, XrJoints, pack_joints, unpack_joints
from core.teleop.xr_sample import SAMPLE_BYTES, XrSample, pack, unpack

MAGIC = b"REFINE-DP operator 1\n"
_LOOK = struct.Struct("<d")
_FAULTS: tuple[Fault, ...] = get_args(Fault)
_SIZES = {b"S": SAMPLE_BYTES, b"F": JOINTS_BYTES, b"L": _LOOK.size, b"I": 1}
FLUSH_EVERY = 50
"""Looks between two flushes to the disk: 5 s are the most that a crash costs."""


class TapeError(ValueError):
    """A file that is no recording of an operator."""


@dataclass(frozen=True)
class TapeHeader:
    """The episode that the input belongs to."""

    task: str
    seed: int
    backend: str
    safety: str
    controller: str
    scale: float
    "of the operator's reach when the episode began"
    software: str = ""


@dataclass(frozen=True)
class Interrupted:
    """The session dropped the hands: a stop or a hold from elsewhere, which the samples do not show."""

    why: Fault


Record = XrSample | XrJoints | float | Interrupted
"""A sample, finger joints, the time of a look, or a drop that came from the session."""


class TapeWriter:
    """Appends to a new file. Called from the thread that feeds and from the loop.

    A file that cannot be written any more (a full disk) costs the recording and nothing else: see `trouble`.
    """

    def __init__(self, path: Path, header: TapeHeader) -> None:
        """Raises FileExistsError: a recording is never overwritten."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file: BinaryIO | None = path.open("xb")
        self._file.write(MAGIC + json.dumps(asdict(header)).encode() + b"\n")
        self._lock = threading.Lock()
        self._looks = 0
        self.trouble = ""
        "why nothing is written any more"

    def sample(self, sample: XrSample) -> None:
        """A raw sample came."""
        self._write(b"S" + pack(sample))

    def joints(self, joints: XrJoints) -> None:
        """Finger joints came."""
        self._write(b"F" + pack_joints(joints))

    def look(self, time_s: float) -> None:
        """The loop asked what the operator wants."""
        self._looks += 1
        self._write(b"L" + _LOOK.pack(time_s), flush=self._looks % FLUSH_EVERY == 0)

    def interrupted(self, why: Fault) -> None:
        """The session dropped the hands."""
        self._write(b"I" + bytes((_FAULTS.index(why),)))

    def _write(self, record: bytes, flush: bool = False) -> None:
        with self._lock:
            if self._file is None:
                return
            try:
                self._file.write(record)
                if flush:
                    self._file.flush()
            except OSError as error:
                self.trouble = str(error)
                self._close()

    def close(self) -> None:
        """Safe to call twice."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):  # the rest does not fit: what is there is read up to the last record
                file.close()


def read_header(path: Path) -> TapeHeader:
    """Raises TapeError for another file, FileNotFoundError where there is none."""
    with path.open("rb") as file:
        return _header(file, path)


def read_tape(path: Path) -> tuple[TapeHeader, list[Record]]:
    """The header and the records: samples, the times of looks as floats, drops. Raises as `read_header`."""
    with path.open("rb") as file:
        return _header(file, path), list(_records(file, path))


def _header(file: BinaryIO, path: Path) -> TapeHeader:
    if file.readline() != MAGIC:
        raise TapeError(f"{path} is no recording of an operator: it does not begin with {MAGIC!r}")
    names = {f.name for f in fields(TapeHeader)}
    try:
        header = json.loads(file.readline())
        if set(header) != names:
            raise TapeError(f"{path}: the header has {sorted(header)}, expected {sorted(names)}")
        return TapeHeader(**header)
    except (ValueError, TypeError) as error:
        raise TapeError(f"{path}: the header cannot be read: {error}") from error


def _records(file: BinaryIO, path: Path) -> Iterator[Record]:
    while kind := file.read(1):
        size = _SIZES.get(kind)
        if size is None:
            raise TapeError(f"{path}: a record of kind {kind!r}; known: S, F, L, I")
        body = file.read(size)
        if len(body) < size:
            return
        yield _record(kind, body, path)


def _record(kind: bytes, body: bytes, path: Path) -> Record:
    match kind:
        case b"S":
            return unpack(body)
        case b"F":
            return unpack_joints(body)
        case b"L":
            return float(_LOOK.unpack(body)[0])
    if body[0] >= len(_FAULTS):
        raise TapeError(f"{path}: a drop for reason {body[0]}; known: 0 to {len(_FAULTS) - 1}")
    return Interrupted(_FAULTS[body[0]])
