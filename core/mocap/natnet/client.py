"""A NatNet client: connects, learns names and clock, and hands on frames, in a thread of its own.

Nothing that arrives can end it: what is not understood is counted. Frames are taken from whichever socket they come to,
since servers that send to single clients use the command socket.
"""

import contextlib
import select
import socket
import struct
import threading
import time
from collections.abc import Callable

from core.mocap.clock_sync import ArrivalClock, EchoClock
from core.mocap.frame import MocapFrame, RigidBody
from core.mocap.natnet import decode
from core.mocap.natnet.wire import MAX_BYTES, Message, PacketError, connect_request, echo_request, message, split

CONNECT_EVERY_S, KEEP_ALIVE_EVERY_S, MODELS_EVERY_S = 0.5, 1.0, 0.5
ECHO_EVERY_S, FIRST_ECHOES, FIRST_ECHO_EVERY_S = 1.0, 8, 0.05
SILENT_S = 3.0
"""A server that says nothing for this long is asked anew: it may have been restarted."""
_TIMESTAMPNS = getattr(socket, "SO_TIMESTAMPNS", 35)
_STAMP = struct.Struct("ll")


class NatNetClient:
    """Give `hear` every frame. `hear` is called from the client's thread."""

    def __init__(
        self,
        host: str,
        port: int,
        hear: Callable[[MocapFrame], None],
        now: Callable[[], float] = time.monotonic,
        start: bool = True,
    ) -> None:
        """Returns at once; `info` is there when the server answered. Raises OSError when the host is unknown."""
        self.server = (socket.gethostbyname(host), port)
        self.info: decode.ServerInfo | None = None
        self.names: dict[int, str] = {}
        self.echo = EchoClock()
        self.bad_packets = 0
        "packets that were not understood"
        self.last_bad = ""
        self.strangers = 0
        "packets of other computers, such as another system in the same multicast group"
        self.unnamed = 0
        "bodies that no description named"
        self._hear, self._now = hear, now
        self._arrivals = ArrivalClock()
        self._command = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._command.bind(("", 0))
        self._data: socket.socket | None = None
        self._heard_s = now()
        self._due: dict[str, float] = {}
        self._echoes = 0
        self._want_names = True
        self._closing = threading.Event()
        _stamp(self._command)
        self._thread = threading.Thread(target=self._run, name="natnet", daemon=True)
        if start:
            self._thread.start()

    def close(self) -> None:
        """Leave the network. Safe to call twice."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(2.0)
        with contextlib.suppress(OSError):
            self._command.sendto(message(Message.DISCONNECT), self.server)
        self._command.close()
        if self._data is not None:
            self._data.close()

    def _run(self) -> None:
        while not self._closing.is_set():
            self.turn(0.05)

    def turn(self, wait_s: float) -> None:
        """Ask what is due, then take what comes within a time."""
        self._ask_due()
        sockets = [self._command] if self._data is None else [self._command, self._data]
        readable, _, _ = select.select(sockets, [], [], wait_s)
        for one in readable:
            try:
                packet, control, _, sender = one.recvmsg(MAX_BYTES, 256)
            except OSError:
                continue  # such as a refused port, reported to the socket that sent to it
            if sender[0] == self.server[0]:
                self.take(packet, self._arrival_s(control))
            else:
                self.strangers += 1

    def take(self, packet: bytes, received_s: float) -> None:
        """One packet, whatever is in it."""
        try:
            kind, payload = split(packet)
            self._heard_s = received_s
            self._obey(kind, payload, received_s)
        except (PacketError, struct.error) as error:
            self.bad_packets += 1
            self.last_bad = str(error)

    # ------------------------------------------------------------------ asking

    def _ask_due(self) -> None:
        now_s = self._now()
        if self.info is not None and now_s - self._heard_s > SILENT_S:
            self.info, self._want_names = None, True
        if self.info is None:
            self._ask("connect", CONNECT_EVERY_S, connect_request(), now_s)
            return
        self._ask("alive", KEEP_ALIVE_EVERY_S, message(Message.KEEP_ALIVE), now_s)
        if self._want_names:
            self._ask("models", MODELS_EVERY_S, message(Message.REQUEST_MODELS), now_s)
        every_s = FIRST_ECHO_EVERY_S if self._echoes < FIRST_ECHOES else ECHO_EVERY_S
        self._ask("echo", every_s, echo_request(round(1e9 * now_s)), now_s)

    def _ask(self, what: str, every_s: float, packet: bytes, now_s: float) -> None:
        if now_s < self._due.get(what, float("-inf")):
            return
        self._due[what] = now_s + every_s
        with contextlib.suppress(OSError):  # no route just now: asked again
            self._command.sendto(packet, self.server)

    # ------------------------------------------------------------------ answers

    def _obey(self, kind: int, payload: bytes, received_s: float) -> None:
        match kind:
            case Message.SERVER_INFO:
                self._meet(decode.server_info(payload))
            case Message.MODELS if self.info is not None:
                self.names = decode.body_names(payload, self.info.version)
                self._want_names = False
            case Message.FRAME if self.info is not None:
                self._take_frame(decode.frame(payload, self.info.version), received_s, self.info)
            case Message.ECHO_RESPONSE if self.info is not None:
                asked_ns, ticks = decode.echo_response(payload)
                self._echoes += 1
                self.echo.add(1e-9 * asked_ns, ticks / self.info.ticks_per_s, received_s)

    def _meet(self, info: decode.ServerInfo) -> None:
        if info == self.info:
            return
        self.echo, self._arrivals, self._echoes = EchoClock(), ArrivalClock(), 0
        if self._data is not None:
            self._data.close()
            self._data = None
        if info.multicast_group:
            self._data = _join(info.multicast_group, info.data_port, self.server[0])
        self.info, self._want_names = info, True

    def _take_frame(self, frame: decode.Frame, received_s: float, info: decode.ServerInfo) -> None:
        self._want_names = self._want_names or frame.models_changed
        stamp_s = frame.exposure_ticks / info.ticks_per_s
        self._arrivals.add(stamp_s, received_s)
        offset_s = self.echo.offset_s if self.echo.ready else self._arrivals.offset_s
        bodies: list[RigidBody] = []
        for body in frame.bodies:
            name = self.names.get(body.body_id)
            if name is None:
                self.unnamed += 1
                self._want_names = True
                continue
            bodies.append(body.named(name))
        exposure_s = min(stamp_s + offset_s, received_s)  # a clock that is wrong by its error is never early
        self._hear(MocapFrame(frame.number, exposure_s, received_s, tuple(bodies)))

    def _arrival_s(self, control: list) -> float:
        """When the kernel received a packet: this thread may be late."""
        now_s = self._now()
        for level, kind, data in control:
            if level == socket.SOL_SOCKET and kind == _TIMESTAMPNS and len(data) >= _STAMP.size:
                seconds, nanoseconds = _STAMP.unpack_from(data)
                waited_s = time.time() - (seconds + 1e-9 * nanoseconds)
                return now_s - min(max(waited_s, 0.0), 1.0)
        return now_s


def _stamp(one: socket.socket) -> None:
    with contextlib.suppress(OSError):  # not on this system: arrival is when the thread sees it
        one.setsockopt(socket.SOL_SOCKET, _TIMESTAMPNS, 1)


def _join(group: str, port: int, server: str) -> socket.socket:
    """A socket in the multicast group, on the interface that reaches the server."""
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.bind((group, port))
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        probe.connect((server, port))
        local = probe.getsockname()[0]
    one.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group) + socket.inet_aton(local))
    _stamp(one)
    return one
