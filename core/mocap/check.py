"""Whether motion capture is good enough to move a robot by, for the command line and the checks before a session."""

import math
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from core.mocap.receiver import MocapReceiver
from core.mocap.settings import MocapSettings

MIN_RATE_HZ = 60.0
"""The paper streams 90 Hz (B110)."""
MAX_NOISE_M, MAX_NOISE_RAD, MAX_DELAY_MS, MIN_SEEN = 0.01, 0.06, 60.0, 0.9


OPEN_S = 4.0
"""How long a system may take to answer and to name the bodies."""


class Check(NamedTuple):
    """What a check says."""

    ok: bool
    reason: str
    remedy: str = ""


def open_mocap(text: str, needed: Sequence[str], sleep: Callable[[float], None] = time.sleep) -> MocapReceiver:
    """Connect to the system of `MocapSettings.parse(text)`, once it shows the needed bodies.

    Raises ValueError for the text, ConnectionError with the remedy where nothing comes or a body is missing.
    """
    settings = MocapSettings.parse(text)
    try:
        receiver = MocapReceiver(settings)
    except OSError as error:
        raise ConnectionError(f"motion capture at {settings.host}: {error}") from None
    for _ in range(round(OPEN_S / 0.02)):
        if receiver.frames and set(needed) <= set(receiver.names):
            return receiver
        sleep(0.02)
    found = check_mocap(receiver, needed)
    receiver.close()
    raise ConnectionError(f"motion capture: {found.reason}: {found.remedy}")


def check_mocap(receiver: MocapReceiver, needed: Sequence[str]) -> Check:
    """The first thing that is wrong with the needed bodies. Give the receiver two seconds of frames first."""
    verdict = receiver.judge(needed)
    seen = ", ".join(receiver.names) or "none"
    if not receiver.frames:
        return Check(
            False, f"no frame from {receiver.settings.host}", "switch streaming on; check host, network and firewall"
        )
    missing = [name for name in needed if name not in receiver.names]
    if missing:
        remedy = "make rigid bodies of these names, or say what they are called: ',box=Crate'"
        return Check(False, f"no body {', '.join(missing)} in the stream; there are: {seen}", remedy)
    if verdict.level != "ok":
        return Check(False, verdict.reason, "uncover the markers, look at the cameras; is the body defined anew?")
    delay = receiver.delay()
    if delay.p95_ms > MAX_DELAY_MS:
        return Check(
            False,
            f"frames are {delay.p95_ms:.0f} ms old; allowed: {MAX_DELAY_MS:.0f}",
            "use a cable, close other clients",
        )
    return next(
        (found for name in needed if not (found := _check_body(receiver, name)).ok),
        Check(True, f"{', '.join(needed)}: {quality_words(receiver, needed)}"),
    )


def _check_body(receiver: MocapReceiver, name: str) -> Check:
    quality = receiver.quality(name)
    assert quality is not None
    if not quality.rate_hz >= MIN_RATE_HZ:
        return Check(
            False, f"{name}: {quality.rate_hz:.0f} Hz; needed: {MIN_RATE_HZ:.0f}", "set the system to 90 Hz or more"
        )
    if quality.seen_share < MIN_SEEN:
        return Check(False, f"{name}: seen in {quality.seen_share:.0%} of the frames", "uncover or add markers")
    if not (quality.noise_m <= MAX_NOISE_M and quality.noise_rad <= MAX_NOISE_RAD):
        words = f"{1e3 * quality.noise_m:.1f} mm, {math.degrees(quality.noise_rad):.1f}°"
        return Check(False, f"{name}: noise {words}", "calibrate the cameras; spread the markers")
    return Check(True, name)


def quality_words(receiver: MocapReceiver, names: Sequence[str]) -> str:
    """The worst rate and noise of the named bodies, and the age of frames."""
    found = [quality for name in names if (quality := receiver.quality(name)) is not None]
    rate_hz = min((quality.rate_hz for quality in found), default=math.nan)
    noise_m = max((quality.noise_m for quality in found), default=math.nan)
    return f"motion capture {rate_hz:.0f} Hz, {receiver.delay().p50_ms:.0f} ms old, noise {1e3 * noise_m:.1f} mm"
