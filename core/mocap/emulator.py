"""A motion capture system for a simulated scene: a NatNet server that streams true poses with stated errors.

Real packets on a real port; the clock of the stream is another one than this computer's, as in a lab. Steered by the
process that owns the scene, which calls `tick` often: nothing here waits.
"""

import contextlib
import random
import socket
import struct
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from core.mocap.emulated_errors import MocapErrors, MocapFaults
from core.mocap.natnet import encode
from core.mocap.natnet.decode import BodyPose, ServerInfo
from core.mocap.natnet.wire import DATA_PORT, MAX_BYTES, MULTICAST_GROUP, Message, PacketError, Version, message, split
from core.mocap.turns import as_quaternion, as_vector, turned

TICKS_PER_S = 10_000_000
"""As Windows' performance counter."""
_CLIENT_S = 5.0
"""A client that says nothing for this long is sent no more frames."""
_OTHER_CLOCK_S = 54321.0
Poses = Mapping[str, np.ndarray]
"""Name -> (7,) position and quaternion wxyz, world, z up."""


class MocapEmulator:
    """Call `tick` each few milliseconds with the time and a way to ask for the true poses."""

    def __init__(
        self,
        names: tuple[str, ...],
        port: int,
        errors: MocapErrors | None = None,
        rate_hz: float = 90.0,
        seed: int = 0,
        version: str = "4.1",
        multicast: bool = False,
        address: str = "127.0.0.1",
    ) -> None:
        """port: UDP, of commands; 0 takes a free one. Raises OSError when it is taken, ValueError for a version."""
        self.errors = errors or MocapErrors()
        self.faults = MocapFaults()
        self.names = names
        self.frames = 0
        self.truth: dict[str, np.ndarray] = {}
        "poses of the last frame as they were"
        major, _, minor = version.partition(".")
        self._version = Version(int(major), int(minor or 0))
        self._period_s = 1.0 / rate_hz
        self._random = np.random.default_rng(seed)
        self._jitter = random.Random(seed)
        self._offsets = {name: self._draw_offset() for name in names}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind((address, port))
        self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
        self.port = int(self._socket.getsockname()[1])
        data_port = DATA_PORT if port == 0 or not multicast else port + 1
        group = MULTICAST_GROUP if multicast else ""
        self._info = ServerInfo("refine-dp emulator", self._version, TICKS_PER_S, data_port, group)
        self._clients: dict[tuple[str, int], float] = {}
        self._due_s: float | None = None
        self._before: tuple[float, np.ndarray] | None = None
        self._speed_m_s = 0.0
        self._out: deque[tuple[float, int, tuple[BodyPose, ...], float]] = deque()
        self._began_s: float | None = None

    def close(self) -> None:
        """Leave the network. Safe to call twice."""
        self._socket.close()

    def tick(self, now_s: float, poses: Callable[[], Poses]) -> None:
        """Answer clients, take a picture when it is time, send what is due."""
        if self._began_s is None:
            self._began_s = self._due_s = now_s
        self._serve(now_s)
        assert self._due_s is not None
        if now_s >= self._due_s:
            self._due_s = max(self._due_s + self._period_s, now_s - self._period_s)  # late pictures are left out
            self._take_picture(now_s, poses())
        self._send_due(now_s)

    # ------------------------------------------------------------------ pictures

    def _take_picture(self, now_s: float, poses: Poses) -> None:
        self.truth = {name: np.array(poses[name], dtype=float) for name in self.names}
        self._measure_speed(now_s)
        self.frames += 1
        if self._random.random() < self.errors.lost_share:
            return
        seen = dict(self.truth)
        if self.faults.swapped is not None:
            a, b = self.faults.swapped
            seen[a], seen[b] = seen[b], seen[a]
        bodies = tuple(self._see(i, name, seen[name]) for i, name in enumerate(self.names, start=1))
        send_s = now_s + self.errors.delay_s + self._jitter.random() * self.errors.jitter_s
        self._out.append((send_s, self.frames, bodies, now_s))

    def _measure_speed(self, now_s: float) -> None:
        """Of the first body, the trunk, smoothed over a tenth of a second."""
        pos = self.truth[self.names[0]][:3]
        if self._before is not None and now_s > self._before[0]:
            gap_s = now_s - self._before[0]
            speed = float(np.linalg.norm(pos - self._before[1])) / gap_s
            self._speed_m_s += min(1.0, gap_s / 0.1) * (speed - self._speed_m_s)
        self._before = (now_s, pos.copy())

    def _see(self, body_id: int, name: str, pose: np.ndarray) -> BodyPose:
        errors, faults = self.errors, self.faults
        offset_m, offset_rad = self._offsets[name]
        noise_m = errors.noise_m + errors.moving_noise_s * self._speed_m_s
        pos = pose[:3] + offset_m + noise_m * self._random.standard_normal(3)
        turn = offset_rad + errors.noise_rad * self._random.standard_normal(3)
        w, x, y, z = turned(as_quaternion(pose[3:]), as_vector(turn))
        if name in faults.jumped:
            pos = pos + np.array((0.25, 0.1, 0.0))
        if name in faults.nan:
            pos = np.full(3, np.nan)
        tracked = name not in faults.hidden and self._random.random() >= errors.unseen_share
        body = BodyPose(body_id, (pos[0], pos[1], pos[2]), (x, y, z, w), 0.3 * noise_m, tracked)
        return body if tracked else replace(body, residual_m=0.0)

    def _draw_offset(self) -> tuple[np.ndarray, np.ndarray]:
        directions = self._random.standard_normal((2, 3))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        return self.errors.offset_m * directions[0], self.errors.offset_rad * directions[1]

    # ------------------------------------------------------------------ network

    def _ticks(self, now_s: float) -> int:
        assert self._began_s is not None
        drift = 1.0 + 1e-6 * self.errors.clock_drift_ppm
        return round(TICKS_PER_S * (_OTHER_CLOCK_S + (now_s - self._began_s) * drift))

    def _send_due(self, now_s: float) -> None:
        while self._out and self._out[0][0] <= now_s:
            _, number, bodies, taken_s = self._out.popleft()
            stamps = (self._ticks(taken_s), self._ticks(taken_s + 0.3 * self.errors.delay_s), self._ticks(now_s))
            packet = encode.frame(number, bodies, stamps, self._version)
            if self.faults.garbage:
                packet = packet[: len(packet) // 2] + self._random.bytes(len(packet) // 2)
            if self.faults.silent:
                continue
            for address in self._receivers(now_s):
                self._send(packet, address)

    def _receivers(self, now_s: float) -> list[tuple[str, int]]:
        if self._info.multicast_group:
            return [(self._info.multicast_group, self._info.data_port)]
        self._clients = {one: seen_s for one, seen_s in self._clients.items() if now_s - seen_s < _CLIENT_S}
        return list(self._clients)

    def _serve(self, now_s: float) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionError):
            while True:
                packet, sender = self._socket.recvfrom(MAX_BYTES)
                with contextlib.suppress(PacketError, struct.error):
                    self._answer(*split(packet), sender, now_s)

    def _answer(self, kind: int, payload: bytes, sender: tuple[str, int], now_s: float) -> None:
        match kind:
            case Message.CONNECT:
                self._clients[sender] = now_s
                self._send(encode.server_info(self._info), sender)
            case Message.KEEP_ALIVE if sender in self._clients:
                self._clients[sender] = now_s
            case Message.DISCONNECT:
                self._clients.pop(sender, None)
            case Message.REQUEST_MODELS:
                names = dict(enumerate(self.names, start=1))
                self._send(encode.models(names, self._version), sender)
            case Message.ECHO_REQUEST:
                (stamp,) = struct.unpack("<Q", payload)
                self._send(encode.echo_response(stamp, self._ticks(now_s)), sender)
            case _:
                self._send(message(Message.UNRECOGNISED), sender)

    def _send(self, packet: bytes, address: tuple[str, int]) -> None:
        with contextlib.suppress(OSError):  # a full buffer or a client that is gone: the frame is lost, as on a network
            self._socket.sendto(packet, address)
