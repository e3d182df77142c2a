"""From a config to a planner."""

from typing import assert_never

import torch

from core.policy.config import PlannerConfig
from core.policy.denoiser import Denoiser
from core.policy.diffusion import DiffusionPlanner
from core.policy.dit import Dit
from core.policy.layout import PlannerLayout
from core.policy.mlp import MlpDenoiser, MlpRegressor
from core.policy.normalizer import Normalizer
from core.policy.planner import Planner
from core.policy.regression import RegressionPlanner


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


def fresh_planner(like: Planner, config: PlannerConfig, seed: int) -> Planner:
    """A planner for the same data (layout, normalisers) whose weights are drawn from a seed: nothing is learned yet."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build_planner(like.layout, config, like.observations, like.actions)
