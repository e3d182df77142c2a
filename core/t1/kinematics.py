"""Batched forward kinematics of the T1 in torch, from the facts: hand, grasp and sole frames, centre of mass.

Left and right limb have the same joint axes, so both are walked at once: chains carry (3, 2, N) tensors. Every
joint turns about a coordinate axis, so a rotation only mixes two columns of the link's rotation matrix.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from core.rigid import quat_from_matrix, quat_mul, quat_rotate
from core.t1.collision import GRASP_POS_LEFT_M
from core.t1.facts import JOINTS, LINKS
from core.t1.model import (
    HAND_FRAME_OFFSET_M,
    HEAD,
    LEFT_ARM,
    LEFT_LEG,
    RIGHT_ARM,
    RIGHT_LEG,
    SOLE_Z_M,
    TOTAL_MASS_KG,
    WAIST,
)
from core.types import Batched

LINK_BY_NAME = {link.name: link for link in LINKS}


@dataclass
class RobotFrames(Batched):
    """Frames of the robot, left then right, all in one frame: base or world."""

    hand_pos: Float[Tensor, "N 2 3"]
    "(N, 2, 3) m, palm centres"
    hand_quat: Float[Tensor, "N 2 4"]
    "(N, 2, 4) wxyz; grasp frames have the same rotation"
    grasp_pos: Float[Tensor, "N 2 3"]
    "(N, 2, 3) m, middle between the fingertips"
    foot_pos: Float[Tensor, "N 2 3"]
    "(N, 2, 3) m, sole frames"
    foot_quat: Float[Tensor, "N 2 4"]
    "(N, 2, 4) wxyz"
    com: Float[Tensor, "N 3"]
    "(N, 3) m, centre of mass of the whole robot"


@dataclass(frozen=True)
class _Chain:
    """Constants of S parallel limbs with K joints each (S = 2: left and right)."""

    joints: Tensor
    "(K, S) canonical indices"
    axes: tuple[int, ...]
    "coordinate axis of each joint"
    offset: Tensor
    "(K, 3, S, 1) joint origin in the parent link, m"
    mass: Tensor
    "(K, S, 1) kg of the link that the joint moves"
    com: Tensor
    "(K, 3, S, 1) m"


@dataclass
class _LinkFrame:
    """Rotation as three columns and position, each (3, S, N): worlds last, because that is what a CPU does fast."""

    x: Tensor
    y: Tensor
    z: Tensor
    pos: Tensor

    def point(self, local: Tensor) -> Tensor:
        """Point given in link axes (3, S, 1), (3, S, N)."""
        return torch.addcmul(
            torch.addcmul(torch.addcmul(self.pos, self.x, local[0]), self.y, local[1]), self.z, local[2]
        )

    def turned(self, axis: int, cos: Tensor, sin: Tensor, pos: Tensor) -> "_LinkFrame":
        """Frame turned about one of its own axes; cos and sin (S, N)."""
        columns = [self.x, self.y, self.z]
        j, k = (axis + 1) % 3, (axis + 2) % 3
        first = torch.addcmul(cos * columns[j], sin, columns[k])
        columns[k] = torch.addcmul(cos * columns[k], sin, columns[j], value=-1)
        columns[j] = first
        return _LinkFrame(columns[0], columns[1], columns[2], pos)


_ARM_LIMBS = (tuple(LEFT_ARM.tolist()), tuple(RIGHT_ARM.tolist()))
_LEG_LIMBS = (tuple(LEFT_LEG.tolist()), tuple(RIGHT_LEG.tolist()))
_HEAD_LIMB = (tuple(HEAD.tolist()),)
_WAIST_LIMB = ((WAIST,),)


def _constant(rows: Sequence[object], dtype: torch.dtype, device: torch.device) -> Tensor:
    """(S, K, ...) nested rows to (K, ..., S, 1)."""
    return torch.tensor(rows, dtype=dtype, device=device).movedim(0, -1)[..., None].contiguous()


@lru_cache(maxsize=32)
def _chain(limbs: tuple[tuple[int, ...], ...], dtype: torch.dtype, device: torch.device) -> _Chain:
    """Constants of parallel limbs, each given by the canonical indices of its joints from the root outwards."""
    joints = [[JOINTS[index] for index in limb] for limb in limbs]
    axes = [[int(np.argmax(joint.axis)) for joint in limb] for limb in joints]
    assert all(limb == axes[0] for limb in axes), "parallel limbs share their axes"
    links = [[LINK_BY_NAME[joint.child] for joint in limb] for limb in joints]
    return _Chain(
        joints=torch.tensor(limbs, device=device).T.contiguous(),
        axes=tuple(axes[0]),
        offset=_constant([[joint.pos for joint in limb] for limb in joints], dtype, device),
        mass=_constant([[link.mass for link in limb] for limb in links], dtype, device),
        com=_constant([[link.com for link in limb] for limb in links], dtype, device),
    )


@lru_cache(maxsize=32)
def _fixed_angles(dtype: torch.dtype, device: torch.device) -> Tensor:
    """(29, 1) fixed rotation of each joint frame, rad: on this robot always about the joint's own axis."""
    angles = []
    for joint in JOINTS:
        assert max(joint.axis) == 1.0, f"{joint.name}: turns about a coordinate axis"
        assert not any(r for r, along in zip(joint.rpy, joint.axis) if not along), (
            f"{joint.name}: frame turned off axis"
        )
        angles.append([joint.rpy[int(np.argmax(joint.axis))]])
    return torch.tensor(angles, dtype=dtype, device=device)


