"""NatNet messages to values: server information, descriptions of bodies, frames, echoes."""

import socket
from collections.abc import Callable
from dataclasses import dataclass

from core.mocap.frame import RigidBody
from core.mocap.natnet.wire import PacketError, Reader, Version

_BODY = "i3f4ffh"
_BODY_BYTES = 38
_TRACKED = 0x01
_MODELS_CHANGED = 0x02
_RIGID_BODY = 1


@dataclass(frozen=True)
class ServerInfo:
    """What the server says of itself."""

    application: str
    version: Version
    ticks_per_s: int
    "of its high-resolution clock, in which frames are stamped"
    data_port: int
    multicast_group: str
    "'' when it sends to each client that asked"


@dataclass(frozen=True)
class BodyPose:
    """A body in a frame, by its streaming id; axes and order of the server: quaternion xyzw."""

    body_id: int
    pos: tuple[float, float, float]
    quat_xyzw: tuple[float, float, float, float]
    residual_m: float
    tracked: bool

    def named(self, name: str) -> RigidBody:
        """With its name, wxyz; axes as they were."""
        x, y, z, w = self.quat_xyzw
        return RigidBody(name, self.pos, (w, x, y, z), self.tracked, self.residual_m)


@dataclass(frozen=True)
class Frame:
    """What one frame says of rigid bodies. Ticks are of the server's clock; 0 where it gave none."""

    number: int
    bodies: tuple[BodyPose, ...]
    exposure_ticks: int
    transmit_ticks: int
    models_changed: bool


def server_info(payload: bytes) -> ServerInfo:
    """Raises PacketError for what is none, or of a version that is not understood."""
    reader = Reader(payload)
    application = reader.fixed_text()
    reader.skip(4)
    major, minor, _, _ = reader.take("4B")
    version = Version(major, minor)
    ticks_per_s, data_port, multicast = reader.take("QHB")
    group = socket.inet_ntoa(reader.take("4s")[0])
    if ticks_per_s <= 0:
        raise PacketError(f"a clock of {ticks_per_s} ticks a second is none")
    return ServerInfo(application, version, ticks_per_s, data_port, group if multicast else "")


def echo_response(payload: bytes) -> tuple[int, int]:
    """The stamp that was sent, and the server's ticks when it arrived there."""
    sent, received = Reader(payload).take("QQ")
    return sent, received


# ---------------------------------------------------------------------------------------------------- descriptions


def body_names(payload: bytes, version: Version) -> dict[int, str]:
    """Streaming id -> name of every rigid body that is described. Raises PacketError."""
    reader = Reader(payload)
    names: dict[int, str] = {}
    for _ in range(reader.count(4)):
        kind = reader.integer()
        if version.sized:
            size = reader.integer()
            before = reader.left
            if kind == _RIGID_BODY:
                names.update([_identity(reader)])
            reader.skip(size - (before - reader.left))
        else:
            names.update(_description(reader, kind, version))
    return names


def _identity(reader: Reader) -> tuple[int, str]:
    name = reader.text()
    return reader.integer(), name


def _description(reader: Reader, kind: int, version: Version) -> list[tuple[int, str]]:
    """One description of a stream whose descriptions do not say their size."""
    match kind:
        case 0:  # a set of markers: name, names of markers
            reader.text()
            _skip_texts(reader)
        case 1:
            return [_body_description(reader, version)]
        case 2:  # a skeleton: name, id, bodies
            _identity(reader)
            for _ in range(reader.count(25)):
                _body_description(reader, version)
        case 3:  # a force plate: id, serial, sizes and origin, calibration, corners, type, channels
            reader.skip(4)
            reader.text()
            reader.skip(4 * (2 + 3 + 144 + 12 + 2))
            _skip_texts(reader)
        case 4:  # a device: id, name, serial, type, kind of data, channels
            reader.skip(4)
            reader.text()
            reader.text()
            reader.skip(8)
            _skip_texts(reader)
        case 5:  # a camera: name, pose
            reader.text()
            reader.skip(28)
        case _:
            raise PacketError(f"a description of kind {kind} is not known in NatNet {version}")
    return []


def _body_description(reader: Reader, version: Version) -> tuple[int, str]:
    identity = _identity(reader)
    reader.skip(4 + 12)  # parent, offset
    markers = reader.count(16)
    reader.skip(16 * markers)
    if version.major >= 4:
        for _ in range(markers):
            reader.text()
    return identity


def _skip_texts(reader: Reader) -> None:
    for _ in range(reader.count(1)):
        reader.text()


# ---------------------------------------------------------------------------------------------------- frames


def frame(payload: bytes, version: Version) -> Frame:
    """Raises PacketError for what does not hold together."""
    reader = Reader(payload)
    number = reader.integer()
    _section(reader, version, _skip_marker_set, 5)
    _section(reader, version, lambda r: r.skip(12), 12)
    bodies = _bodies(reader, version)
    _section(reader, version, _skip_skeleton, 8)
    if version.sized:
        _section(reader, version, _skip_marker_set, 12)  # assets: their size is given
    _section(reader, version, lambda r: r.skip(26), 26)  # labelled markers
    _section(reader, version, _skip_channels, 8)  # force plates
    _section(reader, version, _skip_channels, 8)  # devices
    reader.skip(8 + 8)  # time code, time since the start
    exposure, _, transmit = reader.take("3Q")
    if version.sized:
        reader.skip(8)  # precision time
    (flags,) = reader.take("H")
    return Frame(number, bodies, exposure, transmit, bool(flags & _MODELS_CHANGED))


def _bodies(reader: Reader, version: Version) -> tuple[BodyPose, ...]:
    count = reader.count(_BODY_BYTES)
    size = reader.integer() if version.sized else count * _BODY_BYTES
    more = size // count - _BODY_BYTES if count else 0  # what a later version may have added to each
    if more < 0 or (more + _BODY_BYTES) * count != size:
        raise PacketError(f"{count} rigid bodies say that they take {size} bytes")
    poses = []
    for _ in range(count):
        body_id, x, y, z, qx, qy, qz, qw, residual, flags = reader.take(_BODY)
        reader.skip(more)
        poses.append(BodyPose(body_id, (x, y, z), (qx, qy, qz, qw), residual, bool(flags & _TRACKED)))
    return tuple(poses)


def _section(reader: Reader, version: Version, skip_item: Callable[[Reader], None], item_bytes: int) -> None:
    """A section that is not needed."""
    count = reader.count(item_bytes)
    if version.sized:
        reader.skip(reader.integer())
        return
    for _ in range(count):
        skip_item(reader)


def _skip_marker_set(reader: Reader) -> None:
    reader.text()
    reader.skip(12 * reader.count(12))


def _skip_skeleton(reader: Reader) -> None:
    reader.skip(4)
    reader.skip(_BODY_BYTES * reader.count(_BODY_BYTES))


def _skip_channels(reader: Reader) -> None:
    reader.skip(4)
    for _ in range(reader.count(4)):
        reader.skip(4 * reader.count(4))
