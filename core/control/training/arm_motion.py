"""Arms that move between collision-free poses: the disturbance that pi_lower trains with (paper B14)."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from core.control.arm_chain import join_arms
from core.control.training.arm_bank import build_bank
from core.control.training.motion_configs import ArmMotionConfig
from core.types import CONTROL_PERIOD_S


def collision_free_poses(count: int, seed: int) -> Float[Tensor, "M 14"]:
    """Two-arm poses (order core.t1.model.ARMS) from the bank of pi_upper's commands, shuffled."""
    poses = join_arms(build_bank(count, seed=seed).joint_pos.reshape(-1, 7))
    return poses[torch.randperm(count, generator=torch.Generator().manual_seed(seed))]


class ArmMotion:
    """Joint targets of the arms of N worlds, following straight lines between poses of a bank."""

    def __init__(
        self, num_worlds: int, bank: Float[Tensor, "M 14"], config: ArmMotionConfig, generator: torch.Generator
    ) -> None:
        self.config = config
        self.bank = bank
        self._generator = generator
        self.start = bank[:1].repeat(num_worlds, 1)
        self.goal = self.start.clone()
        self.target = self.start.clone()
        self.elapsed_s = torch.zeros(num_worlds)
        self.travel_s = torch.ones(num_worlds)
        self.hold_s = torch.ones(num_worlds)
        self.still = torch.zeros(num_worlds, dtype=torch.bool)
        "worlds whose arms stay where they are"

    def reset(self, worlds: Int[Tensor, "M"], still_share: float = 0.2) -> None:
        """Random poses at rest; some worlds keep them."""
        self.place(worlds, self.bank[self._integers(len(worlds))], still_share)

    def place(self, worlds: Int[Tensor, "M"], poses: Float[Tensor, "M 14"], still_share: float = 0.2) -> None:
        """Start from given poses."""
        self.start[worlds] = poses
        self.target[worlds] = poses
        self.still[worlds] = self._uniform(len(worlds)) < still_share
        self._next(worlds)

    def update(self) -> Float[Tensor, "N 14"]:
        """Targets of the next control period."""
        self.elapsed_s += CONTROL_PERIOD_S
        share = (self.elapsed_s / self.travel_s).clamp(0.0, 1.0)[:, None]
        moved = self.start + share * (self.goal - self.start)
        self.target = torch.where(self.still[:, None], self.start, moved)
        over = (self.elapsed_s > self.travel_s + self.hold_s).nonzero().squeeze(-1)
        if len(over):
            self.start[over] = self.target[over]
            self._next(over)
        return self.target

    def _next(self, worlds: Tensor) -> None:
        low, high = self.config.speed_range
        self.goal[worlds] = self.bank[self._integers(len(worlds))]
        speed = low + (high - low) * self._uniform(len(worlds))
        distance = (self.goal[worlds] - self.start[worlds]).abs().amax(dim=-1)
        low, high = self.config.hold_range_s
        self.travel_s[worlds] = (distance / speed).clamp_min(CONTROL_PERIOD_S)
        self.hold_s[worlds] = low + (high - low) * self._uniform(len(worlds))
        self.elapsed_s[worlds] = 0.0

    def _uniform(self, n: int) -> Tensor:
        return torch.rand(n, generator=self._generator)

    def _integers(self, n: int) -> Tensor:
        return torch.randint(len(self.bank), (n,), generator=self._generator)
