"""What an operator's device yields, whatever the device: one sample with its time (no torch)."""

from dataclasses import dataclass

Vector3 = tuple[float, float, float]
Quaternion = tuple[float, float, float, float]
ZERO: Vector3 = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Follow:
    """A tracked hand of the operator that a hand of the robot follows, by what it moved since it took over."""

    engagement: int
    "counts: another number means that the operator let go and took over anew"
    pos: Vector3
    "m, scaled to the robot; axes: the heading that the operator had when taking over (forward, left, up)"
    quat: Quaternion
    "wxyz, same axes"
    trigger: float = 0.0
    "0 released to 1 pulled: closes the gripper"


@dataclass(frozen=True)
class HandSample:
    """How one hand is asked to move, in the heading frame (base, yaw only). Values are fractions of full rate."""

    linear: Vector3 = ZERO
    "forward, left, up: -1 to 1"
    angular: Vector3 = ZERO
    "about forward, left, up: -1 to 1"
    grip: float = 0.0
    "-1 opens, 1 closes"
    follow: Follow | None = None
    "instead of the rates: a hand to follow"


@dataclass(frozen=True)
class OperatorSample:
    """What the operator asks for at one moment."""

    time_s: float
    "monotonic time of the sample; while nothing is pressed it is always fresh"
    base: Vector3 = ZERO
    "forward, left, turn left: -1 to 1 of full speed"
    left: HandSample = HandSample()
    right: HandSample = HandSample()
    precise: bool = False
    "everything at a fraction of the rate"
    halt: bool = False
    "the base stops at once, without the ramp: the operator was lost"
    home: bool = False
    "hands that follow nobody go back to where the episode began"
