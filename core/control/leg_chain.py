"""One leg as a chain of six joints in the left frame: mirroring, kinematics, one step of inverse kinematics.

The legs are mirror images in the plane y = 0 of the base; the right leg's quantities are mirrored into the left frame.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from core.t1.facts import JOINTS, Joint
from core.t1.model import DEFAULT_JOINT_POS, EFFORT_LIMIT, KP, LEFT_LEG, LOWER_LIMIT, SOLE_Z_M, UPPER_LIMIT, WAIST

LEG_JOINTS: tuple[Joint, ...] = tuple(JOINTS[i] for i in LEFT_LEG)
NUM_LEG_JOINTS = len(LEG_JOINTS)
LOWER = torch.tensor(LOWER_LIMIT[LEFT_LEG], dtype=torch.float32)
UPPER = torch.tensor(UPPER_LIMIT[LEFT_LEG], dtype=torch.float32)
DEFAULT = torch.tensor(DEFAULT_JOINT_POS[LEFT_LEG], dtype=torch.float32)
STIFFNESS = torch.tensor(KP[LEFT_LEG], dtype=torch.float32)
EFFORT = torch.tensor(EFFORT_LIMIT[LEFT_LEG], dtype=torch.float32)
JOINT_MIRROR = torch.tensor([1.0 if joint.axis[1] else -1.0 for joint in LEG_JOINTS])
"""(6,) rotation about y keeps its sign under the reflection y -> -y, about x and z it flips."""
LEGS_MIRROR = JOINT_MIRROR.repeat(2)

_HIP_POS_B = torch.tensor(JOINTS[WAIST].pos) + torch.tensor(LEG_JOINTS[0].pos)
"""Hip pitch axis in the base with the waist straight (the control stack holds it so)."""


def swap_legs(legs: Float[Tensor, "*n 12"]) -> Float[Tensor, "*n 12"]:
    """Joint values of the mirrored robot: left and right change places, roll and yaw their sign."""
    return torch.cat((legs[..., 6:], legs[..., :6]), dim=-1) * LEGS_MIRROR


def split_legs(legs: Float[Tensor, "N 12"]) -> Float[Tensor, "2*N 6"]:
    """Rows of left-canonical legs: the left legs of all worlds, then the right ones."""
    return torch.cat((legs[:, :6], legs[:, 6:] * JOINT_MIRROR))


def join_legs(rows: Float[Tensor, "M 6"]) -> Float[Tensor, "M//2 12"]:
    """Inverse of `split_legs`."""
    left, right = rows.chunk(2)
    return torch.cat((left, right * JOINT_MIRROR), dim=-1)


@dataclass(frozen=True)
class SolePose:
    """Left-canonical sole frame in the base, and the chain that carries it."""

    pos: Float[Tensor, "B 3"]
    matrix: Float[Tensor, "B 3 3"]
    origins: Float[Tensor, "B 3 6"]
    "joint origins"
    axes: Float[Tensor, "B 3 6"]
    "joint axes"

    def jacobian(self, point: Float[Tensor, "B 3"]) -> Float[Tensor, "B 3 6"]:
        """Linear velocity of a point of the foot (base frame, m) per joint velocity."""
        return torch.cross(self.axes, point[:, :, None] - self.origins, dim=1)


def forward_kinematics(q: Float[Tensor, "B 6"]) -> SolePose:
    """Sole frame of left-canonical joint values, rad."""
    cos, sin = torch.cos(q), torch.sin(q)
    eye = torch.eye(3, dtype=q.dtype, device=q.device)
    columns = [eye[i].expand(q.shape[0], 3) for i in range(3)]
    pos = _HIP_POS_B.to(q).expand(q.shape[0], 3)
    origins, axes = [], []
    for k, joint in enumerate(LEG_JOINTS):
        if k > 0:
            pos = pos + sum(c * x for c, x in zip(columns, joint.pos) if x)
        i = joint.axis.index(1.0)
        origins.append(pos)
        axes.append(columns[i])
        j, m = (i + 1) % 3, (i + 2) % 3
        c, s = cos[:, k, None], sin[:, k, None]
        columns[j], columns[m] = c * columns[j] + s * columns[m], c * columns[m] - s * columns[j]
    pos = pos + SOLE_Z_M * columns[2]
    return SolePose(pos, torch.stack(columns, -1), torch.stack(origins, -1), torch.stack(axes, -1))


def step_towards(
    q: Float[Tensor, "B 6"],
    pos: Float[Tensor, "B 3"],
    matrix: Float[Tensor, "B 3 3"],
    damping: float = 0.01,
) -> tuple[Float[Tensor, "B 6"], SolePose]:
    """One damped Gauss-Newton step of the sole towards a pose in the base, inside limits; also the pose it left from.

    Called at 50 Hz from the last solution it stays within 2 mm of a walking foot.
    """
    sole = forward_kinematics(q)
    turn = matrix @ sole.matrix.transpose(1, 2)
    rotvec = 0.5 * torch.stack(
        (turn[:, 2, 1] - turn[:, 1, 2], turn[:, 0, 2] - turn[:, 2, 0], turn[:, 1, 0] - turn[:, 0, 1]), dim=-1
    )
    error = torch.cat((pos - sole.pos, 0.2 * rotvec), dim=-1)  # 0.2 m: lever that makes rad comparable with m
    jacobian = torch.cat((sole.jacobian(sole.pos), 0.2 * sole.axes), dim=1)
    jt = jacobian.transpose(1, 2)
    gram = jt @ jacobian + damping**2 * torch.eye(6, dtype=q.dtype, device=q.device)
    step = torch.linalg.solve(gram, (jt @ error[..., None]).squeeze(-1))
    return (q + step.clamp(-0.4, 0.4)).clamp(LOWER.to(q), UPPER.to(q)), sole
