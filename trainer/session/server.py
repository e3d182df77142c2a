"""The worker's half of the connection: threads that receive and send, so that the loop never waits for a client."""

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from multiprocessing import AuthenticationError
from multiprocessing.connection import Connection, Listener

from trainer.session.frames import MAX_MESSAGE_BYTES, MessageError
from trainer.session.messages import (
    PROTOCOL_VERSION,
    ClientMessage,
    Hello,
    LogLine,
    SessionError,
    Telemetry,
    WorkerEvent,
    WorkerMessage,
    decode,
    encode,
)

EVENTS_KEPT = 1000
"""Events that wait for a client that does not read; beyond that the oldest are dropped."""
BAD_MESSAGES = 20
"""A client that sends so many frames that are no messages is disconnected."""


class Outbox:
    """Events in order, and the latest telemetry only."""

    def __init__(self) -> None:
        self._events: deque[WorkerEvent] = deque(maxlen=EVENTS_KEPT)
        self._telemetry: Telemetry | None = None
        self._ready = threading.Condition()

    def event(self, event: WorkerEvent) -> None:
        """Queue an event."""
        with self._ready:
            self._events.append(event)
            self._ready.notify()

    def telemetry(self, telemetry: Telemetry) -> None:
        """Replace what was not sent yet."""
        with self._ready:
            self._telemetry = telemetry
            self._ready.notify()

    @property
    def waiting(self) -> bool:
        """Whether events have not been sent yet."""
        return bool(self._events)

    def next(self, timeout_s: float) -> WorkerMessage | None:
        """Take the next message to send, None when nothing came in time."""
        with self._ready:
            if not self._events and self._telemetry is None:
                self._ready.wait(timeout_s)
            if self._events:
                return self._events.popleft()
            telemetry, self._telemetry = self._telemetry, None
            return telemetry

    def put_back(self, message: WorkerMessage) -> None:
        """An event that could not be sent goes out first when a client is back."""
        if not isinstance(message, Telemetry):
            with self._ready:
                self._events.appendleft(message)


class Server:
    """Accepts one client at a time, again after it went away."""

    def __init__(
        self,
        address: str,
        key: bytes,
        outbox: Outbox,
        receive: Callable[[ClientMessage], None],
        greet: Callable[[], list[WorkerEvent]],
    ) -> None:
        """receive gets every message on the receiving thread; greet gives what a new client must know."""
        self.outbox = outbox
        self.client_seen_s = time.monotonic()
        "when a client was last connected"
        self._receive = receive
        self._greet = greet
        self._listener = Listener(address, authkey=key)
        self._connection: Connection | None = None
        self._closing = False
        self._thread = threading.Thread(target=self._accept, name="session-receive", daemon=True)
        self._thread.start()

    @property
    def connected(self) -> bool:
        """Whether a client is there."""
        return self._connection is not None

    def close(self, drain_s: float = 0.5) -> None:
        """Send what waits, as far as that goes quickly, and hang up."""
        deadline = time.monotonic() + drain_s
        while self._connection is not None and self.outbox.waiting and time.monotonic() < deadline:
            time.sleep(0.005)
        self._closing = True
        self._listener.close()
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.close()

    def _accept(self) -> None:
        while not self._closing:
            try:
                connection = self._listener.accept()
            except (AuthenticationError, EOFError, ConnectionError):
                continue  # a stranger, or a client that died while connecting
            except OSError:
                return  # closed
            self._serve(connection)
            self.client_seen_s = time.monotonic()

    def _serve(self, connection: Connection) -> None:
        try:
            hello = decode(connection.recv_bytes(MAX_MESSAGE_BYTES))
            if not isinstance(hello, Hello) or hello.role != "client" or hello.protocol != PROTOCOL_VERSION:
                raise MessageError(f"expected Hello of protocol {PROTOCOL_VERSION}, got {hello!r:.100}")
            connection.send_bytes(encode(Hello("worker", pid=os.getpid())))
            for event in self._greet():
                connection.send_bytes(encode(event))
        except (MessageError, EOFError, OSError) as error:
            print(f"refused a client: {error}", flush=True)
            connection.close()
            return
        self._connection = connection
        sender = threading.Thread(target=self._send, args=(connection,), name="session-send", daemon=True)
        sender.start()
        self._receive(hello)
        self._receive_all(connection)
        self._connection = None
        with contextlib.suppress(OSError):
            connection.close()
        sender.join()

    def _receive_all(self, connection: Connection) -> None:
        bad = 0
        while bad < BAD_MESSAGES:
            try:
                message = decode(connection.recv_bytes(MAX_MESSAGE_BYTES))
            except MessageError as error:
                bad += 1
                self.outbox.event(SessionError(f"a message was refused: {error}", "update the older side"))
                continue
            except (EOFError, OSError):  # gone, or a frame larger than allowed
                return
            if isinstance(message, ClientMessage):
                self._receive(message)
            else:
                bad += 1
                self.outbox.event(LogLine(f"a {type(message).__name__} came from the client", "warning"))

    def _send(self, connection: Connection) -> None:
        while self._connection is connection:
            message = self.outbox.next(timeout_s=0.1)
            if message is None:
                continue
            try:
                connection.send_bytes(encode(message))
            except MessageError as error:
                self.outbox.event(LogLine(f"not sent: {error}", "error"))
            except OSError:
                self.outbox.put_back(message)
                return
