"""Planners as files: layout, config, normalisers, base network and fine-tuned network together; nothing is guessed."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from core.policy.build import build_denoiser, build_planner
from core.policy.config import DitConfig, MlpConfig, PlannerConfig, SamplerConfig
from core.policy.diffusion import DiffusionPlanner
from core.policy.layout import LayoutError, PlannerLayout
from core.policy.normalizer import Normalizer
from core.policy.planner import Planner
from core.policy.residual import ResidualPlanner
from core.rl.checkpoint import CheckpointError, Layout, load_checkpoint, read_header, save_checkpoint

KIND = "planner"
VERSION = 1
"""Raised when the meaning of an observation, of an action or of the weights changes."""


@dataclass(frozen=True)
class PlannerCheckpoint:
    """A planner as it was stored."""

    planner: Planner
    config: PlannerConfig
    tuned_steps: int
    "fine-tuned sampling steps K', 0 for a planner that was only pre-trained"
    training: dict[str, Any] = field(default_factory=dict)
    "how it came about: run, data set, steps, evaluation (JSON)"


def save_planner(path: Path, planner: Planner, config: PlannerConfig, training: dict[str, Any]) -> None:
    """Write a planner to `path` (.safetensors) and a JSON beside it. `training` is anything JSON can hold."""
    inner = planner.frozen if isinstance(planner, ResidualPlanner) else planner
    tuned_steps = inner.tuned_steps if isinstance(inner, DiffusionPlanner) else 0
    metadata = {
        "layout": asdict(planner.layout),
        "config": asdict(config),
        "tuned_steps": tuned_steps,
        "training": training,
    }
    if isinstance(planner, ResidualPlanner):
        metadata["residual"] = {"scale": planner.scale, "hidden": list(planner.hidden)}
    tensors = {name: value for name, value in planner.state_dict().items()}
    save_checkpoint(path, tensors, _file_layout(planner.layout), metadata)


def load_planner(
    path: Path,
    layout: PlannerLayout | None = None,
    denoising_steps: int | None = None,
    tuned_steps: int | None = None,
) -> PlannerCheckpoint:
    """Read a planner, on the CPU and in evaluation mode.

    What is given must agree with the file: the layout of the task it shall run in, the denoising steps K, the
    fine-tuned steps K'. Raises CheckpointError that names the difference.
    """
    path = Path(path)
    metadata = _planner_header(path)
    stored = layout_from(metadata["layout"])
    if layout is not None:
        try:
            stored.check_fits(layout, f"task {layout.task!r}")
        except LayoutError as error:
            raise CheckpointError(f"{path}: {error}") from None
    config = _config_from(metadata["config"])
    _check_steps(path, "denoising steps", config.denoising_steps, denoising_steps)
    _check_steps(path, "fine-tuned steps", metadata["tuned_steps"], tuned_steps)
    tensors, _ = load_checkpoint(path, _file_layout(stored))
    planner = _rebuild(path, stored, config, metadata, tensors)
    return PlannerCheckpoint(planner, config, metadata["tuned_steps"], metadata["training"])


def planner_layout(path: Path) -> PlannerLayout:
    """What a stored planner was made for, without reading its weights. Raises CheckpointError."""
    return layout_from(_planner_header(Path(path))["layout"])


def _planner_header(path: Path) -> dict[str, Any]:
    header = read_header(path)
    kind, version = header["layout"].get("kind"), header["layout"].get("version")
    if (kind, version) != (KIND, VERSION):
        raise CheckpointError(
            f"{path} holds a {kind!r} of version {version}; a {KIND!r} of version {VERSION} is needed; "
            "give the planner.safetensors of a run of pretrain or finetune"
        )
    return header["metadata"]


def _check_steps(path: Path, what: str, stored: int, wanted: int | None) -> None:
    if wanted is not None and stored != wanted:
        raise CheckpointError(
            f"{path} has {stored} {what}, {wanted} were asked for; "
            "used with another number it would silently act like another planner"
        )


def _rebuild(
    path: Path, layout: PlannerLayout, config: PlannerConfig, metadata: dict[str, Any], tensors: dict[str, Tensor]
) -> Planner:
    normalizers = (Normalizer.identity(layout.observation_size), Normalizer.identity(layout.action_size))
    planner = build_planner(layout, config, *normalizers)
    if metadata["tuned_steps"]:
        assert isinstance(planner, DiffusionPlanner)
        planner.use_tuned(build_denoiser(layout, config), metadata["tuned_steps"])
    if "residual" in metadata:
        assert isinstance(planner, DiffusionPlanner)
        residual = metadata["residual"]
        planner = ResidualPlanner(planner, residual["scale"], tuple(residual["hidden"]))
    try:
        planner.load_state_dict(tensors)
    except RuntimeError as error:
        raise CheckpointError(f"{path}: the weights do not fit the config stored with them: {error}") from error
    return planner.eval()


def _file_layout(layout: PlannerLayout) -> Layout:
    return Layout(KIND, VERSION, layout.observation, layout.action)


def layout_from(data: dict[str, Any]) -> PlannerLayout:
    """From the JSON of `asdict(layout)`."""
    observation = tuple((name, size) for name, size in data["observation"])
    return PlannerLayout(**{**data, "observation": observation, "action": tuple(data["action"])})


def _config_from(data: dict[str, Any]) -> PlannerConfig:
    parts = {
        "dit": DitConfig(**data["dit"]),
        "mlp": MlpConfig(**data["mlp"]),
        "sampler": SamplerConfig(**data["sampler"]),
    }
    return PlannerConfig(**{**data, **parts})
