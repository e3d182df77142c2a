"""Planners as ONNX files: observations and noise in, commands out; normalisers and every denoising step inside."""

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from core.export.graph import Parity, export
from core.export.session import OnnxSession, Provider
from core.policy.checkpoint import PlannerCheckpoint, layout_from
from core.policy.layout import LayoutError, PlannerLayout
from core.policy.planner import Planner
from core.policy.runtime import describe
from core.rl.header import CheckpointError

KIND = "onnx_planner"
VERSION = 1
INPUTS = ("observations", "noise")


class PlannerGraph(nn.Module):
    """A planner as a graph of batch 1."""

    def __init__(self, planner: Planner) -> None:
        super().__init__()
        self.planner = planner

    def forward(self, obs: Tensor, noise: Tensor) -> Tensor:
        """(1, To, Do) and (Z, 1, Tp, Da) -> (1, Tp, 19), SI units."""
        return self.planner.plan(obs, noise)


def export_planner(
    stored: PlannerCheckpoint,
    checkpoint: Path,
    observations: Float[Tensor, "M To Do"],
    path: Path,
    tolerance: float,
    seed: int = 0,
) -> Parity:
    """Write a planner that was loaded from `checkpoint` to `path`, compared on real observations.

    Raises ExportError when it is off by more than `tolerance` (SI units of the commands).
    """
    planner = stored.planner
    generator = torch.Generator().manual_seed(seed)
    noises = torch.randn(len(observations), *planner.noise_shape(1), generator=generator)
    samples = [(obs[None], noise) for obs, noise in zip(observations, noises)]
    metadata = {
        "kind": KIND,
        "version": VERSION,
        "layout": asdict(planner.layout),
        "noise_shape": list(planner.noise_shape(1)),
        "executed_steps": stored.config.executed_steps,
        "tuned_steps": stored.tuned_steps,
        "text": describe(planner, stored.config.kind),
        "checkpoint_sha256": file_hash(checkpoint),
        "training": stored.training,
    }
    return export(PlannerGraph(planner), samples, INPUTS, path, metadata, tolerance)


def file_hash(path: Path) -> str:
    """By which an export is known to be that of a checkpoint."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


class OnnxRuntime:
    """A `PlannerRuntime` on an exported planner."""

    def __init__(self, session: OnnxSession, facts: dict[str, Any], provider: Provider) -> None:
        self._session = session
        self._facts = facts
        self._provider = provider

    @classmethod
    def load(cls, path: Path, layout: PlannerLayout, provider: Provider) -> "OnnxRuntime":
        """From a planner.onnx, or from a checkpoint beside which its export lies. Raises CheckpointError."""
        exported = path.with_suffix(".onnx")
        if not exported.is_file():
            raise CheckpointError(
                f"{path} has no {exported.name} beside it; write it with: "
                f"refine-dp export --checkpoint {path} --out {path.parent}, or use the runtime torch"
            )
        session = OnnxSession(exported, provider)
        facts = session.metadata
        if (facts.get("kind"), facts.get("version")) != (KIND, VERSION):
            raise CheckpointError(f"{exported} holds no planner of this program; write it with refine-dp export")
        try:
            layout_from(facts["layout"]).check_fits(layout, f"task {layout.task!r}")
        except LayoutError as error:
            raise CheckpointError(f"{exported}: {error}") from None
        if path != exported and file_hash(path) != facts["checkpoint_sha256"]:
            raise CheckpointError(
                f"{exported} was exported from other weights than {path} holds now; export it again, or use torch"
            )
        return cls(session, facts, provider)

    @property
    def text(self) -> str:
        """Kind, sampling, and what computes it."""
        return f"{self._facts['text']}, {'ONNX Runtime' if self._provider == 'onnx' else 'TensorRT'}"

    @property
    def noise_count(self) -> int:
        """Z."""
        return self._facts["noise_shape"][0]

    @property
    def executed_steps(self) -> int:
        """Ta."""
        return self._facts["executed_steps"]

    def empty_noise(self) -> Float[Tensor, "Z 1 Tp Da"]:
        """Zeros."""
        return torch.zeros(self._facts["noise_shape"])

    def plan(self, obs: Float[Tensor, "To Do"], noise: Float[Tensor, "Z 1 Tp Da"]) -> Float[Tensor, "Tp 19"]:
        """(To, Do) and (Z, 1, Tp, Da) -> (Tp, 19). Raises ValueError for a wrong amount of noise."""
        if list(noise.shape) != self._facts["noise_shape"]:
            raise ValueError(f"noise of shape {self._facts['noise_shape']} is needed, got {list(noise.shape)}")
        said = self._session.run(dict(zip(INPUTS, (obs[None].numpy(), noise.numpy()))))
        return torch.from_numpy(said)[0]
