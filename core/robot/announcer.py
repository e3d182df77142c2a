"""Makes a CycloneDDS participant visible to the robot's SDK, whose Fast DDS drops Cyclone's own announcement.

Cyclone's announcement holds a vendor parameter (0x8007) that Fast DDS 2.13 takes for one of its own. A second
announcement of the same participant without it is enough: everything after discovery interoperates.
"""

import socket
import struct
import threading
import time

MULTICAST_GROUP = "239.255.0.1"
_VENDOR = bytes((1, 16))
_BUILTIN_ENDPOINTS = 0xC3F
_EAGER_S, _EAGER_PERIOD_S, _PERIOD_S = 3.0, 0.1, 1.0
_LEASE_S = 10


def spdp_port(domain: int) -> int:
    """UDP port of participant announcements of a domain (DDSI-RTPS well-known ports)."""
    return 7400 + 250 * domain


def metatraffic_port(domain: int, participant_index: int) -> int:
    """UDP port on which a participant takes discovery traffic."""
    return 7400 + 250 * domain + 10 + 2 * participant_index


def announcement(guid_prefix: bytes, address: str, port: int, sequence: int, time_s: float) -> bytes:
    """An SPDP message: header, INFO_TS, DATA with the parameters that Fast DDS asks for.

    guid_prefix: 12 bytes; address: IPv4; port: metatraffic port, the next one takes user data.
    """

    def parameter(pid: int, value: bytes) -> bytes:
        return struct.pack("<HH", pid, len(value)) + value

    def locator(at: int) -> bytes:
        return struct.pack("<iI12x4s", 1, at, socket.inet_aton(address))

    payload = b"\x00\x03\x00\x00" + b"".join(
        (
            parameter(0x15, bytes((2, 3, 0, 0))),
            parameter(0x16, _VENDOR + b"\0\0"),
            parameter(0x50, guid_prefix + b"\x00\x00\x01\xc1"),
            parameter(0x58, struct.pack("<I", _BUILTIN_ENDPOINTS)),
            parameter(0x31, locator(port + 1)),
            parameter(0x32, locator(port)),
            parameter(0x02, struct.pack("<iI", _LEASE_S, 0)),
            struct.pack("<HH", 1, 0),
        )
    )
    seconds = int(time_s)
    info = struct.pack("<BBHII", 0x09, 0x01, 8, seconds, int((time_s - seconds) * 2**32))
    data = struct.pack("<HH4s4siI", 0, 16, b"\0\0\0\0", b"\x00\x01\x00\xc2", sequence >> 32, sequence & 0xFFFFFFFF)
    data += payload
    return b"RTPS\x02\x03" + _VENDOR + guid_prefix + info + struct.pack("<BBH", 0x15, 0x05, len(data)) + data


class Announcer:
    """Sends the announcement from a thread, eagerly at first, then every second, until closed."""

    def __init__(self, guid_prefix: bytes, domain: int, participant_index: int, address: str = "127.0.0.1") -> None:
        self._prefix, self._domain, self._address = guid_prefix, domain, address
        self._port = metatraffic_port(domain, participant_index)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
        self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="announcer", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop. Safe to call twice."""
        self._closing.set()
        self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        began, sequence = time.monotonic(), 0
        while not self._closing.is_set():
            sequence += 1
            message = announcement(self._prefix, self._address, self._port, sequence, time.time())
            self._socket.sendto(message, (MULTICAST_GROUP, spdp_port(self._domain)))
            eager = time.monotonic() - began < _EAGER_S
            self._closing.wait(_EAGER_PERIOD_S if eager else _PERIOD_S)
