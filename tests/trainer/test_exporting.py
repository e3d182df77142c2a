"""`refine-dp export` on real observations of a short episode: planners and controllers."""

from pathlib import Path

import pytest
import torch

import trainer.exporting
from core.control.lower import LAYOUT as LOWER
from core.control.upper import LAYOUT as UPPER
from core.control.whole_body import CONTROLLERS, WholeBodyController
from core.export.session import OnnxSession
from core.policy.build import build_planner
from core.policy.checkpoint import save_planner
from core.policy.config import MlpConfig, PlannerConfig
from core.policy.layout import LayoutError, PlannerLayout
from core.policy.normalizer import Normalizer
from core.rl.checkpoint import Layout, save_checkpoint
from core.rl.header import CheckpointError
from core.tasks.catalogue import make_task
from trainer.exporting import actor_observations, export_all, planner_observations
from trainer.jobs.export import Config

pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")
CONFIG = PlannerConfig("mlp", mlp=MlpConfig(32, 1))


@pytest.fixture
def checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A deterministic planner for the box pick-up with random weights; episodes of a second."""
    monkeypatch.setattr(trainer.exporting, "EPISODE_S", 1.0)
    layout = PlannerLayout.of_task(make_task("box_pickup", 1))
    normalizers = (Normalizer.identity(layout.observation_size), Normalizer.identity(layout.action_size))
    torch.manual_seed(0)
    save_planner(tmp_path / "planner.safetensors", build_planner(layout, CONFIG, *normalizers), CONFIG, {})
    return tmp_path


def test_that_planner_and_controllers_are_written_and_say_what_the_originals_say(checkpoint: Path) -> None:
    out, told = checkpoint / "out", []
    sources = (checkpoint, CONTROLLERS / "lower.safetensors", CONTROLLERS / "upper.safetensors")
    written = export_all(Config(sources, out, samples=6), told.append)
    assert [path.name for path in written] == ["planner.onnx", "lower.onnx", "upper.onnx"]
    assert all("over 6 observations" in line for line in told)
    whole = WholeBodyController.load_default(1)
    for layout, controller in ((LOWER, whole.lower), (UPPER, whole.upper)):
        session = OnnxSession(out / f"{layout.kind.removesuffix('_controller')}.onnx")
        assert session.metadata["action"] == list(layout.action)
        rows = actor_observations(layout, Config(samples=3, seed=7))[-1]
        with torch.no_grad():
            wanted = controller.actor(rows)  # type: ignore[attr-defined]
        said = torch.from_numpy(session.run({"observations": rows.numpy()}))
        torch.testing.assert_close(said, wanted, rtol=0, atol=1e-4)


def test_that_planners_are_compared_on_what_they_see_when_they_drive(checkpoint: Path) -> None:
    layout = PlannerLayout.of_task(make_task("box_pickup", 1))
    seen = planner_observations(Config(samples=5), layout, checkpoint / "planner.safetensors")
    assert seen.shape == (5, layout.observation_horizon, layout.observation_size)
    assert torch.equal(seen[0], seen[0, :1].expand_as(seen[0]))  # the first observation of the episode, repeated
    assert not torch.equal(seen[1], seen[-1])


def test_that_a_data_set_of_another_task_is_refused(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Recording:
        spec = None

    monkeypatch.setattr(trainer.exporting, "Dataset", lambda path: path)
    monkeypatch.setattr(trainer.exporting, "read_recording", lambda *_, **__: Recording())
    layout = PlannerLayout.of_task(make_task("box_pickup", 1))
    other = PlannerLayout(**{**vars(layout), "task": "door"})
    monkeypatch.setattr(PlannerLayout, "of_dataset", lambda _: other)
    with pytest.raises(LayoutError, match=r"does not fit the data set x\.hdf5"):
        planner_observations(Config(dataset=Path("x.hdf5")), layout, checkpoint / "planner.safetensors")


def test_that_what_cannot_be_exported_is_refused(checkpoint: Path) -> None:
    save_checkpoint(checkpoint / "critic.safetensors", {"a": torch.zeros(1)}, Layout("critic", 1, (), ()), {})
    with pytest.raises(CheckpointError, match="holds a 'critic'; what can be exported: planner, lower_controller"):
        export_all(Config((checkpoint / "critic.safetensors",), checkpoint))
    with pytest.raises(CheckpointError, match="no checkpoint at"):
        export_all(Config((checkpoint / "none.safetensors",), checkpoint))


@pytest.mark.parametrize(("field", "value"), [("samples", 0), ("tolerance", 0.0), ("seed", -1)])
def test_that_the_settings_are_checked(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{field} must .*got {value}"):
        Config(**{field: value})
