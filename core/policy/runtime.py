"""A stored planner that plans for one robot, computed by torch, by ONNX Runtime or by TensorRT."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, assert_never, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from core.policy.checkpoint import PlannerCheckpoint, load_planner
from core.policy.diffusion import DiffusionPlanner
from core.policy.layout import PlannerLayout
from core.policy.planner import Planner
from core.policy.residual import ResidualPlanner
from core.rl.header import CheckpointError

RuntimeName = Literal["torch", "onnx", "tensorrt"]


@runtime_checkable
class PlannerRuntime(Protocol):
    """Plans one chunk at a time."""

    @property
    def text(self) -> str:
        """What it is, for the log."""
        ...

    @property
    def noise_count(self) -> int:
        """Chunks of noise that a plan consumes, Z."""
        ...

    @property
    def executed_steps(self) -> int:
        """Ta, commands of a chunk that are executed before the next one is planned."""
        ...

    def empty_noise(self) -> Float[Tensor, "Z 1 Tp Da"]:
        """Zeros of the shape of a plan's noise."""
        ...

    def plan(self, obs: Float[Tensor, "To Do"], noise: Float[Tensor, "Z 1 Tp Da"]) -> Float[Tensor, "Tp 19"]:
        """A chunk of command vectors for the last observations, SI units. Raises ValueError for a wrong shape."""
        ...


def load_runtime(path: Path, runtime: RuntimeName, layout: PlannerLayout) -> PlannerRuntime:
    """A planner for a task's layout. Raises CheckpointError or ImportError that says what is wrong and what to do."""
    match runtime:
        case "torch":
            if path.suffix == ".onnx":
                raise CheckpointError(f"{path} is an exported planner; choose the runtime onnx for it")
            return TorchRuntime(load_planner(path, layout))
        case "onnx" | "tensorrt":
            from core.policy.onnx_planner import OnnxRuntime  # onnxruntime need not be installed

            return OnnxRuntime.load(path, layout, runtime)
        case _:
            assert_never(runtime)


@dataclass(frozen=True)
class TorchRuntime:
    """The networks as they were trained."""

    stored: PlannerCheckpoint

    @property
    def text(self) -> str:
        """Kind, sampling and training steps."""
        steps = self.stored.training.get("steps")
        trained = f", {steps} training steps" if steps is not None else ""
        return f"{describe(self.stored.planner, self.stored.config.kind)}{trained}, torch"

    @property
    def noise_count(self) -> int:
        """Z."""
        return self.stored.planner.noise_count

    @property
    def executed_steps(self) -> int:
        """Ta."""
        return self.stored.config.executed_steps

    def empty_noise(self) -> Float[Tensor, "Z 1 Tp Da"]:
        """Zeros."""
        return torch.zeros(self.stored.planner.noise_shape(1))

    @torch.inference_mode()
    def plan(self, obs: Float[Tensor, "To Do"], noise: Float[Tensor, "Z 1 Tp Da"]) -> Float[Tensor, "Tp 19"]:
        """(To, Do) and (Z, 1, Tp, Da) -> (Tp, 19)."""
        return self.stored.planner.plan(obs[None], noise)[0]


def describe(planner: Planner, kind: str) -> str:
    """Kind and sampling in a few words."""
    inner = planner.frozen if isinstance(planner, ResidualPlanner) else planner
    if not isinstance(inner, DiffusionPlanner):
        return kind
    tuned = f", last {inner.tuned_steps} fine-tuned" if inner.tuned_steps else ""
    residual = " + residual" if isinstance(planner, ResidualPlanner) else ""
    return f"{kind}{residual}, {inner.sampler.kind} {inner.steps.count} steps{tuned}"
