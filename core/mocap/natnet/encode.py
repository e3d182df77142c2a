"""Values to NatNet messages: what a server sends. The emulator's half of `decode`."""

import socket
import struct
from collections.abc import Sequence

from core.mocap.natnet.decode import BodyPose, ServerInfo
from core.mocap.natnet.wire import Message, Version, fixed_text, message


def server_info(info: ServerInfo) -> bytes:
    """Answer to a connection request."""
    version = bytes((info.version.major, info.version.minor, 0, 0))
    group = socket.inet_aton(info.multicast_group or "0.0.0.0")
    clock = struct.pack("<QHB", info.ticks_per_s, info.data_port, bool(info.multicast_group))
    return message(Message.SERVER_INFO, fixed_text(info.application) + version + version + clock + group)


def echo_response(stamp: int, ticks: int) -> bytes:
    """Answer to an echo request."""
    return message(Message.ECHO_RESPONSE, struct.pack("<QQ", stamp, ticks))


def models(names: dict[int, str], version: Version) -> bytes:
    """Descriptions of rigid bodies, with one marker each."""
    parts = [struct.pack("<i", len(names))]
    for body_id, name in names.items():
        body = name.encode() + b"\0" + struct.pack("<ii3f", body_id, -1, 0.0, 0.0, 0.0)
        if (version.major, version.minor) >= (4, 2):
            body += struct.pack("<4f", 0.0, 0.0, 0.0, 1.0)
        body += struct.pack("<i3fi", 1, 0.0, 0.0, 0.0, 0)
        if version.major >= 4:
            body += b"Marker 001\0"
        parts += [struct.pack("<i", 1), struct.pack("<i", len(body)) if version.sized else b"", body]
    return message(Message.MODELS, b"".join(parts))


def frame(
    number: int,
    bodies: Sequence[BodyPose],
    stamps: tuple[int, int, int],
    version: Version,
    models_changed: bool = False,
) -> bytes:
    """One frame. stamps: ticks of the exposure, of its arrival at the server, and of its sending."""
    items = [
        struct.pack("<i3f4ffh", body.body_id, *body.pos, *body.quat_xyzw, body.residual_m, int(body.tracked))
        for body in bodies
    ]
    empty = _section([], version)
    sections = [empty, empty, _section(items, version), empty]
    sections += [empty] * (4 if version.sized else 3)  # assets, labelled markers, force plates, devices
    suffix = struct.pack("<IId3Q", 0, 0, 0.0, *stamps)
    if version.sized:
        suffix += struct.pack("<II", 0, 0)
    suffix += struct.pack("<Hi", 2 * models_changed, 0)
    return message(Message.FRAME, struct.pack("<i", number) + b"".join(sections) + suffix)


def _section(items: list[bytes], version: Version) -> bytes:
    data = b"".join(items)
    return struct.pack("<i", len(items)) + (struct.pack("<i", len(data)) if version.sized else b"") + data
