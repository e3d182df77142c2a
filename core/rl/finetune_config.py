"""Settings of fine-tuning a planner by reinforcement learning (no torch: forms and command lines read them)."""

import math
from dataclasses import dataclass
from typing import Literal

MIN_LOGPROB_STD = 0.055
"""Densities are clamped at exp(2) per value; a smaller deviation would pass that at its peak and lose its gradient."""


@dataclass(frozen=True)
class DppoConfig:
    """Diffusion policy policy optimisation (Ren et al., 2024): PPO over the steps of denoising."""

    tuned_steps: int = 5
    "K', the last denoising steps, which are fine-tuned; the ones before use the frozen base network"
    sampler: Literal["ddim", "ddpm"] = "ddim"
    "ddpm: every level of pre-training; ddim: a few levels, with the noise of eta"
    sampling_steps: int = 5
    "levels of ddim; must divide the denoising steps of pre-training"
    eta: float = 1.0
    "noise of ddim while it explores; evaluations sample without noise"
    min_sampling_std: float = 0.04
    "smallest standard deviation with which a denoising step explores, also in the last step, normalised units"
    min_logprob_std: float = 0.1
    "smallest standard deviation with which a denoising step is scored"
    noise_clip: float = 3.0
    "noise of exploration is clipped to this many standard deviations"
    gamma: float = 0.99
    "discount per decision (a chunk): where time limits are truncations, nothing else asks the planner to hurry"
    gamma_denoising: float = 0.9
    "factor on the advantage for each denoising step that is still to come"
    lam: float = 0.95
    "lambda of generalised advantage estimation"
    clip_total: float = 0.4
    "largest change of a last denoising step's log-probability, summed over all values that are executed"
    clip_total_first: float = 0.1
    "the same for the first fine-tuned step; between them it grows exponentially"
    clip_rate: float = 3.0
    "rate of that growth"
    epochs: int = 5
    "passes over the decisions of an iteration"
    batch_size: int = 1024
    "pairs of decision and denoising step in an optimiser step"
    learning_rate: float = 2e-5
    "of the planner (AdamW)"
    critic_learning_rate: float = 1e-3
    "of the critic (AdamW)"
    critic_hidden: tuple[int, ...] = (256, 256, 256)
    "hidden layers of the critic, which sees the observations only"
    critic_warmup: int = 1
    "first iterations in which only the critic learns"
    gradient_clip: float = 1.0
    "largest norm of the planner's gradient"
    target_kl: float = 0.5
    "an iteration's update ends when a denoising step has moved this far from where it began, nats per chunk"
    kl_limit: float = 10.0
    "beyond this the training has exploded and stops"
    bc_coefficient: float = 0.0
    "weight of imitating the frozen planner on the visited observations; 0: off"
    reward_gamma: float = 0.99
    "discount of the running return whose standard deviation scales the reward"
    reward_clip: float = 10.0
    "scaled rewards are clipped to this"
    time_limit: Literal["truncation", "failure"] = "truncation"
    "an episode that ran out of time: goes on in the critic's eyes (it sees no clock), or is worth nothing from there"
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    "of the planner's products in log-probabilities and update; auto: bf16 where the processor has it in hardware"

    def __post_init__(self) -> None:
        self._check_positive()
        for name in ("gamma", "gamma_denoising", "lam", "eta", "reward_gamma"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} must lie in [0, 1], got {getattr(self, name)}")
        for name in ("critic_warmup", "bc_coefficient"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        if self.min_logprob_std < MIN_LOGPROB_STD:
            raise ValueError(
                f"min_logprob_std must be at least {MIN_LOGPROB_STD}, got {self.min_logprob_std}: "
                "the clamp of the log-probability would take its gradient away"
            )
        if self.clip_total_first > self.clip_total:
            raise ValueError(f"clip_total_first {self.clip_total_first} must not exceed clip_total {self.clip_total}")
        if self.sampler == "ddim" and self.tuned_steps > self.sampling_steps:
            raise ValueError(f"tuned_steps {self.tuned_steps} must not exceed sampling_steps {self.sampling_steps}")
        if not self.critic_hidden or min(self.critic_hidden) < 1:
            raise ValueError(f"critic_hidden needs positive sizes, got {self.critic_hidden}")

    def _check_positive(self) -> None:
        names = (
            "tuned_steps", "sampling_steps", "min_sampling_std", "noise_clip", "clip_total", "clip_total_first",
            "clip_rate", "epochs", "batch_size", "learning_rate", "critic_learning_rate", "gradient_clip",
            "target_kl", "kl_limit", "reward_clip",
        )  # fmt: skip
        for name in names:
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be positive and finite, got {getattr(self, name)}")


@dataclass(frozen=True)
class MlpFtConfig:
    """How the deterministic planner explores while it is fine-tuned (B82): steps that revert to its chunk."""

    steps: int = 5
    "K, from pure noise to the chunk"
    reversion_first: float = 0.2
    "lambda of the first step: how far it goes towards the planner's chunk; grows linearly"
    reversion_last: float = 0.9
    "lambda of the last step"
    noise_first: float = 0.3
    "sigma of the first step, normalised units; falls linearly"
    noise_last: float = 0.04
    "sigma of the last step: as far as a diffusion planner explores there"

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"steps must be at least 1, got {self.steps}")
        if not 0 < self.reversion_first <= self.reversion_last <= 1:
            raise ValueError(
                "0 < reversion_first <= reversion_last <= 1 is needed, got "
                f"{self.reversion_first} and {self.reversion_last}"
            )
        if not 0 < self.noise_last <= self.noise_first:
            raise ValueError(f"0 < noise_last <= noise_first is needed, got {self.noise_last} and {self.noise_first}")


@dataclass(frozen=True)
class ResidualFtConfig:
    """A correction on top of a frozen planner (B83)."""

    scale: float = 0.1
    "largest correction of a value, normalised units"
    hidden: tuple[int, ...] = (256, 256)
    "hidden layers of the correction"
    noise: float = 0.04
    "standard deviation with which it explores, as a diffusion planner in its last step"
    learning_rate: float = 3e-4
    "of the correction (AdamW): it begins with nothing, and that of a pre-trained network would hardly move it"

    def __post_init__(self) -> None:
        if not self.scale > 0:
            raise ValueError(f"scale must be positive, got {self.scale}")
        for name in ("noise", "learning_rate"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be positive and finite, got {getattr(self, name)}")
        if not self.hidden or min(self.hidden) < 1:
            raise ValueError(f"hidden needs positive sizes, got {self.hidden}")
