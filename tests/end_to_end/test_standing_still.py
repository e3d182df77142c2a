"""The shipped controllers together: a robot that is told to stand does not tremble, wherever its hands are."""

from core.control.evaluation.trembling import TremblingConfig, evaluate_trembling
from core.control.lower import LowerController
from core.control.upper import UpperController
from core.control.whole_body import CONTROLLERS


def test_that_a_standing_robot_does_not_tremble() -> None:
    """Without the low-pass of pi_upper's targets arms and base excite each other: 1.2 rad/s."""
    legs = LowerController.load(CONTROLLERS / "lower.safetensors")
    arms = UpperController.load(CONTROLLERS / "upper.safetensors")
    report = evaluate_trembling(legs, arms, TremblingConfig(num_worlds=12, settle_s=4.0, measured_s=2.0))
    assert report.worst_trunk_rad_s < 0.05
    assert report.worst_joints_rad_s < 0.1
