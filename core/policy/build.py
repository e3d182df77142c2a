"""From a config to a planner."""

from dataclasses import dataclass, field
from typing import Literal, assert_never

from core.policy.denoiser import Denoiser
from core.policy.diffusion import DiffusionPlanner, SamplerConfig
from core.policy.dit import Dit, DitConfig
from core.policy.layout import PlannerLayout
from core.policy.mlp import MlpConfig, MlpDenoiser, MlpRegressor
from core.policy.normalizer import Normalizer
from core.policy.planner import Planner
from core.policy.regression import RegressionPlanner


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

    def __post_init__(self) -> None:
        if self.denoising_steps < 1:
            raise ValueError(f"denoising_steps must be at least 1, got {self.denoising_steps}")
        if self.sampler.kind == "ddim" and self.denoising_steps % self.sampler.steps:
            raise ValueError(
                f"sampler.steps must divide denoising_steps {self.denoising_steps}, got {self.sampler.steps}"
            )


def build_denoiser(layout: PlannerLayout, config: PlannerConfig) -> Denoiser:
    """A noise predictor with fresh weights. Raises ValueError for the deterministic planner."""
    match config.kind:
        case "dit":
            return Dit(layout, config.dit)
        case "mlp-diffusion":
            return MlpDenoiser(layout, config.mlp)
        case "mlp":
            raise ValueError("the deterministic planner 'mlp' has no denoiser; use 'dit' or 'mlp-diffusion'")
        case _:
            assert_never(config.kind)


def build_planner(
    layout: PlannerLayout, config: PlannerConfig, observations: Normalizer, actions: Normalizer
) -> Planner:
    """A planner with fresh weights, drawn from torch's global generator."""
    if config.kind == "mlp":
        return RegressionPlanner(layout, observations, actions, MlpRegressor(layout, config.mlp))
    return DiffusionPlanner(
        layout, observations, actions, build_denoiser(layout, config), config.denoising_steps, config.sampler
    )
