"""The receiving end that the rest of the program uses: a system, its tracks, and whether they may be trusted now."""

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from core.mocap.frame import MocapFrame, RigidBody, z_up
from core.mocap.settings import MocapSettings
from core.mocap.track import WINDOW, Estimate, Quality, Sample, Track

HOLD_AFTER_S = 0.1
"""A body whose last good pose is older than this holds the robot: nine frames at 90 Hz."""
STOP_AFTER_S = 1.0
"""Older than this stops the motion (soft stop, latched)."""
KEPT_SAMPLES = 200


@runtime_checkable
class System(Protocol):
    """What speaks to a motion capture system and hands on its frames."""

    def close(self) -> None:
        """Leave the network."""
        ...


OpenSystem = Callable[[MocapSettings, Callable[[MocapFrame], None]], System]


@dataclass(frozen=True)
class Verdict:
    """Whether the bodies may be trusted now."""

    level: Literal["ok", "hold", "stop"]
    reason: str = ""


@dataclass(frozen=True)
class Delay:
    """From exposure to arrival, ms, over the last two seconds; NaN before the first frame."""

    p50_ms: float
    p95_ms: float


class MocapReceiver:
    """Latest poses by our names. `hear` comes from the system's thread; everything else from any thread."""

    def __init__(
        self, settings: MocapSettings, open_system: OpenSystem | None = None, now: Callable[[], float] = time.monotonic
    ) -> None:
        """Begins to listen; returns at once. Raises OSError for an unknown or silent host."""
        self.settings = settings
        self.frames = 0
        self.last_frame_s = float("-inf")
        "arrival of the last frame"
        self.dropped = 0
        "frames that never came, by their numbers"
        self._now = now
        self._lock = threading.Lock()
        self._tracks: dict[str, Track] = {}
        self._fresh: dict[str, deque[Sample]] = {}
        self._delays_s: deque[float] = deque(maxlen=WINDOW)
        self._number: int | None = None
        self.system: System = (open_system or _open)(settings, self.hear)

    def close(self) -> None:
        """Stop listening. Safe to call twice."""
        self.system.close()

    # ------------------------------------------------------------------ in

    def hear(self, frame: MocapFrame) -> None:
        """A frame arrived."""
        with self._lock:
            self.frames += 1
            self.last_frame_s = frame.received_s
            self._delays_s.append(frame.received_s - frame.exposure_s)
            self._count_dropped(frame.number)
            bodies = {self.settings.ours(body.name): body for body in frame.bodies}
            for name, body in bodies.items():
                track = self._tracks.setdefault(name, Track())
                if track.add(frame.exposure_s, self._in_our_axes(body)):
                    pos, quat = self._in_our_axes(body).pos_w, self._in_our_axes(body).quat_w
                    self._fresh.setdefault(name, deque(maxlen=KEPT_SAMPLES)).append(Sample(frame.exposure_s, pos, quat))
            for name in self._tracks.keys() - bodies.keys():
                self._tracks[name].miss(frame.exposure_s)

    def _in_our_axes(self, body: RigidBody) -> RigidBody:
        if self.settings.up == "z":
            return body
        pos, quat = z_up(body.pos_w, body.quat_w)
        return RigidBody(body.name, pos, quat, body.tracked, body.residual_m)

    def _count_dropped(self, number: int) -> None:
        if self._number is not None and 0 < number - self._number < 1000:
            self.dropped += number - self._number - 1
        self._number = number

    # ------------------------------------------------------------------ out

    @property
    def names(self) -> tuple[str, ...]:
        """Bodies that were in a frame, by our names."""
        with self._lock:
            return tuple(sorted(self._tracks))

    def estimate(self, name: str, time_s: float) -> Estimate | None:
        """A body at a time (now, or a little before), None when it was never seen."""
        with self._lock:
            track = self._tracks.get(name)
            return track.at(time_s) if track is not None and track.ever else None

    def take_samples(self, name: str) -> list[Sample]:
        """Accepted samples since the last call, oldest first."""
        with self._lock:
            samples = list(self._fresh.get(name, ()))
            self._fresh.pop(name, None)
            return samples

    def quality(self, name: str) -> Quality | None:
        """How good a body's samples are, None when it was never in a frame."""
        with self._lock:
            track = self._tracks.get(name)
            return track.quality() if track is not None else None

    def age_s(self, name: str) -> float:
        """Since the exposure of the last good sample; infinite before the first."""
        with self._lock:
            track = self._tracks.get(name)
            return self._now() - track.last_s if track is not None else math.inf

    def refusals(self, name: str) -> tuple[int, int]:
        """Samples of a body that were refused: jumps, not numbers."""
        with self._lock:
            track = self._tracks.get(name)
            return (track.jumps, track.not_finite) if track is not None else (0, 0)

    def delay(self) -> Delay:
        """From exposure to arrival."""
        with self._lock:
            delays = sorted(self._delays_s)
        if not delays:
            return Delay(math.nan, math.nan)
        return Delay(1e3 * delays[len(delays) // 2], 1e3 * delays[int(0.95 * (len(delays) - 1))])

    def judge(self, names: Sequence[str]) -> Verdict:
        """The gravest finding about the named bodies."""
        verdict = Verdict("ok")
        for name in names:
            found = self._judge(name)
            if found.level == "stop":
                return found
            if found.level == "hold" and verdict.level == "ok":
                verdict = found
        return verdict

    def forget(self) -> None:
        """Believe the next sample of every body wherever it is: people moved things, or cleared a stop."""
        with self._lock:
            for track in self._tracks.values():
                track.forget()

    def _judge(self, name: str) -> Verdict:
        with self._lock:
            track = self._tracks.get(name)
            why = track.refusal if track is not None else "not seen"
            ever = track is not None and track.ever
            last_s = track.last_s if track is not None else -math.inf
            silent_s = self._now() - self.last_frame_s
        age_s = self._now() - last_s
        if silent_s > HOLD_AFTER_S:
            what = f"motion capture is silent: no frame for {_ms(silent_s)}"
        elif not ever:
            what = f"motion capture has not seen {name!r}"
        else:
            what = f"motion capture: {name!r} {why or 'is late'}, last good pose {_ms(age_s)} ago"
        if age_s > STOP_AFTER_S:
            return Verdict("stop", what)
        return Verdict("hold", what) if age_s > HOLD_AFTER_S or why in ("jumped", "not a number") else Verdict("ok")


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:.0f} ms" if math.isfinite(seconds) else "ever"


def _open(settings: MocapSettings, hear: Callable[[MocapFrame], None]) -> System:
    if settings.system != "natnet":
        from core.mocap.library import LibraryClient

        return LibraryClient(settings.system, settings.host, hear)
    from core.mocap.natnet.client import NatNetClient

    return NatNetClient(settings.host, settings.port, hear)
