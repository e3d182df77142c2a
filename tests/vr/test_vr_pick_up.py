"""End to end: a scripted person in Monado picks up the box in MuJoCo through the whole stack, by controllers alone."""

import time
from pathlib import Path

import numpy as np
import pytest
import torch
from input_probe import wait_until
from monado import Monado, RemoteOperator
from vr_person import VrPerson

from core.data.dataset import Dataset
from core.policy.config import LearnerConfig, MlpConfig, PlannerConfig, SamplerConfig
from core.teleop.xr_input import XrInput
from core.teleop.xr_sample import Button
from core.teleop.xr_settings import VrSettings
from trainer.jobs import pretrain
from trainer.runs import Run, list_runs
from trainer.session.live import LiveSession
from trainer.session.messages import (
    Configure,
    EpisodeFinished,
    RecordingChanged,
    SessionError,
    Telemetry,
    WorkerEvent,
)

PATIENCE_S = 120.0
"""Of simulated time."""


def look(session: LiveSession) -> Telemetry:
    session.tick()
    told = session.telemetry()
    assert told is not None
    return told


@pytest.mark.timeout(900)
def test_that_a_person_with_a_headset_picks_up_the_box_and_keeps_the_episode(
    monado: Monado, operator: RemoteOperator, tmp_path: Path
):
    torch.set_num_threads(1)
    heard: list[WorkerEvent] = []
    session = LiveSession(
        heard.append, make_input=lambda take, settings: XrInput(take, environment=monado.environment())
    )
    path, tapes = tmp_path / "vr.hdf5", tmp_path / "input"
    session.receive(
        Configure(
            source="vr", seed=0, realtime=False, auto_next=False, auto_record=False, dataset=str(path), operator="Ada",
            vr=VrSettings(record_folder=str(tapes), latency_limit_ms=1000.0),
        )
    )  # fmt: skip
    try:
        session.tick()
        person = VrPerson(operator)
        wait_until(lambda: (t := look(session)).vr is not None and t.vr.state == "running", lambda: str(heard[-3:]))
        # recording and starting, by the buttons: A, then menu
        for side, button in (("right", Button.PRIMARY), ("left", Button.MENU)):
            person.press(side, button)
            wait_until(lambda: any(look(session).vr.buttons), f"{button!r} pressed")  # type: ignore[union-attr]
            person.let_go()
            wait_until(lambda: not any(look(session).vr.buttons), f"{button!r} released")  # type: ignore[union-attr]
        wait_until(lambda: look(session).state == "running", lambda: f"the start: {heard}")
        latencies, started = [], time.monotonic()
        t = look(session)
        while session.state == "running" and t.time_s < PATIENCE_S:
            person.act(t)
            t = look(session)
            latencies.append(t.vr.latency.p50_ms)
        end = next((event for event in heard if isinstance(event, EpisodeFinished)), None)
        print(
            f"{end}; {t.time_s:.1f} s of simulation in {time.monotonic() - started:.1f} s, stage {person.plan.stage}, "
            f"{person.drops} drops; pose to command p50 {t.vr.latency.p50_ms:.1f} ms, p99 {t.vr.latency.p99_ms:.1f} ms"
        )
        assert end is not None
        assert end.success, (end, person.plan.stage)
        person.press("right", Button.PRIMARY)
        wait_until(lambda: any(look(session).vr.buttons), "A pressed")  # type: ignore[union-attr]
        person.let_go()
        wait_until(
            lambda: look(session) and any(isinstance(e, RecordingChanged) and e.action == "kept" for e in heard),
            "the kept episode",
        )
        assert [event for event in heard if isinstance(event, SessionError)] == []
        assert t.interventions["not_finite"] == t.interventions["speed"] == t.interventions["workspace"] == 0
    finally:
        session.close()
    kept = list(Dataset(path))
    assert [(e.info.source, e.info.operator, e.info.success) for e in kept] == [("vr", "Ada", True)]
    actions = kept[0].array("actions")
    assert np.ptp(actions[:, 0]) > 0.1, "it walked"
    assert np.ptp(actions[:, 3:9], axis=0).max() > 0.1, "the hands moved"
    assert len(list(tapes.iterdir())) >= 1
    assert trained_on(path, teleoperated=1).read_status().state == "finished"


def trained_on(dataset: Path, teleoperated: int) -> Run:
    """A small planner trained on so many teleoperated episodes."""
    small = PlannerConfig(
        "mlp-diffusion", mlp=MlpConfig(width=32, blocks=1), denoising_steps=10, sampler=SamplerConfig(steps=5)
    )
    config = pretrain.Config(
        dataset=dataset, teleoperated=teleoperated, validation_fraction=0.0, planner=small, evaluate_episodes=0,
        learner=LearnerConfig(steps=20, batch_size=16, warmup_steps=2, precision="fp32"), validate_every=20,
        device="cpu", threads=1, runs=dataset.parent / "runs",
    )  # fmt: skip
    assert pretrain.main(config) == 0
    (run,) = list_runs(dataset.parent / "runs")
    return run
