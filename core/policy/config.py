"""Configs of learned planners and of their training (no torch: forms and command lines read them)."""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class DitConfig:
    """Sizes of the diffusion transformer."""

    width: int = 256
    "values of a token"
    layers: int = 4
    "transformer blocks"
    heads: int = 4
    "attention heads"
    actions_per_token: int = 3
    "commands in a token; fewer tokens are cheaper"
    mlp_ratio: int = 4
    "width of the blocks' perceptrons over the width of a token"
    encoder_width: int = 512
    "hidden layer of the observation encoder"

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        if self.width % self.heads:
            raise ValueError(f"heads must divide width, got {self.heads} and {self.width}")


@dataclass(frozen=True)
class MlpConfig:
    """Sizes of the perceptron."""

    width: int = 512
    "values of a hidden layer"
    blocks: int = 2
    "residual blocks of two layers"

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")


@dataclass(frozen=True)
class SamplerConfig:
    """How chunks are sampled from a diffusion planner."""

    kind: Literal["ddim", "ddpm"] = "ddim"
    "ddpm: every level, with the noise of Eq. 3; ddim: a few levels"
    steps: int = 10
    "levels of ddim; must divide the denoising steps"
    eta: float = 0.0
    "noise of ddim: 0 none, 1 as much as ddpm"
    clip: float = 1.0
    "the clean chunk that each step predicts is clipped to the range of the data times this"

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"steps must be at least 1, got {self.steps}")
        if not 0.0 <= self.eta <= 1.0:
            raise ValueError(f"eta must lie between 0 and 1, got {self.eta}")
        if self.clip <= 0:
            raise ValueError(f"clip must be positive, got {self.clip}")


@dataclass(frozen=True)
class PlannerConfig:
    """Which planner."""

    kind: Literal["dit", "mlp-diffusion", "mlp"] = "dit"
    "diffusion with a transformer, diffusion with a perceptron, or a deterministic perceptron"
    dit: DitConfig = field(default_factory=DitConfig)
    "sizes of the transformer"
    mlp: MlpConfig = field(default_factory=MlpConfig)
    "sizes of the perceptrons"
    denoising_steps: int = 100
    "noise levels K of a diffusion planner"
    sampler: SamplerConfig = field(default_factory=SamplerConfig)
    "how it is sampled"
    executed_steps: int = 8
    "Ta, commands of a chunk that are executed before the next chunk is planned"

    def __post_init__(self) -> None:
        if self.executed_steps < 1:
            raise ValueError(f"executed_steps must be at least 1, got {self.executed_steps}")
        if self.denoising_steps < 1:
            raise ValueError(f"denoising_steps must be at least 1, got {self.denoising_steps}")
        if self.sampler.kind == "ddim" and self.denoising_steps % self.sampler.steps:
            raise ValueError(
                f"sampler.steps must divide denoising_steps {self.denoising_steps}, got {self.sampler.steps}"
            )


@dataclass(frozen=True)
class LearnerConfig:
    """How a planner learns from demonstrations."""

    steps: int = 8000
    "optimiser steps in all"
    batch_size: int = 256
    "windows in a step"
    learning_rate: float = 4e-4
    "largest learning rate (AdamW)"
    warmup_steps: int = 300
    "steps over which the rate grows from 0; it then falls as a cosine"
    weight_decay: float = 1e-6
    "of AdamW"
    gradient_clip: float = 1.0
    "largest norm of the gradient"
    ema_decay: float = 0.999
    "decay of the averaged weights, which are what is stored and evaluated"
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    "of the network's products; auto: bf16 where the processor has it in hardware"

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "learning_rate", "gradient_clip"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")
        for name in ("warmup_steps", "weight_decay"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        if not 0.0 <= self.ema_decay < 1.0:
            raise ValueError(f"ema_decay must lie in [0, 1), got {self.ema_decay}")
