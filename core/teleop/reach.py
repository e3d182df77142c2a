"""Reach calibration: from arms held straight forward to the scale between the operator's motion and the robot's."""

from core.teleop.poses import Pose, about_z, rotate, yaw_of
from core.teleop.samples import Vector3
from core.teleop.xr_sample import Flag, XrSample

ROBOT_REACH_M = 0.525
"""Shoulder to palm centre of the T1 with a straight arm (core.t1.kinematics at zero; checked by a test)."""
SHORTEST_M, LONGEST_M = 0.4, 0.95
"""Of a person's arm, shoulder to fist."""
UNEVEN_M = 0.12
"""How much further one hand may be forward than the other."""
LOW_M, HIGH_M = -0.60, 0.10
"""Height of the fists relative to the eyes, for arms that are straight forward."""


class ReachError(ValueError):
    """The arms are not straight forward, or nothing is tracked."""


def reach_scale(sample: XrSample) -> float:
    """Robot's reach over the operator's. Raises ReachError that says what to do."""
    hands = {"left": sample.left, "right": sample.right}
    lost = [name for name, hand in hands.items() if not hand.tracked]
    if Flag.VALID not in sample.head_flags or lost:
        raise ReachError(
            f"reach: {' and '.join(lost) or 'the head'} not tracked; hold both controllers where you see them"
        )
    forward = {name: _seen_from_head(sample.head, hand.grip.pos) for name, hand in hands.items()}
    for name, (x, _, z) in forward.items():
        if not (SHORTEST_M <= x <= LONGEST_M and LOW_M <= z <= HIGH_M):
            raise ReachError(
                f"reach: the {name} fist is {x:.2f} m in front and {z:+.2f} m above the eyes; hold both arms straight "
                f"forward at shoulder height ({SHORTEST_M} to {LONGEST_M} m, {LOW_M} to {HIGH_M} m)"
            )
    left, right = forward["left"][0], forward["right"][0]
    if abs(left - right) > UNEVEN_M:
        raise ReachError(f"reach: left {left:.2f} m, right {right:.2f} m: hold both arms equally far forward")
    return ROBOT_REACH_M / (0.5 * (left + right))


def _seen_from_head(head: Pose, point: Vector3) -> Vector3:
    """Forward, left and up of the operator's head, by its heading only, m."""
    away = (point[0] - head.pos[0], point[1] - head.pos[1], point[2] - head.pos[2])
    return rotate(about_z(-yaw_of(head.quat)), away)
