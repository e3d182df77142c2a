"""Networks as ONNX files: the same numbers, or no file."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from core.export.graph import ExportError, compare, export
from core.export.session import OnnxSession, tensorrt_missing
from core.policy.build import build_denoiser, build_planner
from core.policy.checkpoint import PlannerCheckpoint, load_planner, save_planner
from core.policy.config import DitConfig, PlannerConfig, SamplerConfig
from core.policy.diffusion import DiffusionPlanner
from core.policy.layout import PlannerLayout
from core.policy.normalizer import Normalizer
from core.policy.onnx_planner import OnnxRuntime, export_planner
from core.policy.runtime import TorchRuntime, load_runtime
from core.rl.header import CheckpointError
from core.types import Command

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

LAYOUT = PlannerLayout("toy", (("hand", 3), ("box", 2)), Command.component_names(), 4, 6)
CONFIG = PlannerConfig(
    dit=DitConfig(width=72, layers=1, heads=2, encoder_width=16),
    denoising_steps=8,
    sampler=SamplerConfig(steps=2, eta=0.5),
    executed_steps=3,
)


def planner() -> DiffusionPlanner:
    """Random weights, normalisers with constant columns, noise in the sampler, a second network for the last step."""
    torch.manual_seed(0)
    low = torch.rand(LAYOUT.action_size)
    high = low + torch.rand(LAYOUT.action_size) * (torch.arange(LAYOUT.action_size) % 5 > 0)
    observations = Normalizer(-torch.ones(5), torch.tensor([1.0, 2.0, 3.0, -1.0, 4.0]), clip=1.5)
    made = build_planner(LAYOUT, CONFIG, observations, Normalizer(low, high))
    assert isinstance(made, DiffusionPlanner)
    made.use_tuned(build_denoiser(LAYOUT, CONFIG), 1)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return made.eval()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint and its export."""
    folder = tmp_path_factory.mktemp("export")
    save_planner(folder / "planner.safetensors", planner(), CONFIG, {"steps": 5})
    stored = load_planner(folder / "planner.safetensors")
    parity = export_planner(stored, folder / "planner.safetensors", observations(8), folder / "planner.onnx", 1e-4)
    assert parity.samples == 8
    assert 0.0 < parity.largest < 1e-4
    return folder


def observations(count: int) -> torch.Tensor:
    return torch.randn(count, 4, 5, generator=torch.Generator().manual_seed(1))


def test_that_the_exported_planner_says_the_same_for_observations_and_noise_it_has_never_seen(folder: Path) -> None:
    ours = load_runtime(folder / "planner.safetensors", "torch", LAYOUT)
    theirs = load_runtime(folder / "planner.safetensors", "onnx", LAYOUT)  # found beside it
    assert isinstance(ours, TorchRuntime)
    assert (theirs.noise_count, theirs.executed_steps) == (ours.noise_count, ours.executed_steps) == (2, 3)
    for obs in 3.0 * observations(4):  # beyond the range of the data: the normaliser's clip is in the graph
        noise = torch.randn(2, 1, 6, 23)
        torch.testing.assert_close(theirs.plan(obs, noise), ours.plan(obs, noise), rtol=0, atol=1e-5)
    assert "ONNX Runtime" in theirs.text
    assert theirs.empty_noise().shape == ours.empty_noise().shape


def test_that_the_file_says_what_it_is(folder: Path) -> None:
    facts = OnnxSession(folder / "planner.onnx").metadata
    assert (facts["kind"], facts["tuned_steps"], facts["training"]) == ("onnx_planner", 1, {"steps": 5})
    assert facts["parity"]["tolerance"] == 1e-4
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []


