"""The input process, `python -m core.teleop.openxr_process`: connects to the runtime, again and again.

A runtime that is absent, not focused or lost is a normal state that is told in words. Whatever a vendor's library does,
it happens here and not in the session; the end of either process ends the other's wait within milliseconds.
"""

import contextlib
import json
import os
import signal
import sys
import time
from collections import deque
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any

from core.clock import Rate
from core.teleop.openxr_runtimes import active_runtime
from core.teleop.xr_link import LinkError, Pulse, Quit, XrStatus, decode, encode
from core.teleop.xr_sample import XrSample

SAMPLE_HZ = 120.0
RETRY_S = 1.0
FINGERS_EVERY = 4
"""Samples: 30 Hz are enough for what nothing is commanded with."""
STATUS_PERIOD_S = 0.5


class InputProcess:
    """One connection to the parent; connects to the runtime until told to quit."""

    def __init__(self, connection: Connection, lookahead_s: float, want_headless: bool) -> None:
        self._connection = connection
        self._lookahead_s = lookahead_s
        self._want_headless = want_headless
        self._told: XrStatus | None = None
        self._pulses: deque[tuple[float, int, float, float]] = deque()
        "when, which hand, amplitude, seconds; in order of time"
        self._quit = False

    def run(self) -> None:
        """Until the parent quits or is gone."""
        self._tell(XrStatus("starting", "looking for an OpenXR runtime"))
        seen_running = False
        while not self._quit:
            status, ran = self._try()
            seen_running |= ran
            if seen_running and status.state in ("no_answer", "no_headset", "no_runtime"):
                status = replace(status, state="lost", text=f"the runtime was lost: {status.text}")
            self._tell(status)
            self._rest(RETRY_S)

    def _try(self) -> tuple[XrStatus, bool]:
        """One life of the runtime: connect, sample until it ends. What ended it, and whether it ever ran."""
        import xr  # here: loading it takes 0.2 s, and the parent should hear from us before

        from core.teleop.openxr_session import OpenXrSession

        ran = False
        try:
            session = OpenXrSession(self._want_headless)
            try:
                ran = True
                self._sample(session)
            finally:
                session.close()
        except (xr.exception.XrException, RuntimeError, OSError) as error:
            return explain(error), ran
        return XrStatus("off"), ran

    def _sample(self, session: Any) -> None:
        rate = Rate(1.0 / SAMPLE_HZ)
        facts, next_status_s, count, counted_s = session.facts, 0.0, 0, time.monotonic()
        while not self._quit:
            session.poll()
            sample: XrSample = session.sample(self._lookahead_s)
            self._connection.send_bytes(encode(sample))
            if sample.sequence % FINGERS_EVERY == 0 and (joints := session.joints()) is not None:
                self._connection.send_bytes(encode(joints))
            count += 1
            now = time.monotonic()
            if now >= next_status_s or sample.focused != (self._told is not None and self._told.state == "running"):
                measured = count / max(now - counted_s, 1e-6)
                count, counted_s, next_status_s = 0, now, now + STATUS_PERIOD_S
                self._tell(
                    _told_of(facts, sample.focused, session.profiles() if sample.focused else ("", ""), measured)
                )
            self._vibrate(session, now)
            self._listen(0.0)
            rate.wait()

    def _vibrate(self, session: Any, now: float) -> None:
        while self._pulses and self._pulses[0][0] <= now:
            _, side, amplitude, seconds = self._pulses.popleft()
            session.vibrate(side, amplitude, seconds)

    def _listen(self, timeout_s: float) -> None:
        """Take what the parent says. A parent that is gone raises EOFError, which ends the process."""
        while self._connection.poll(timeout_s):
            timeout_s = 0.0
            frame = decode(self._connection.recv_bytes())
            if isinstance(frame, Quit):
                self._quit = True
                return
            if isinstance(frame, Pulse):
                self._schedule(frame)

    def _schedule(self, pulse: Pulse) -> None:
        start, side = time.monotonic(), int(pulse.side == "right")
        waiting = [p for p in self._pulses if p[1] != side]  # the newest pattern replaces what waits
        waiting += [(start + 2 * k * pulse.seconds, side, pulse.amplitude, pulse.seconds) for k in range(pulse.count)]
        self._pulses = deque(sorted(waiting))

    def _rest(self, seconds: float) -> None:
        """Wait before the next attempt, listening."""
        until = time.monotonic() + seconds
        while not self._quit and (left := until - time.monotonic()) > 0:
            self._listen(left)

    def _tell(self, status: XrStatus) -> None:
        if self._told is None or status != self._told:
            self._told = status
            self._connection.send_bytes(encode(status))


def _told_of(facts: Any, focused: bool, controllers: tuple[str, str], rate_hz: float) -> XrStatus:
    return XrStatus(
        state="running" if focused else "waiting",
        text="" if focused else f"{facts.runtime} runs, but it does not give us its input",
        remedy="" if focused else "put the headset on and close its menu; another VR application may be in front",
        runtime=facts.runtime,
        headset=facts.headset,
        controllers=controllers,
        headless=facts.headless,
        joints=facts.joints,
        rate_hz=round(rate_hz, 1),
    )


def explain(error: Exception) -> XrStatus:
    """What a failure to connect means, and what to do about it."""
    import xr

    active = active_runtime()
    name = active.name if active is not None else "the OpenXR runtime"
    detail = f"{type(error).__name__}: {error}"
    if isinstance(error, xr.exception.RuntimeUnavailableError) and active is None:
        return XrStatus(
            "no_runtime", "no OpenXR runtime is active on this computer",
            "install one and start it: WiVRn (Quest, Pico), SteamVR (Index, Vive; Quest over ALVR) or Monado",
            detail=detail,
        )  # fmt: skip
    if isinstance(error, (xr.exception.RuntimeUnavailableError, xr.exception.RuntimeFailureError)):
        return XrStatus(
            "no_answer", f"{name} is chosen, but it does not answer",
            f"start it (its server or SteamVR); the choice is in {active.path if active else 'XR_RUNTIME_JSON'}",
            detail=detail,
        )  # fmt: skip
    if isinstance(error, (xr.exception.FormFactorUnavailableError, xr.exception.FormFactorUnsupportedError)):
        return XrStatus(
            "no_headset", f"{name} runs, but no headset is connected to it", "connect the headset", detail=detail
        )
    if isinstance(error, (xr.exception.InstanceLostError, xr.exception.SessionLostError)):
        return XrStatus("lost", f"the connection to {name} was lost", "it is tried again every second", detail=detail)
    return XrStatus("failed", f"{name} cannot be used: {error}", "it is tried again every second", detail=detail)


def main() -> int:
    """Options as one JSON line on stdin, among them the socket that was inherited. The parent's end is ours."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in the terminal is the parent's business
    try:
        told = json.loads(sys.stdin.readline())
        connection = Connection(int(told["socket"]))
        lookahead_s, want_headless = float(told["lookahead_s"]), bool(told["headless"])
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise ValueError(f"the input process is started by the session, which passes it a socket ({error})") from error
    os.environ.setdefault("XR_LOADER_DEBUG", "none")  # the loader's complaints come as a status, in words
    with contextlib.suppress(EOFError, ConnectionError, LinkError):
        InputProcess(connection, lookahead_s, want_headless).run()
    return 0


if __name__ == "__main__":
    ended_with = main()
    sys.stdout.flush()
    os._exit(ended_with)  # a vendor's library that hangs in its destructors must not keep the process
