"""A bank of bimanual configurations without self-contact, the source of hand commands (paper B16)."""
# pyright: reportAttributeAccessIssue=false

from dataclasses import dataclass
from functools import lru_cache

import mujoco
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from core.control.arm_chain import LOWER, UPPER, inverse_kinematics, join_arms
from core.control.upper import DEFAULT_ARM_POS
from core.rigid import quat_from_rotvec
from core.t1.mjcf import load_spec
from core.t1.model import ARMS, DEFAULT_JOINT_POS, JOINT_NAMES

SPREAD = torch.tensor([1.3, 0.9, 1.2, 0.9, 1.2, 0.9, 0.6])
"""(7,) rad, half width of joint-space samples about q_def."""
WORKSPACE_LOW = torch.tensor([0.24, 0.10, -0.15])
WORKSPACE_HIGH = torch.tensor([0.48, 0.32, 0.32])
"""Left hand frame (m, base axes) around a box in front of the trunk."""
ROTATION_MEAN = torch.tensor([0.0, 0.1, 0.0])
ROTATION_STD = torch.tensor([0.2, 0.3, 0.2])
"""rad, rotation vector from "palms facing each other, fingers forward"; a positive y turns the fingers down."""
CLEARANCE_M = 0.005
"""Geoms nearer than this count as touching."""


@dataclass(frozen=True)
class ArmBank:
    """B bimanual configurations, left-canonical."""

    joint_pos: Float[Tensor, "B 2 7"]
    "rad; left arm, and right arm mirrored into the left frame"
    in_workspace: Bool[Tensor, "B"]
    "both hands in the workspace around a box, palms roughly facing each other"

    def __len__(self) -> int:
        return self.joint_pos.shape[0]


@lru_cache(maxsize=4)
def build_bank(count: int = 4000, workspace_share: float = 0.6, seed: int = 0) -> ArmBank:
    """Sample until `count` configurations are free of self-contact. The same arguments give the same bank."""
    generator = torch.Generator().manual_seed(seed)
    near = round(count * workspace_share)
    workspace = _fill(near, workspace_samples, generator)
    joint_space = _fill(count - near, joint_space_samples, generator)
    flags = torch.arange(count) < near
    return ArmBank(torch.cat((workspace, joint_space)), flags)


def joint_space_samples(count: int, generator: torch.Generator) -> Float[Tensor, "M 7"]:
    """One arm, uniform about q_def, inside the limits."""
    u = 2 * torch.rand(count, 7, generator=generator) - 1
    return (DEFAULT_ARM_POS + SPREAD * u).clamp(LOWER + 0.05, UPPER - 0.05)


def workspace_samples(count: int, generator: torch.Generator) -> Float[Tensor, "M 7"]:
    """One arm with its hand in the workspace around a box: those of `count` random poses that IK reaches."""
    u = torch.rand(count, 3, generator=generator)
    pos = WORKSPACE_LOW + (WORKSPACE_HIGH - WORKSPACE_LOW) * u
    quat = quat_from_rotvec(ROTATION_MEAN + ROTATION_STD * torch.randn(count, 3, generator=generator))
    start = (DEFAULT_ARM_POS + 0.2 * torch.randn(count, 7, generator=generator)).clamp(LOWER, UPPER)
    q, pos_error, rot_error = inverse_kinematics(pos, quat, start, DEFAULT_ARM_POS, iterations=50)
    room = torch.minimum(q - LOWER, UPPER - q).min(dim=-1).values
    return q[(pos_error < 3e-3) & (rot_error < 0.03) & (room > 0.03)]


def _fill(count: int, sample, generator: torch.Generator) -> Float[Tensor, "M 2 7"]:  # noqa: ANN001
    """Pairs of arms: half of them symmetric, half independent, all without self-contact."""
    pairs = torch.empty(0, 2, 7)
    while len(pairs) < count:
        one = sample(2 * count, generator)
        other = one[torch.randperm(len(one), generator=generator)]
        symmetric = torch.rand(len(one), 1, generator=generator) < 0.5
        candidates = torch.stack((one, torch.where(symmetric, one, other)), dim=1)
        candidates = candidates[: 2 * (count - len(pairs))]
        pairs = torch.cat((pairs, candidates[~self_contact(candidates)]))
    return pairs[:count]


def self_contact(pairs: Float[Tensor, "M 2 7"]) -> Bool[Tensor, "M"]:
    """(M,) bool: the arms touch each other or the body, or are nearer than `CLEARANCE_M`."""
    model = load_spec(fixed_base=True).compile()
    model.geom_margin[:] = 0.5 * CLEARANCE_M
    data = mujoco.MjData(model)
    addresses = np.array([model.joint(name).qposadr[0] for name in JOINT_NAMES])
    data.qpos[addresses] = DEFAULT_JOINT_POS
    touching = torch.zeros(len(pairs), dtype=torch.bool)
    for i, arms in enumerate(join_arms(pairs.reshape(-1, 7)).double().numpy()):
        data.qpos[addresses[ARMS]] = arms
        mujoco.mj_kinematics(model, data)
        mujoco.mj_collision(model, data)
        touching[i] = data.ncon > 0
    return touching