def test_that_an_export_of_other_weights_another_task_or_another_noise_is_refused(folder: Path, tmp_path: Path) -> None:
    other = planner()
    with torch.no_grad():
        other.base.out.bias.add_(1.0)  # type: ignore[union-attr,operator]
    save_planner(tmp_path / "planner.safetensors", other, CONFIG, {})
    (tmp_path / "planner.onnx").write_bytes((folder / "planner.onnx").read_bytes())
    with pytest.raises(CheckpointError, match="exported from other weights"):
        load_runtime(tmp_path / "planner.safetensors", "onnx", LAYOUT)
    (tmp_path / "planner.onnx").unlink()
    with pytest.raises(CheckpointError, match="refine-dp export --checkpoint"):
        load_runtime(tmp_path / "planner.safetensors", "onnx", LAYOUT)
    door = PlannerLayout(**{**vars(LAYOUT), "task": "door"})
    with pytest.raises(CheckpointError, match="task: the planner has 'toy', task 'door' has 'door'"):
        load_runtime(folder / "planner.onnx", "onnx", door)
    with pytest.raises(CheckpointError, match="is an exported planner; choose the runtime onnx"):
        load_runtime(folder / "planner.onnx", "torch", LAYOUT)
    with pytest.raises(ValueError, match=r"noise of shape \[2, 1, 6, 23\] is needed"):
        load_runtime(folder / "planner.onnx", "onnx", LAYOUT).plan(observations(1)[0], torch.zeros(1, 1, 6, 23))
    (tmp_path / "junk.onnx").write_bytes(b"junk")
    with pytest.raises(CheckpointError, match="not an ONNX file that can be run"):
        OnnxSession(tmp_path / "junk.onnx")


class Drifting(torch.nn.Module):
    """Computes something else each time it is asked, as a broken export would."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = itertools.count()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + 0.01 * next(self.calls)


def test_that_nothing_is_written_when_the_export_is_off_by_more_than_allowed(tmp_path: Path) -> None:
    samples = [(torch.zeros(1, 3),)]
    with pytest.raises(ExportError, match=r"is off by up to .*e-02, 1.0e-03 is allowed"):
        export(Drifting(), samples, ("x",), tmp_path / "drifting.onnx", {}, tolerance=1e-3)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ExportError, match="there are none"):
        export(Drifting(), [], ("x",), tmp_path / "drifting.onnx", {}, tolerance=1e-3)


def test_that_a_number_that_is_none_is_a_difference(folder: Path) -> None:
    class Nan(torch.nn.Module):
        def forward(self, obs, noise):
            return torch.full((1, 6, 19), torch.nan)

    samples = [(observations(1), torch.zeros(2, 1, 6, 23))]
    parity = compare(Nan(), OnnxSession(folder / "planner.onnx"), samples, ("observations", "noise"))
    assert np.isnan(parity.largest)
    assert not parity.largest <= 1e9


def test_that_a_missing_tensorrt_is_said_with_what_to_do(folder: Path) -> None:
    missing = tensorrt_missing()
    if not missing:
        pytest.skip("this ONNX Runtime has TensorRT")
    with pytest.raises(CheckpointError, match="install 'refine-dp\\[gpu\\]'"):
        load_runtime(folder / "planner.onnx", "tensorrt", LAYOUT)


@pytest.mark.gpu
def test_that_tensorrt_says_the_same(folder: Path) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no NVIDIA GPU here")
    if tensorrt_missing():
        pytest.skip(tensorrt_missing())
    ours = load_runtime(folder / "planner.safetensors", "torch", LAYOUT)
    theirs = load_runtime(folder / "planner.onnx", "tensorrt", LAYOUT)
    for obs in observations(4):
        noise = torch.randn(2, 1, 6, 23)
        torch.testing.assert_close(theirs.plan(obs, noise), ours.plan(obs, noise), rtol=0, atol=1e-3)


def test_that_the_runtime_protocol_is_what_both_are(folder: Path) -> None:
    from core.policy.runtime import PlannerRuntime

    stored: PlannerCheckpoint = load_planner(folder / "planner.safetensors")
    assert isinstance(TorchRuntime(stored), PlannerRuntime)
    assert isinstance(OnnxRuntime.load(folder / "planner.onnx", LAYOUT, "onnx"), PlannerRuntime)
