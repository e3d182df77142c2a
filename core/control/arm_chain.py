"""One arm as a chain of seven joints in the left frame: mirroring, forward kinematics, Jacobian and inverse kinematics.

The T1's arms are mirror images in the plane y = 0 of the base, so one chain and one policy serve both: the right arm's
quantities are mirrored into the left frame ("left-canonical") and its joint values back. All functions are batched.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from core.rigid import quat_from_matrix, quat_rotate, rotation_error
from core.t1.facts import JOINTS, LINKS, Joint
from core.t1.model import HAND_FRAME_OFFSET_M, LEFT_ARM, LOWER_LIMIT, UPPER_LIMIT

ARM_JOINTS: tuple[Joint, ...] = tuple(JOINTS[i] for i in LEFT_ARM)
NUM_ARM_JOINTS = len(ARM_JOINTS)
LOWER = torch.tensor(LOWER_LIMIT[LEFT_ARM], dtype=torch.float32)
UPPER = torch.tensor(UPPER_LIMIT[LEFT_ARM], dtype=torch.float32)
"""(7,) rad, limits of the left arm; the right arm's mirrored limits are the same or 0.4 degrees wider."""

JOINT_MIRROR = torch.tensor([1.0 if joint.axis[1] else -1.0 for joint in ARM_JOINTS])
"""(7,) rotation about y keeps its sign under the reflection y -> -y, about x and z it flips."""
VECTOR_MIRROR = torch.tensor([1.0, -1.0, 1.0])
"""Position, velocity, force."""
AXIAL_MIRROR = torch.tensor([-1.0, 1.0, -1.0])
"""Rotation vector, angular velocity, torque."""
QUAT_MIRROR = torch.tensor([1.0, -1.0, 1.0, -1.0])

LINK_BY_NAME = {link.name: link for link in LINKS}
GRAVITY_M_S2 = 9.81

