"""Keyboard teleoperation through the whole stack: keys, mapper, safety filter, trained controllers, MuJoCo."""

import importlib.util
from pathlib import Path

import pytest
import torch

from core.data.dataset import Dataset
from trainer.session.live import LiveSession
from trainer.session.messages import Configure, Control, EpisodeFinished, Keys, SessionError, WorkerEvent

_spec = importlib.util.spec_from_file_location("keyboard_operator", Path(__file__).with_name("keyboard_operator.py"))
assert _spec is not None
assert _spec.loader is not None
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)

PATIENCE_S = 120.0


def pick_up(seed: int, path: Path) -> tuple[EpisodeFinished | None, dict[str, int]]:
    """One episode with the scripted person; how it ended, and what the safety filter had to do."""
    torch.set_num_threads(1)
    heard: list[WorkerEvent] = []
    session = LiveSession(heard.append)
    session.receive(Configure(source="keyboard", seed=seed, realtime=False, auto_next=False, dataset=str(path)))
    session.tick()
    session.receive(Control("start"))
    session.tick()
    person = _module.KeyboardOperator()
    telemetry = session.telemetry()
    while session.state == "running" and telemetry is not None and telemetry.time_s < PATIENCE_S:
        session.receive(Keys(person.press(telemetry)))
        session.tick()
        telemetry = session.telemetry()
    session.close()
    assert [event for event in heard if isinstance(event, SessionError)] == []
    assert telemetry is not None
    return next((event for event in heard if isinstance(event, EpisodeFinished)), None), telemetry.interventions


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_that_a_person_at_the_keyboard_picks_up_the_box(tmp_path):
    path = tmp_path / "keyboard.hdf5"
    ends = [pick_up(seed, path) for seed in range(3)]
    succeeded = [end.success for end, _ in ends if end is not None]
    assert sum(succeeded) >= 2, ends
    for _, interventions in ends:
        assert interventions["not_finite"] == interventions["speed"] == interventions["workspace"] == 0
    kept = Dataset(path)
    assert [e.info.source for e in kept] == ["keyboard"] * len(succeeded)
    assert [e.info.success for e in kept] == succeeded
