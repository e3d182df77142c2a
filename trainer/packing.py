"""Planners in half precision: what `refine-dp pack` does."""

import copy
import json
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from core.data.dataset import Dataset
from core.data.windows import make_windows, read_recording
from core.policy.batches import WindowTensors
from core.policy.checkpoint import PlannerCheckpoint, load_planner, save_planner
from core.policy.layout import PlannerLayout
from core.policy.planner import Planner
from trainer.command_line import portable_command
from trainer.jobs.pack import Config
from trainer.planner_files import planner_path
from trainer.results_page import published
from trainer.runs import Run

NOISE_SEED = 0


def pack(config: Config) -> tuple[float, int]:
    """Write the file. Returns the largest difference of a chunk's values and the file's size in bytes.

    Raises ValueError when the difference is above the tolerance, LayoutError for a data set of another task.
    """
    path = planner_path(config.checkpoint)
    stored = load_planner(path)
    halved = in_half_precision(stored.planner)
    observations = recorded_observations(config.dataset, stored.planner, config.samples)
    difference = largest_difference(stored.planner, halved, observations)
    if not difference <= config.tolerance:
        raise ValueError(
            f"in half precision the chunks of {path} differ by {difference:.4f} (normalised units), "
            f"{config.tolerance} is allowed: nothing was written; share the original file"
        )
    # without paths of this machine: the file is for others
    save_planner(config.out, halved, stored.config, published(_training(stored, config)))
    return difference, config.out.stat().st_size


def in_half_precision(planner: Planner) -> Planner:
    """A copy whose weights are 16 bits wide; normalisers and schedules, which are buffers, keep 32."""
    halved = copy.deepcopy(planner)
    for weights in halved.parameters():
        weights.data = weights.data.half()
    return halved


def recorded_observations(dataset: Path, planner: Planner, count: int) -> Float[Tensor, "B To Do"]:
    """Normalised windows, evenly spread over a data set."""
    recording = read_recording(Dataset(dataset), successes_only=False)
    layout = planner.layout
    PlannerLayout.of_dataset(recording.spec).check_fits(layout, f"the planner's task {layout.task!r}")
    windows = make_windows(recording.lengths, layout.observation_horizon, layout.action_chunk)
    data = WindowTensors.of(recording, windows, planner.observations, planner.actions)
    rows = torch.linspace(0, len(data) - 1, count).long()
    return data.batch(rows)[0]


@torch.inference_mode()
def largest_difference(planner: Planner, halved: Planner, obs: Float[Tensor, "B To Do"]) -> float:
    """Of the chunks that both plan from the same noise; the halved weights compute in single precision, as loaded."""
    generator = torch.Generator().manual_seed(NOISE_SEED)
    noise = torch.randn(planner.noise_shape(len(obs)), generator=generator)
    loaded = copy.deepcopy(halved).float()
    return float((planner.plan_normalized(obs, noise) - loaded.plan_normalized(obs, noise)).abs().max())


def _training(stored: PlannerCheckpoint, config: Config) -> dict[str, Any]:
    """How the planner was made and how good it is."""
    return {**stored.training, "precision": "float16", **_made_by(planner_path(config.checkpoint)), **_measured(config)}


def _made_by(path: Path) -> dict[str, Any]:
    """Command line and settings of the training, where the planner lies in its run folder."""
    if not (path.parent / "run.json").is_file():
        return {}
    run = Run.open(path.parent)
    left_out = {"runs", "resume", "json", "report"}
    settings = {name: value for name, value in run.stored_config().items() if name not in left_out}
    return {"command": portable_command(run.info().command), "config": settings}


def _measured(config: Config) -> dict[str, Any]:
    if config.evaluation is None:
        return {}
    path = config.evaluation / "evaluation.json" if config.evaluation.is_dir() else config.evaluation
    report = json.loads(path.read_text(encoding="utf-8"))
    left_out = ("results", "training", "failed_seeds")
    summary = {name: value for name, value in report.items() if name not in left_out}
    return {"evaluation": summary}
