"""Batched forward kinematics of the T1 in torch, from the facts: hand, grasp and sole frames, centre of mass.

Left and right limb have the same joint axes, so both are walked at once: chains carry (N, 2, ...) tensors. Every
joint turns about a coordinate axis, so a rotation only mixes two columns of the link's rotation matrix.
"""

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

    axes: tuple[int, ...]
    "coordinate axis of each joint"
    offset: Tensor
    "(K, S, 3) joint origin in the parent link, m"
    angle: Tensor
    "(K, S) fixed rotation of the joint frame about its own axis, rad"
    mass: Tensor
    "(K, S, 1) kg of the link that the joint moves"
    com: Tensor
    "(K, S, 3) m"


@dataclass
class _LinkFrame:
    """Rotation as three columns and position, each (N, S, 3)."""

    x: Tensor
    y: Tensor
    z: Tensor
    pos: Tensor

    def point(self, local: Tensor) -> Tensor:
        """Point given in link axes (S, 3), (N, S, 3)."""
        return self.pos + self.x * local[:, 0:1] + self.y * local[:, 1:2] + self.z * local[:, 2:3]

    def turned(self, axis: int, cos: Tensor, sin: Tensor, pos: Tensor) -> "_LinkFrame":
        """Frame turned about one of its own axes; cos and sin (N, S, 1)."""
        columns = [self.x, self.y, self.z]
        j, k = (axis + 1) % 3, (axis + 2) % 3
        columns[j], columns[k] = cos * columns[j] + sin * columns[k], cos * columns[k] - sin * columns[j]
        return _LinkFrame(columns[0], columns[1], columns[2], pos)


@lru_cache(maxsize=32)
def _chain(limbs: tuple[tuple[int, ...], ...], dtype: torch.dtype, device: torch.device) -> _Chain:
    """Constants of parallel limbs, each given by the canonical indices of its joints from the root outwards."""
    joints = [[JOINTS[index] for index in limb] for limb in limbs]
    axes = [[int(np.argmax(joint.axis)) for joint in limb] for limb in joints]
    assert all(limb == axes[0] for limb in axes), "parallel limbs share their axes"
    for joint in (joint for limb in joints for joint in limb):
        off_axis = [value for value, along in zip(joint.rpy, joint.axis) if not along]
        assert max(joint.axis) == 1.0, f"{joint.name}: turns about a coordinate axis"
        assert not any(off_axis), f"{joint.name}: the joint frame is turned about the joint's own axis only"

    def stack(rows: list[list[object]]) -> Tensor:
        return torch.tensor(rows, dtype=dtype, device=device).transpose(0, 1).contiguous()  # (K, S, ...)

    return _Chain(
        axes=tuple(axes[0]),
        offset=stack([[joint.pos for joint in limb] for limb in joints]),
        angle=stack([[joint.rpy[a] for joint, a in zip(limb, axes[0])] for limb in joints]),
        mass=stack([[(LINK_BY_NAME[joint.child].mass,) for joint in limb] for limb in joints]),
        com=stack([[LINK_BY_NAME[joint.child].com for joint in limb] for limb in joints]),
    )


_ARM_LIMBS = (tuple(LEFT_ARM.tolist()), tuple(RIGHT_ARM.tolist()))
_LEG_LIMBS = (tuple(LEFT_LEG.tolist()), tuple(RIGHT_LEG.tolist()))
_HEAD_LIMB = (tuple(HEAD.tolist()),)
_WAIST_LIMB = ((WAIST,),)


@lru_cache(maxsize=32)
def _end_offsets(dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Hand, grasp and sole origins in their links (2, 3), and the left-right sign (2, 1)."""
    x, y, z = GRASP_POS_LEFT_M
    hand = [[0.0, HAND_FRAME_OFFSET_M[0], 0.0], [0.0, -HAND_FRAME_OFFSET_M[0], 0.0]]
    values = (hand, [[x, y, z], [x, -y, z]], [[0.0, 0.0, SOLE_Z_M]] * 2, [[1.0], [-1.0]])
    hand_t, grasp_t, sole_t, sign_t = (torch.tensor(value, dtype=dtype, device=device) for value in values)
    return hand_t, grasp_t, sole_t, sign_t


def _base_frame(joint_pos: Tensor) -> _LinkFrame:
    eye = torch.eye(3, dtype=joint_pos.dtype, device=joint_pos.device)[:, None, None]  # (3, 1, 1, 3)
    return _LinkFrame(eye[0], eye[1], eye[2], torch.zeros_like(eye[0]))


def _walk(root: _LinkFrame, limbs: tuple[tuple[int, ...], ...], cos: Tensor, sin: Tensor) -> tuple[_LinkFrame, Tensor]:
    """Frame of each limb's last link, and the limbs' summed mass x position (N, 3)."""
    chain = _chain(limbs, cos.dtype, cos.device)
    frame = root
    moment = torch.zeros_like(cos[:, :1]).expand(-1, 3)
    for k, axis in enumerate(chain.axes):
        index = [limb[k] for limb in limbs]
        frame = frame.turned(axis, cos[:, index, None], sin[:, index, None], frame.point(chain.offset[k]))
        moment = moment + (chain.mass[k] * frame.point(chain.com[k])).sum(dim=1)
    return frame, moment


@lru_cache(maxsize=32)
def _fixed_angles(dtype: torch.dtype, device: torch.device) -> Tensor:
    """(29,) fixed rotation of each joint frame about the joint's own axis, rad."""
    angles = torch.zeros(len(JOINTS), dtype=dtype, device=device)
    for limbs in (_ARM_LIMBS, _LEG_LIMBS, _HEAD_LIMB, _WAIST_LIMB):
        angle = _chain(limbs, dtype, device).angle
        for s, limb in enumerate(limbs):
            angles[list(limb)] = angle[:, s]
    return angles


def frames_b(joint_pos: Float[Tensor, "N 29"]) -> RobotFrames:
    """Frames in the base (Trunk) frame from joint positions (canonical order, rad)."""
    dtype, device = joint_pos.dtype, joint_pos.device
    angle = joint_pos + _fixed_angles(dtype, device)
    cos, sin = torch.cos(angle), torch.sin(angle)
    base = _base_frame(joint_pos)
    hands, arm_moment = _walk(base, _ARM_LIMBS, cos, sin)
    waist, waist_moment = _walk(base, _WAIST_LIMB, cos, sin)
    feet, leg_moment = _walk(waist, _LEG_LIMBS, cos, sin)
    _, head_moment = _walk(base, _HEAD_LIMB, cos, sin)
    trunk = LINK_BY_NAME["Trunk"]
    trunk_moment = torch.tensor([trunk.mass * value for value in trunk.com], dtype=dtype, device=device)

    hand_offset, grasp_offset, sole_offset, sign = _end_offsets(dtype, device)
    # columns of the hand frame in hand_link axes: left y, z, x; right -y, -z, x
    hand_matrix = torch.stack((sign * hands.y, sign * hands.z, hands.x), dim=-1)  # (N, 2, 3, 3)
    foot_matrix = torch.stack((feet.x, feet.y, feet.z), dim=-1)
    quat = quat_from_matrix(torch.cat((hand_matrix, foot_matrix), dim=1))
    return RobotFrames(
        hand_pos=hands.point(hand_offset),
        hand_quat=quat[:, :2],
        grasp_pos=hands.point(grasp_offset),
        foot_pos=feet.point(sole_offset),
        foot_quat=quat[:, 2:],
        com=(trunk_moment + arm_moment + waist_moment + leg_moment + head_moment) / TOTAL_MASS_KG,
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