@lru_cache(maxsize=32)
def _end_offsets(dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Hand, grasp and sole origins in their links, each (3, 2, 1), and the left-right sign (2, 1)."""
    x, y, z = GRASP_POS_LEFT_M
    approach = HAND_FRAME_OFFSET_M[0]
    rows = (
        [[0.0, approach, 0.0], [0.0, -approach, 0.0]],
        [[x, y, z], [x, -y, z]],
        [[0.0, 0.0, SOLE_Z_M], [0.0, 0.0, SOLE_Z_M]],
        [1.0, -1.0],
    )
    hand, grasp, sole, sign = (_constant(row, dtype, device) for row in rows)
    return hand, grasp, sole, sign


def _base_frame(joint_pos: Tensor) -> _LinkFrame:
    eye = torch.eye(3, dtype=joint_pos.dtype, device=joint_pos.device)[..., None, None]  # (3, 3, 1, 1)
    return _LinkFrame(eye[0], eye[1], eye[2], torch.zeros_like(eye[0]))


def _walk(root: _LinkFrame, limbs: tuple[tuple[int, ...], ...], cos: Tensor, sin: Tensor) -> tuple[_LinkFrame, Tensor]:
    """Frame of each limb's last link, and the limbs' summed mass x position (3, N); cos and sin (29, N)."""
    chain = _chain(limbs, cos.dtype, cos.device)
    cos, sin = cos[chain.joints], sin[chain.joints]  # (K, S, N)
    frame = root
    moment = cos.new_zeros(3, 1, 1)
    for k, axis in enumerate(chain.axes):
        frame = frame.turned(axis, cos[k], sin[k], frame.point(chain.offset[k]))
        moment = torch.addcmul(moment, frame.point(chain.com[k]), chain.mass[k])
    return frame, moment.sum(dim=1)


def _rows(points: Tensor) -> Tensor:
    """(3, S, N) to (N, S, 3)."""
    return points.permute(2, 1, 0)


def frames_b(joint_pos: Float[Tensor, "N 29"]) -> RobotFrames:
    """Frames in the base (Trunk) frame from joint positions (canonical order, rad)."""
    dtype, device = joint_pos.dtype, joint_pos.device
    angle = joint_pos.T + _fixed_angles(dtype, device)  # (29, N)
    cos, sin = torch.cos(angle), torch.sin(angle)
    base = _base_frame(joint_pos)
    hands, arm_moment = _walk(base, _ARM_LIMBS, cos, sin)
    waist, waist_moment = _walk(base, _WAIST_LIMB, cos, sin)
    feet, leg_moment = _walk(waist, _LEG_LIMBS, cos, sin)
    _, head_moment = _walk(base, _HEAD_LIMB, cos, sin)
    trunk = LINK_BY_NAME["Trunk"]
    trunk_moment = torch.tensor([[trunk.mass * value] for value in trunk.com], dtype=dtype, device=device)
    moment = trunk_moment + arm_moment + waist_moment + leg_moment + head_moment  # (3, N)

    hand_offset, grasp_offset, sole_offset, sign = _end_offsets(dtype, device)
    # columns of the hand frame in hand_link axes: left y, z, x; right -y, -z, x
    hand_columns = torch.stack((sign * hands.y, sign * hands.z, hands.x))  # (column, row, 2, N)
    foot_columns = torch.stack((feet.x, feet.y, feet.z))
    matrix = torch.cat((hand_columns, foot_columns), dim=2).permute(3, 2, 1, 0)  # (N, 4, row, column)
    quat = quat_from_matrix(matrix)
    return RobotFrames(
        hand_pos=_rows(hands.point(hand_offset)),
        hand_quat=quat[:, :2],
        grasp_pos=_rows(hands.point(grasp_offset)),
        foot_pos=_rows(feet.point(sole_offset)),
        foot_quat=quat[:, 2:],
        com=moment.T / TOTAL_MASS_KG,
    )


def frames_w(
    base_pos_w: Float[Tensor, "N 3"], base_quat_w: Float[Tensor, "N 4"], joint_pos: Float[Tensor, "N 29"]
) -> RobotFrames:
    """Frames in the world from the base pose and joint positions."""
    b = frames_b(joint_pos)
    points = torch.cat((b.hand_pos, b.grasp_pos, b.foot_pos, b.com[:, None]), dim=1)  # (N, 7, 3)
    points = base_pos_w[:, None] + quat_rotate(base_quat_w[:, None], points)
    quats = quat_mul(base_quat_w[:, None], torch.cat((b.hand_quat, b.foot_quat), dim=1))
    return RobotFrames(points[:, :2], quats[:, :2], points[:, 2:4], points[:, 4:6], quats[:, 2:], points[:, 6])
