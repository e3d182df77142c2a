"""One raw sample of a headset and its controllers, and the fixed bytes that carry it between processes and into files.

Poses are in the runtime's floor frame with our axes: x forward, y left, z up (m, wxyz).
"""

import math
import struct
from dataclasses import dataclass, field, replace
from enum import IntFlag

from core.teleop.poses import ORIGIN, Pose
from core.teleop.samples import ZERO, Vector3


class Button(IntFlag):
    """Buttons of one controller."""

    PRIMARY = 1
    "A on the right, X on the left controller"
    SECONDARY = 2
    "B on the right, Y on the left controller"
    MENU = 4
    STICK = 8
    "the thumbstick pressed down"
    TRIGGER = 16
    "the trigger pressed through"


class Flag(IntFlag):
    """What is true of a pose or a controller."""

    ACTIVE = 1
    "the runtime delivers this controller's input to us"
    VALID = 2
    "position and rotation mean something"
    TRACKED = 4
    "and they are measured now, not guessed"


NOTHING = Flag(0)
NO_BUTTON = Button(0)
TRACKED = Flag.ACTIVE | Flag.VALID | Flag.TRACKED


@dataclass(frozen=True)
class XrHand:
    """One controller."""

    flags: Flag = NOTHING
    buttons: Button = NO_BUTTON
    grip: Pose = ORIGIN
    "the middle of the closed fist"
    aim: Pose = ORIGIN
    "the pointing ray"
    linear_m_s: Vector3 = ZERO
    angular_rad_s: Vector3 = ZERO
    trigger: float = 0.0
    "0 to 1"
    squeeze: float = 0.0
    "0 to 1"
    stick: tuple[float, float] = (0.0, 0.0)
    "to the right, away from the operator: -1 to 1"

    @property
    def tracked(self) -> bool:
        """Whether its pose may move a robot."""
        return TRACKED in self.flags


@dataclass(frozen=True)
class XrSample:
    """Everything at one moment."""

    sequence: int
    "counts the samples of one input process"
    time_s: float
    "monotonic time of the poses, comparable between the processes of one machine"
    focused: bool = False
    "the runtime gives its input to us"
    recentres: int = 0
    "how often the frame of the poses was moved: another number invalidates what was latched"
    head_flags: Flag = NOTHING
    head: Pose = ORIGIN
    left: XrHand = field(default_factory=XrHand)
    right: XrHand = field(default_factory=XrHand)


UNIT_TOLERANCE = 0.02
"""How far the square of a rotation's norm may be from 1."""


def without_nonsense(sample: XrSample) -> XrSample:
    """The sample, with what is no measurement taken out: NaN, infinity, a rotation that is none.

    Such a hand is one that is not tracked, with nothing squeezed or tilted; its buttons stay, a stop is among them.
    """
    head_flags = sample.head_flags if _makes_sense(sample.head) else NOTHING
    left, right = _sensible(sample.left), _sensible(sample.right)
    if head_flags is sample.head_flags and left is sample.left and right is sample.right:
        return sample
    head = sample.head if head_flags else ORIGIN
    return replace(sample, head_flags=head_flags, head=head, left=left, right=right)


def _sensible(hand: XrHand) -> XrHand:
    scalars = (hand.trigger, hand.squeeze, *hand.stick, *hand.linear_m_s, *hand.angular_rad_s)
    if _makes_sense(hand.grip) and _makes_sense(hand.aim) and all(map(math.isfinite, scalars)):
        return hand
    return XrHand(flags=hand.flags & Flag.ACTIVE, buttons=hand.buttons)


def _makes_sense(pose: Pose) -> bool:
    norm = sum(part * part for part in pose.quat)
    return abs(norm - 1.0) <= UNIT_TOLERANCE and all(map(math.isfinite, pose.pos))


MAGIC = b"XRS1"
_HEAD = struct.Struct("<4sQd?3xIII7f")
_HAND = struct.Struct("<II7f7f3f3fff2f")
SAMPLE_BYTES = _HEAD.size + 2 * _HAND.size


class SampleError(ValueError):
    """Bytes that are not a sample of this version."""


def pack(sample: XrSample) -> bytes:
    """The fixed bytes of a sample; floats as float32 (1e-7 of a metre), the time as float64."""
    flags = sample.focused, sample.recentres, sample.head_flags, 0
    head = _HEAD.pack(MAGIC, sample.sequence, sample.time_s, *flags, *_flat(sample.head))
    return head + _pack_hand(sample.left) + _pack_hand(sample.right)


def unpack(data: bytes) -> XrSample:
    """Inverse of `pack`. Raises SampleError for other bytes."""
    if len(data) != SAMPLE_BYTES or data[:4] != MAGIC:
        raise SampleError(
            f"{len(data)} bytes that begin with {data[:4]!r}: a sample has {SAMPLE_BYTES} and begins with {MAGIC!r}"
        )
    _, sequence, time_s, focused, recentres, head_flags, _, *head = _HEAD.unpack_from(data)
    left = _unpack_hand(data, _HEAD.size)
    right = _unpack_hand(data, _HEAD.size + _HAND.size)
    return XrSample(sequence, time_s, focused, recentres, Flag(head_flags), _pose(head), left, right)


def _flat(pose: Pose) -> tuple[float, ...]:
    return (*pose.pos, *pose.quat)


def _pose(numbers: list[float]) -> Pose:
    x, y, z, qw, qx, qy, qz = numbers
    return Pose((x, y, z), (qw, qx, qy, qz))


def _pack_hand(hand: XrHand) -> bytes:
    return _HAND.pack(
        hand.flags, hand.buttons, *_flat(hand.grip), *_flat(hand.aim), *hand.linear_m_s, *hand.angular_rad_s,
        hand.trigger, hand.squeeze, *hand.stick,
    )  # fmt: skip


def _unpack_hand(data: bytes, offset: int) -> XrHand:
    flags, buttons, *numbers = _HAND.unpack_from(data, offset)
    linear, angular = numbers[14:17], numbers[17:20]
    return XrHand(
        flags=Flag(flags),
        buttons=Button(buttons),
        grip=_pose(numbers[0:7]),
        aim=_pose(numbers[7:14]),
        linear_m_s=(linear[0], linear[1], linear[2]),
        angular_rad_s=(angular[0], angular[1], angular[2]),
        trigger=numbers[20],
        squeeze=numbers[21],
        stick=(numbers[22], numbers[23]),
    )
