"""Learning from demonstrations, one optimiser step at a time; everything that happens next is in `state_dict`."""

import copy
import math

import torch
from torch import Tensor

from core.policy.batches import WindowTensors
from core.policy.config import LearnerConfig
from core.policy.diffusion import DiffusionPlanner
from core.policy.ema import Ema
from core.policy.planner import Planner
from core.policy.regression import RegressionPlanner

VALIDATION_WINDOWS = 2048
VALIDATION_SEED = 0


def uses_bf16(precision: str, device: torch.device) -> bool:
    """Whether to compute in bf16: as asked for, or where the processor multiplies bf16 in hardware."""
    if precision != "auto":
        return precision == "bf16"
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return bool(torch.cpu._is_avx512_bf16_supported())  # emulated bf16 is slower than fp32


def learning_rate(config: LearnerConfig, step: int) -> float:
    """Rate of a step (0, 1, ...): linear warm-up, then a cosine to 0 at the last one."""
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / config.warmup_steps
    share = (step - config.warmup_steps) / max(1, config.steps - config.warmup_steps)
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))


class Learner:
    """Trains a planner's base network. All randomness comes from one generator; resume on a CPU is exact to the bit."""

    def __init__(self, planner: Planner, data: WindowTensors, config: LearnerConfig, seed: int) -> None:
        """Raises ValueError without windows."""
        if len(data) == 0:
            raise ValueError("there are no windows to learn from")
        assert isinstance(planner, DiffusionPlanner | RegressionPlanner)
        self.planner = planner.train()
        self.averaged = copy.deepcopy(planner).eval()
        "the planner with averaged weights: what is evaluated and stored"
        assert isinstance(self.averaged, DiffusionPlanner | RegressionPlanner)
        self.data = data
        self.config = config
        self.device = planner.device
        self.bf16 = uses_bf16(config.precision, self.device)
        self.steps = 0
        self.generator = torch.Generator(self.device).manual_seed(seed)
        self.ema = Ema(planner.base, self.averaged.base, config.ema_decay)
        self._parameters = list(planner.base.parameters())
        self.optimizer = torch.optim.AdamW(
            self._parameters, lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
        )
        self._order = torch.empty(0, dtype=torch.long, device=self.device)
        self._cursor = 0

    @property
    def done(self) -> bool:
        """Whether all steps are taken."""
        return self.steps >= self.config.steps

    def step(self) -> Tensor:
        """One optimiser step; its loss (). Raises FloatingPointError when the loss is not finite."""
        obs, chunk = self.data.batch(self._next_rows())
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            loss = self.planner.loss(obs, chunk, self.generator)
        if not loss.isfinite():
            raise FloatingPointError(
                f"the loss of step {self.steps} is {loss.item()}: the data or the learning rate "
                f"({self.config.learning_rate:g}) are out of bounds"
            )
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._parameters, self.config.gradient_clip)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.config, self.steps)
        self.optimizer.step()
        self.ema.update()
        self.steps += 1
        return loss.detach()

    def _next_rows(self) -> Tensor:
        """The next windows of a random order that is drawn anew when fewer than a batch are left."""
        size = min(self.config.batch_size, len(self.data))
        if self._cursor + size > len(self._order):
            self._order = torch.randperm(len(self.data), generator=self.generator, device=self.device)
            self._cursor = 0
        self._cursor += size
        return self._order[self._cursor - size : self._cursor]

    @torch.no_grad()
    def validation_loss(self, data: WindowTensors) -> float:
        """Loss of the averaged planner on other windows (at most 2048 of them), always with the same noise."""
        generator = torch.Generator(self.device).manual_seed(VALIDATION_SEED)
        rows = torch.randperm(len(data), generator=generator, device=self.device)[:VALIDATION_WINDOWS]
        total = 0.0
        for part in rows.split(self.config.batch_size):
            obs, chunk = data.batch(part)
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
                total += float(self.averaged.loss(obs, chunk, generator)) * len(part)
        return total / len(rows)

    @torch.no_grad()
    def action_error(self, data: WindowTensors, count: int = 256) -> float:
        """Mean distance of sampled chunks from recorded ones, normalised units: falls when the planner can imitate."""
        generator = torch.Generator(self.device).manual_seed(VALIDATION_SEED)
        rows = torch.randperm(len(data), generator=generator, device=self.device)[:count]
        obs, chunk = data.batch(rows)
        noise = torch.randn(self.averaged.noise_shape(len(rows)), generator=generator, device=self.device)
        return float((self.averaged.plan_normalized(obs, noise) - chunk).abs().mean())

    def state_dict(self) -> dict[str, Tensor]:
        """Weights, averaged weights, AdamW, generator and position in the data, as flat tensors."""
        state = {f"network.{name}": value for name, value in self.planner.base.state_dict().items()}
        state |= {f"ema.{name}": value for name, value in self.ema.state_dict().items()}
        for i, slots in self.optimizer.state_dict()["state"].items():
            state |= {f"adam.{i}.{name}": torch.as_tensor(value) for name, value in slots.items()}
        state["generator"] = self.generator.get_state()
        state["order"], state["cursor"] = self._order, torch.tensor(self._cursor)
        state["steps"] = torch.tensor(self.steps)
        return {name: value.detach().clone() for name, value in state.items()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Inverse of `state_dict`, for the same planner config and data."""
        self.planner.base.load_state_dict(_part(state, "network."))
        self.ema.load_state_dict(_part(state, "ema."))
        slots: dict[int, dict[str, Tensor]] = {}
        for name, value in _part(state, "adam.").items():
            index, slot = name.split(".")
            slots.setdefault(int(index), {})[slot] = value
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": slots, "param_groups": groups})
        self.generator.set_state(state["generator"].cpu())
        self._order, self._cursor = state["order"].to(self.device), int(state["cursor"])
        self.steps = int(state["steps"])


def _part(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
