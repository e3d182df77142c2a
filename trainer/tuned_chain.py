"""What of a stored planner learns in a fine-tuning, by method."""

from dataclasses import replace

import torch

from core.policy.checkpoint import PlannerCheckpoint
from core.policy.config import PlannerConfig
from core.policy.diffusion import DiffusionPlanner
from core.policy.learner import uses_bf16
from core.policy.regression import RegressionPlanner
from core.policy.residual import ResidualPlanner
from core.rl.chains import Chain, DiffusionChain, deployed_sampler
from core.rl.finetune_config import DppoConfig
from core.rl.mlp_ft import MeanRevertingChain
from core.rl.residual import ResidualChain
from trainer.compute import pick_device
from trainer.jobs.finetune import Config


def make_chain(stored: PlannerCheckpoint, config: Config) -> tuple[Chain, PlannerConfig]:
    """What learns, and the config of the planner that comes of it. Raises ValueError when planner and method differ."""
    planner = stored.planner.to(pick_device(config.device))
    dppo, bf16 = config.dppo, uses_bf16(config.dppo.precision, planner.device)
    played = replace(stored.config, executed_steps=config.executed_steps or stored.config.executed_steps)
    match config.method, planner:
        case "dppo", DiffusionPlanner():
            sampler = deployed_sampler(dppo, planner.sampler.clip)
            return DiffusionChain(planner, dppo, bf16), replace(played, sampler=sampler)
        case "mlp-ft", RegressionPlanner():
            return MeanRevertingChain(planner, config.mlp_ft, dppo, bf16), played
        case "residual", DiffusionPlanner() | ResidualPlanner():
            corrected = planner if isinstance(planner, ResidualPlanner) else _fresh_correction(planner, config)
            return ResidualChain(corrected, config.residual.noise, dppo, bf16), played
    raise ValueError(
        f"{config.method} cannot fine-tune this planner ({type(planner).__name__}): dppo and residual need a "
        "pre-trained diffusion planner (dit, mlp-diffusion), mlp-ft needs a deterministic one (mlp)"
    )


def learner_config(config: Config) -> DppoConfig:
    """How the method learns: all alike, but a correction that begins with nothing has a learning rate of its own."""
    if config.method == "residual":
        return replace(config.dppo, learning_rate=config.residual.learning_rate)
    return config.dppo


def _fresh_correction(planner: DiffusionPlanner, config: Config) -> ResidualPlanner:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return ResidualPlanner(planner, config.residual.scale, config.residual.hidden).to(planner.device)
