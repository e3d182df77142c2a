"""Motion capture, live: every rigid body with its place, rate, noise and age, and whether a robot may move by it.

The address is natnet:HOST[:PORT] (OptiTrack's Motive, or refine-dp t1-sim --mocap.port 1510), vicon:HOST, qualisys:HOST
or vrpn:HOST, with ',OURS=THEIRS' for bodies that have other names there and ',up=y' for a system with y up.
"""

import json
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import tyro

if TYPE_CHECKING:
    from rich.table import Table

    from core.mocap.receiver import MocapReceiver


@dataclass(frozen=True)
class Config:
    """What to look at."""

    address: Annotated[str, tyro.conf.Positional] = "natnet:127.0.0.1"
    "where motion capture is, see above"
    need: tuple[str, ...] = ("trunk", "box")
    "bodies that the check asks for, by our names"
    seconds: float = 0.0
    "end after this time with the check's result; 0: until Ctrl-C"
    json: bool = False
    "one JSON object at the end instead of the table"

    def __post_init__(self) -> None:
        if self.seconds < 0 or (self.json and not self.seconds):
            raise ValueError(f"seconds must be positive (with --json) or 0, got {self.seconds}")


def main(config: Config) -> int:
    """Returns 0 when motion capture is good enough, 1 when it is not."""
    from core.mocap.check import check_mocap
    from core.mocap.receiver import MocapReceiver
    from core.mocap.settings import MocapSettings
    from trainer.interrupt import stop_on_signals

    receiver = MocapReceiver(MocapSettings.parse(config.address))
    try:
        with stop_on_signals() as stop:
            _watch(config, receiver, lambda: stop.requested)
        ok, reason, remedy = check_mocap(receiver, config.need)
        if config.json:
            print(json.dumps(figures(receiver) | {"ok": ok, "reason": reason, "remedy": remedy}))
        else:
            print(f"\ngood enough: {reason}" if ok else f"\nnot good enough: {reason}\n{remedy}")
        return 0 if ok else 1
    finally:
        receiver.close()


def _watch(config: Config, receiver: "MocapReceiver", ended: Any) -> None:
    from rich.live import Live

    until_s = time.monotonic() + config.seconds if config.seconds else math.inf
    if config.json:
        while time.monotonic() < until_s and not ended():
            time.sleep(0.05)
        return
    with Live(table(receiver), refresh_per_second=5) as live:
        while time.monotonic() < until_s and not ended():
            time.sleep(0.2)
            live.update(table(receiver))


def figures(receiver: "MocapReceiver") -> dict[str, Any]:
    """Everything that the table shows, as plain numbers; null where there are too few frames."""
    delay = receiver.delay()
    bodies = {}
    for name in receiver.names:
        quality, found = receiver.quality(name), receiver.estimate(name, time.monotonic())
        jumps, not_finite = receiver.refusals(name)
        assert quality is not None
        bodies[name] = {
            "pos_w": list(found.pos_w) if found is not None else None,
            "quat_w": list(found.quat_w) if found is not None else None,
            "speed_m_s": math.hypot(*found.lin_vel_w) if found is not None else None,
            "rate_hz": _number(quality.rate_hz),
            "noise_mm": _number(1e3 * quality.noise_m),
            "noise_deg": _number(math.degrees(quality.noise_rad)),
            "seen": quality.seen_share,
            "age_ms": _number(1e3 * receiver.age_s(name)),
            "jumps": jumps,
            "not_finite": not_finite,
        }
    return {
        "frames": receiver.frames,
        "dropped": receiver.dropped,
        "delay_p50_ms": _number(delay.p50_ms),
        "delay_p95_ms": _number(delay.p95_ms),
        "bodies": bodies,
    }


def table(receiver: "MocapReceiver") -> "Table":
    """One row a body."""
    from rich import box
    from rich.table import Table

    shown = figures(receiver)
    title = (
        f"{receiver.settings.system} {receiver.settings.host}: {shown['frames']} frames, {shown['dropped']} lost, "
        f"{_text(shown['delay_p50_ms'])} ms from exposure to here (95 %: {_text(shown['delay_p95_ms'])})"
    )
    result = Table(title=title, title_justify="left", box=box.SIMPLE, padding=(0, 1))
    for heading in ("body", "x y z m", "m/s", "Hz", "noise mm", "noise °", "seen", "age ms", "refused"):
        result.add_column(heading, justify="left" if heading == "body" else "right", no_wrap=True)
    for name, body in shown["bodies"].items():
        place = " ".join(f"{part:6.3f}" for part in body["pos_w"]) if body["pos_w"] else "–"
        result.add_row(
            name, place, _text(body["speed_m_s"], 2), _text(body["rate_hz"]), _text(body["noise_mm"], 2),
            _text(body["noise_deg"], 2), f"{body['seen']:.0%}", _text(body["age_ms"]),
            str(body["jumps"] + body["not_finite"]),
        )  # fmt: skip
    return result


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _text(value: float | None, digits: int = 0) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
