"""The session worker process: `python -m trainer.session.worker`, with address and key as one JSON line on stdin."""

import contextlib
import json
import os
import signal
import sys
import time
import traceback
from pathlib import Path

import torch

from trainer.session.live import LiveSession
from trainer.session.messages import (
    FOLDER_PREFIX,
    PROTOCOL_VERSION,
    TELEMETRY_HZ,
    SceneChanged,
    SessionError,
    StateChanged,
    WorkerEvent,
)
from trainer.session.server import Outbox, Server

ORPHAN_TIMEOUT_S = float(os.environ.get("REFINE_DP_ORPHAN_S", "30"))
"""Without a client for this long the worker ends; until then the robot holds and a client may come back."""


def read_instructions() -> tuple[str, bytes]:
    """Address and key of the socket. Raises ValueError when the line on stdin does not hold them."""
    line = sys.stdin.readline()
    try:
        data = json.loads(line)
        address, key, protocol = data["address"], bytes.fromhex(data["key"]), data["protocol"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"the session worker is started by its client, which sends address and key on stdin ({error})"
        ) from error
    if protocol != PROTOCOL_VERSION:
        raise ValueError(
            f"the client speaks protocol {protocol}, this worker {PROTOCOL_VERSION}; update the older side"
        )
    return address, key


def main() -> int:
    """Run a session until it is told to quit or no client is left."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in the terminal is the client's business
    torch.set_num_threads(1)  # the batch is one world: waking a pool costs more than it computes
    address, key = read_instructions()
    outbox = Outbox()
    session = LiveSession(outbox.event)
    server = Server(address, key, outbox, session.receive, lambda: greeting(session))
    status = 0
    try:
        run(session, server)
    except Exception:  # the border of the process
        trace = traceback.format_exc()
        print(trace, flush=True)
        outbox.event(SessionError("the session worker failed", "start it again", trace, fatal=True))
        status = 1
    session.close()
    server.close()
    remove_folder(Path(address).parent)
    return status


def remove_folder(folder: Path) -> None:
    """The client's private folder, should the client have died before it could remove it."""
    if folder.name.startswith(FOLDER_PREFIX):
        with contextlib.suppress(OSError):
            folder.rmdir()  # only when it is empty


def greeting(session: LiveSession) -> list[WorkerEvent]:
    """What a client that connects must know."""
    told: list[WorkerEvent] = []
    if session.world is not None:
        told.append(SceneChanged(session.world.scene, session.config.task, session.world.task.time_limit_s))
    told.append(StateChanged(session.state))
    return told


def run(session: LiveSession, server: Server) -> None:
    """Tick until the end; publish telemetry at its rate at most."""
    next_telemetry_s = 0.0
    while not session.ended:
        session.tick()
        now = time.monotonic()
        if server.connected and now >= next_telemetry_s:
            telemetry = session.telemetry()
            if telemetry is not None:
                server.outbox.telemetry(telemetry)
            next_telemetry_s = now + 0.9 / TELEMETRY_HZ
        if not server.connected and now - server.client_seen_s > ORPHAN_TIMEOUT_S:
            print(f"no client for {ORPHAN_TIMEOUT_S:.0f} s: the worker ends", flush=True)
            return


if __name__ == "__main__":
    ended_with = main()
    sys.stdout.flush()
    os._exit(ended_with)  # everything is closed; taking torch apart would keep the closing window waiting for 1.5 s
