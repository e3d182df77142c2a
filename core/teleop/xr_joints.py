"""The joints of the operator's fingers, where a runtime has them (XR_EXT_hand_tracking), and their fixed bytes.

Nothing commands the robot with them: its grippers have one degree of freedom. They are shown and recorded.
"""

import struct
from dataclasses import dataclass

from core.teleop.poses import Pose
from core.teleop.xr_sample import SampleError

FINGERS = ("thumb", "index", "middle", "ring", "little")
JOINT_NAMES = (
    "palm", "wrist",
    *(f"thumb_{part}" for part in ("metacarpal", "proximal", "distal", "tip")),
    *(f"{finger}_{part}" for finger in FINGERS[1:]
      for part in ("metacarpal", "proximal", "intermediate", "distal", "tip")),
)  # fmt: skip
"""In the order of the extension (XrHandJointEXT)."""
JOINTS = len(JOINT_NAMES)
Joints = tuple[Pose, ...]
"""One pose for each name, in the frame of the samples (m, wxyz)."""


@dataclass(frozen=True)
class XrJoints:
    """Both hands at one moment; None for a hand that is not seen."""

    time_s: float
    "monotonic"
    left: Joints | None = None
    right: Joints | None = None

    def __post_init__(self) -> None:
        for hand in (self.left, self.right):
            if hand is not None and len(hand) != JOINTS:
                raise ValueError(f"a hand has {JOINTS} joints, got {len(hand)}")


_HEAD = struct.Struct("<dB7x")
_HAND = struct.Struct(f"<{7 * JOINTS}f")
_NOBODY = b"\0" * _HAND.size
JOINTS_BYTES = _HEAD.size + 2 * _HAND.size


def pack_joints(joints: XrJoints) -> bytes:
    """The fixed bytes; floats as float32, the time as float64."""
    hands = (joints.left, joints.right)
    seen = sum(1 << side for side, hand in enumerate(hands) if hand is not None)
    return _HEAD.pack(joints.time_s, seen) + b"".join(_NOBODY if hand is None else _pack_hand(hand) for hand in hands)


def _pack_hand(hand: Joints) -> bytes:
    return _HAND.pack(*(number for pose in hand for number in (*pose.pos, *pose.quat)))


def unpack_joints(data: bytes) -> XrJoints:
    """Inverse of `pack_joints`. Raises SampleError for other bytes."""
    if len(data) != JOINTS_BYTES:
        raise SampleError(f"{len(data)} bytes: the joints of both hands have {JOINTS_BYTES}")
    time_s, seen = _HEAD.unpack_from(data)
    left, right = (_unpack_hand(data, side) if seen & 1 << side else None for side in (0, 1))
    return XrJoints(time_s, left, right)


def _unpack_hand(data: bytes, side: int) -> Joints:
    n = _HAND.unpack_from(data, _HEAD.size + side * _HAND.size)
    return tuple(
        Pose((n[k], n[k + 1], n[k + 2]), (n[k + 3], n[k + 4], n[k + 5], n[k + 6])) for k in range(0, 7 * JOINTS, 7)
    )
