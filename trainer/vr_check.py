"""Looks at the headset, or runs a recorded operator again, without a window."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from core.teleop.openxr_runtimes import active_runtime, installed_runtimes
from core.teleop.xr_input import XrInput
from core.teleop.xr_sample import XrSample
from core.teleop.xr_settings import VrSettings
from core.teleop.xr_tape import read_tape

LOOK_PERIOD_S = 0.5


def check_headset(
    seconds: float, write: Callable[[str], None] = print, make_input: Callable[..., XrInput] = XrInput
) -> int:
    """Print what is found and what arrives; 0 when both controllers were seen tracked."""
    active = active_runtime()
    write(f"active runtime: {active.name} ({active.path})" if active else "active runtime: none")
    for runtime in installed_runtimes():
        write(f"installed: {runtime.name} ({runtime.path})")
    newest: list[XrSample] = []
    source = make_input(lambda heard: newest.append(heard) if isinstance(heard, XrSample) else None)
    source.start()
    seen, told = False, ""
    until = time.monotonic() + seconds
    try:
        while time.monotonic() < until and not seen:
            time.sleep(LOOK_PERIOD_S)
            status = source.status()
            text = f"{status.state}: {status.text or status.runtime}" + (f"; {status.remedy}" if status.remedy else "")
            if text != told:
                write(text)
                told = text
            if newest and newest[-1].left.tracked and newest[-1].right.tracked:
                seen = True
                write(f"both controllers are tracked ({', '.join(status.controllers)}), {len(newest)} samples arrived")
                write(f"finger joints are {'offered' if status.joints else 'not offered by this runtime'}")
    finally:
        source.close()
    if not seen:
        write("the controllers did not arrive; docs/vr.md says what to do for each runtime")
    return 0 if seen else 1


def run_again(tape: Path, dataset: Path | None, write: Callable[[str], None] = print) -> int:
    """The episode of a recording, as fast as it goes; 0 when it could be run to the end of the recording."""
    from trainer.headless import Narrator
    from trainer.session.live import LiveSession
    from trainer.session.messages import Configure, Control

    header, records = read_tape(tape)
    looks = sum(isinstance(record, float) for record in records)
    samples = sum(isinstance(record, XrSample) for record in records)
    write(f"{tape.name}: {header.task}, seed {header.seed}, {looks / 10:.1f} s of {samples} samples")
    narrator = Narrator(write)
    session = LiveSession(narrator.hear)
    settings = Configure(
        task=header.task, source="vr", backend=header.backend, seed=header.seed, realtime=False, episodes=1,
        dataset=str(dataset) if dataset else None, vr=VrSettings(replay=str(tape)),
    )  # fmt: skip
    session.receive(replace(settings, safety=header.safety, controller=header.controller))
    session.receive(Control("start"))
    try:
        while session.world is None or session.state != "running":
            session.tick()
            if narrator.broken:
                return 1
        for _ in range(5 * looks):
            session.tick()
            if session.finished or narrator.broken:
                break
        if session.state == "running" and session.world is not None:
            state = session.world.rollout.state
            write(f"the recording ends after {float(state.time_s[0]):.1f} s; success: {session.telemetry().success}")  # type: ignore[union-attr]
            if dataset is not None:
                session.world.recorder.act("keep")
    finally:
        session.close()
    return 1 if narrator.broken else 0
