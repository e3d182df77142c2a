"""Random hand commands in free space: joint-space and straight-line motions between bank configurations (paper B16)."""

import torch
from jaxtyping import Float
from torch import Tensor

from core.control.arm_chain import forward_kinematics
from core.control.training.arm_bank import ArmBank
from core.control.training.motion_configs import CommandConfig
from core.draws import uniform
from core.rigid import quat_from_rotvec, quat_mul, rotation_error
from core.types import CONTROL_PERIOD_S, CONTROL_STEPS_PER_COMMAND


class FreeCommands:
    """Commands of N worlds as left-canonical rows (2N); `advance` once a control period."""

    STATE = (
        "_start",
        "_goal",
        "_ends",
        "_straight",
        "_elapsed",
        "_duration",
        "_hold",
        "_staircase",
        "_tick",
        "_index",
        "_shown",
    )

    def __init__(self, bank: ArmBank, num_worlds: int, config: CommandConfig, generator: torch.Generator) -> None:
        self._bank, self._config, self._generator = bank, config, generator
        n = num_worlds
        self._start = torch.zeros(n, 2, 7)
        self._goal = torch.zeros(n, 2, 7)
        self._ends = torch.zeros(2, n, 2, 7)  # poses (position 3, quaternion 4) of start and goal
        self._straight = torch.zeros(n, dtype=torch.bool)
        self._elapsed, self._duration, self._hold = torch.zeros(n), torch.ones(n), torch.zeros(n)
        self._staircase = torch.zeros(n, dtype=torch.bool)
        self._tick = torch.zeros(n, dtype=torch.int64)
        self._index = torch.zeros(n, dtype=torch.int64)
        self._shown = torch.zeros(n, 2, 7)  # position 3, quaternion 4 as last sent

    def reset(self, worlds: Tensor) -> Float[Tensor, "M 2 7"]:
        """New episodes in some worlds (M,); returns the joint values at which the commands begin."""
        m = len(worlds)
        self._index[worlds] = torch.randint(0, len(self._bank), (m,), generator=self._generator)
        self._goal[worlds] = self._bank.joint_pos[self._index[worlds]]
        self._staircase[worlds] = torch.rand(m, generator=self._generator) < self._config.staircase_share
        self._tick[worlds] = torch.randint(0, CONTROL_STEPS_PER_COMMAND, (m,), generator=self._generator)
        self._new_segments(worlds)
        self._shown[worlds] = self._ends[0, worlds]
        return self._start[worlds].clone()

    def advance(self) -> tuple[Float[Tensor, "M 3"], Float[Tensor, "M 4"]]:
        """Command rows of the next control period."""
        self._elapsed += CONTROL_PERIOD_S
        ended = self._elapsed >= self._duration + self._hold
        if bool(ended.any()):
            self._new_segments(ended.nonzero().squeeze(1))
        pos, quat = self._interpolate()
        pose = torch.cat((pos, quat), dim=-1).reshape(-1, 2, 7)
        self._tick += 1
        fresh = ~self._staircase | (self._tick % CONTROL_STEPS_PER_COMMAND == 0)
        self._shown = torch.where(fresh[:, None, None], pose, self._shown)
        rows = self._shown.reshape(-1, 7)
        return rows[:, :3], rows[:, 3:]

    def _interpolate(self) -> tuple[Tensor, Tensor]:
        share = (self._elapsed / self._duration).clamp(max=1.0)[:, None, None]
        q = self._start + share * (self._goal - self._start)
        pose = forward_kinematics(q.reshape(-1, 7))
        first, last = self._ends.reshape(2, -1, 7)
        rows = share.expand(-1, 2, -1).reshape(-1, 1)
        pos, quat = straight_motion(first[:, :3], first[:, 3:], last[:, :3], last[:, 3:], rows)
        straight = self._straight[:, None].expand(-1, 2).reshape(-1, 1)
        return torch.where(straight, pos, pose.pos), torch.where(straight, quat, pose.quat)

    def _new_segments(self, worlds: Tensor) -> None:
        c, g, m = self._config, self._generator, len(worlds)
        before = self._index[worlds]
        near = int(self._bank.in_workspace.sum())
        inside = torch.rand(m, generator=g) < c.workspace_share
        low = torch.where(inside, 0, near)
        size = torch.where(inside, near, len(self._bank) - near)
        after = low + (torch.rand(m, generator=g) * size).long().clamp(max=len(self._bank) - 1)
        self._start[worlds] = self._goal[worlds]
        self._goal[worlds] = self._bank.joint_pos[after]
        self._ends[0, worlds] = _poses(self._start[worlds])
        self._ends[1, worlds] = _poses(self._goal[worlds])
        self._index[worlds] = after
        both_near = self._bank.in_workspace[before] & self._bank.in_workspace[after]
        straight = both_near & (torch.rand(m, generator=g) < c.straight_share)
        self._straight[worlds] = straight
        self._duration[worlds] = torch.where(straight, self._straight_time(worlds), self._joint_time(worlds))
        self._hold[worlds] = uniform(c.hold_s, m, g)
        self._elapsed[worlds] = 0.0

    def _joint_time(self, worlds: Tensor) -> Tensor:
        change = (self._goal[worlds] - self._start[worlds]).abs().amax(dim=(1, 2))
        return (change / uniform(self._config.joint_speed_rad_s, len(worlds), self._generator)).clamp_min(0.1)

    def _straight_time(self, worlds: Tensor) -> Tensor:
        first, last = self._ends[:, worlds]
        way = (last[..., :3] - first[..., :3]).norm(dim=-1).amax(dim=1)
        turn = rotation_error(first[..., 3:], last[..., 3:]).norm(dim=-1).amax(dim=1)
        speed = uniform(self._config.straight_speed_m_s, len(worlds), self._generator)
        return torch.maximum(way / speed, turn / self._config.straight_turn_rad_s).clamp_min(0.1)


def _poses(arms: Float[Tensor, "M 2 7"]) -> Float[Tensor, "M 2 7"]:
    """Hand poses (position 3, quaternion 4) of joint values."""
    pose = forward_kinematics(arms.reshape(-1, 7))
    return torch.cat((pose.pos, pose.quat), dim=-1).reshape(-1, 2, 7)


def straight_motion(
    pos0: Float[Tensor, "M 3"],
    quat0: Float[Tensor, "M 4"],
    pos1: Float[Tensor, "M 3"],
    quat1: Float[Tensor, "M 4"],
    share: Float[Tensor, "M 1"],
) -> tuple[Float[Tensor, "M 3"], Float[Tensor, "M 4"]]:
    """Pose at `share` of the way from 0 to 1: line in position, great circle in rotation."""
    quat = quat_mul(quat_from_rotvec(share * rotation_error(quat0, quat1)), quat0)
    return pos0 + share * (pos1 - pos0), quat