_HAND_FROM_LINK = torch.tensor([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
"""R_link_hand of the left hand: hand x, y, z are hand_link y, z, x."""


def mirror_sides(left_right: Float[Tensor, "N 2 *d"], signs: Float[Tensor, "*d"]) -> Float[Tensor, "N 2 *d"]:
    """Apply mirror signs to the right side of (N, 2, ...): to the left frame or, the same again, back."""
    return torch.stack((left_right[:, 0], left_right[:, 1] * signs), dim=1)


def split_arms(arms: Float[Tensor, "N 14"]) -> Float[Tensor, "2*N 7"]:
    """Joint values of both arms (order core.t1.model.ARMS) as rows of left-canonical arms: world 0 left, right, ..."""
    return mirror_sides(arms.reshape(-1, 2, NUM_ARM_JOINTS), JOINT_MIRROR).reshape(-1, NUM_ARM_JOINTS)


def join_arms(rows: Float[Tensor, "M 7"]) -> Float[Tensor, "M//2 14"]:
    """Inverse of `split_arms`."""
    return mirror_sides(rows.reshape(-1, 2, NUM_ARM_JOINTS), JOINT_MIRROR).reshape(-1, 2 * NUM_ARM_JOINTS)


@dataclass(frozen=True)
class HandPose:
    """Left-canonical hand frame in the base, and how it moves with the joints."""

    pos: Float[Tensor, "B 3"]
    quat: Float[Tensor, "B 4"]
    jacobian: Float[Tensor, "B 6 7"]
    "rows: linear velocity of the hand frame's origin, angular velocity; base axes"


def _axis_rotation(axis: tuple[float, float, float], angle: Tensor) -> Tensor:
    """(B, 3, 3) rotation about a coordinate axis."""
    c, s = angle.cos(), angle.sin()
    one, zero = torch.ones_like(c), torch.zeros_like(c)
    match [abs(a) for a in axis].index(1.0):
        case 0:
            rows = (one, zero, zero, zero, c, -s, zero, s, c)
        case 1:
            rows = (c, zero, s, zero, one, zero, -s, zero, c)
        case _:
            rows = (c, -s, zero, s, c, zero, zero, zero, one)
    return torch.stack(rows, dim=-1).reshape(-1, 3, 3)


def _fixed_rotation(joint: Joint, like: Tensor) -> Tensor:
    """(3, 3) rotation of the joint's origin; the arms only have a small pitch there."""
    assert joint.rpy[0] == joint.rpy[2] == 0.0
    return _axis_rotation((0.0, 1.0, 0.0), torch.tensor([joint.rpy[1]], dtype=like.dtype, device=like.device))[0]


def forward_kinematics(q: Float[Tensor, "B 7"]) -> HandPose:
    """Hand frame (see core.types.Command) of left-canonical joint values, rad."""
    pos = q.new_zeros(q.shape[0], 3)
    rotation = torch.eye(3, dtype=q.dtype, device=q.device).expand(q.shape[0], 3, 3)
    origins, axes = [], []
    for i, joint in enumerate(ARM_JOINTS):
        pos = pos + rotation @ q.new_tensor(joint.pos)
        if any(joint.rpy):
            rotation = rotation @ _fixed_rotation(joint, q)
        origins.append(pos)
        axes.append(rotation @ q.new_tensor(joint.axis))
        rotation = rotation @ _axis_rotation(joint.axis, q[:, i])
    pos = pos + rotation @ q.new_tensor([0.0, HAND_FRAME_OFFSET_M[0], 0.0])
    axis = torch.stack(axes, dim=-1)  # (B, 3, 7)
    lever = pos[:, :, None] - torch.stack(origins, dim=-1)
    jacobian = torch.cat((torch.cross(axis, lever, dim=1), axis), dim=1)
    return HandPose(pos, quat_from_matrix(rotation @ _HAND_FROM_LINK.to(q)), jacobian)


def pose_error(
    pose: HandPose, target_pos: Float[Tensor, "B 3"], target_quat: Float[Tensor, "B 4"]
) -> Float[Tensor, "B 6"]:
    """Position error in m and rotation vector in rad that take the hand to the target, base axes."""
    return torch.cat((target_pos - pose.pos, rotation_error(pose.quat, target_quat)), dim=-1)


def damped_step(
    jacobian: Float[Tensor, "B 6 7"],
    error: Float[Tensor, "B 6"],
    pull: Float[Tensor, "B 7"],
    damping: float,
) -> Float[Tensor, "B 7"]:
    """dq of damped least squares, with `pull` (a joint motion) projected into the null space of the task."""
    jt = jacobian.transpose(1, 2)
    gram = jacobian @ jt + damping**2 * torch.eye(6, dtype=error.dtype, device=error.device)
    task = error - (jacobian @ pull[..., None]).squeeze(-1)
    return pull + (jt @ torch.linalg.solve(gram, task[..., None])).squeeze(-1)


def inverse_kinematics(
    target_pos: Float[Tensor, "B 3"],
    target_quat: Float[Tensor, "B 4"],
    start: Float[Tensor, "B 7"],
    rest: Float[Tensor, "7"],
    iterations: int = 60,
    rest_gain: float = 0.02,
) -> tuple[Float[Tensor, "B 7"], Float[Tensor, "B"], Float[Tensor, "B"]]:
    """Joint values that reach left-canonical targets, their position error (m) and rotation error (rad).

    Levenberg-Marquardt-like damped least squares from `start`, with the free direction drawn to `rest`, inside limits.
    """
    q = start.clone()
    lower, upper = LOWER.to(q), UPPER.to(q)
    for _ in range(iterations):
        pose = forward_kinematics(q)
        step = damped_step(
            pose.jacobian, pose_error(pose, target_pos, target_quat), rest_gain * (rest - q), damping=0.05
        )
        q = (q + step.clamp(-0.3, 0.3)).clamp(lower, upper)
    error = pose_error(forward_kinematics(q), target_pos, target_quat)
    return q, error[:, :3].norm(dim=-1), error[:, 3:].norm(dim=-1)


def gravity_torque(q: Float[Tensor, "B 7"], gravity_b: Float[Tensor, "B 3"]) -> Float[Tensor, "B 7"]:
    """Joint torques (Nm) that hold the arm's own weight; `gravity_b` is the unit vector along gravity, base axes."""
    pos = q.new_zeros(q.shape[0], 3)
    rotation = torch.eye(3, dtype=q.dtype, device=q.device).expand(q.shape[0], 3, 3)
    origins, axes, weights, points = [], [], [], []
    for i, joint in enumerate(ARM_JOINTS):
        pos = pos + rotation @ q.new_tensor(joint.pos)
        if any(joint.rpy):
            rotation = rotation @ _fixed_rotation(joint, q)
        origins.append(pos)
        axes.append(rotation @ q.new_tensor(joint.axis))
        rotation = rotation @ _axis_rotation(joint.axis, q[:, i])
        link = LINK_BY_NAME[joint.child]
        points.append(pos + rotation @ q.new_tensor(link.com))
        weights.append(link.mass * GRAVITY_M_S2 * gravity_b)
    torque = torch.zeros_like(q)
    for i in range(NUM_ARM_JOINTS):
        for k in range(i, NUM_ARM_JOINTS):
            moment = torch.cross(points[k] - origins[i], weights[k], dim=-1)
            torque[:, i] -= (axes[i] * moment).sum(dim=-1)
    return torque


def palm_normal(quat: Float[Tensor, "B 4"]) -> Float[Tensor, "B 3"]:
    """Unit vector out of the left-canonical palm (hand -y), base axes."""
    return quat_rotate(quat, quat.new_tensor([0.0, -1.0, 0.0]).expand(*quat.shape[:-1], 3))
