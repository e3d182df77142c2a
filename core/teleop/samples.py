"""What an operator's device yields, whatever the device: one sample with its time (no torch)."""

from dataclasses import dataclass

Vector3 = tuple[float, float, float]
ZERO: Vector3 = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class HandSample:
    """How one hand is asked to move, in the heading frame (base, yaw only). Values are fractions of full rate."""

    linear: Vector3 = ZERO
    "forward, left, up: -1 to 1"
    angular: Vector3 = ZERO
    "about forward, left, up: -1 to 1"
    grip: float = 0.0
    "-1 opens, 1 closes"


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
