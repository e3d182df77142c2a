"""Trembling: what is fast counts, what is slow does not, and a stiff robot does not tremble until it is shaken."""

import math
from pathlib import Path

import torch

from core.control.evaluation.trembling import CUTOFF_HZ, TremblingConfig, above_cutoff, evaluate_trembling
from core.control.ik_arms import IkArmController
from core.control.lower import LowerController
from core.control.whole_body import CONTROLLERS
from core.types import CONTROL_PERIOD_S

SMALL = TremblingConfig(num_worlds=3, settle_s=1.0, measured_s=1.0)


class Shaken:
    """Inverse kinematics whose targets alternate by `size_rad` every control period."""

    def __init__(self, size_rad: float) -> None:
        self._arms, self._size = IkArmController(gravity_compensation=True), size_rad

    def reset(self, worlds: torch.Tensor) -> None:
        self._arms.reset(worlds)

    def act(self, state, hand_pos_b, hand_quat_b) -> torch.Tensor:
        self._size = -self._size
        return self._arms.act(state, hand_pos_b, hand_quat_b) + self._size


def legs(folder: Path = CONTROLLERS) -> LowerController:
    return LowerController.load(folder / "lower.safetensors")


def test_that_a_fast_sine_passes_whole_and_a_slow_one_not_at_all():
    time = torch.arange(500) * CONTROL_PERIOD_S
    slow, fast = torch.sin(2 * math.pi * 2.0 * time), torch.sin(2 * math.pi * 2 * CUTOFF_HZ * time)
    found = above_cutoff((slow + fast + 5.0)[:, None, None])[100:-100, 0, 0]
    torch.testing.assert_close(found, fast.double()[100:-100], atol=0.02, rtol=0)


def test_that_shaken_targets_show_and_still_ones_do_not():
    still = evaluate_trembling(legs(), IkArmController(gravity_compensation=True), SMALL)
    shaken = evaluate_trembling(legs(), Shaken(0.05), SMALL)
    assert still.joints_rad_s < 0.02
    assert shaken.joints_rad_s > 0.1
    assert shaken.trunk_rad_s > 5 * still.trunk_rad_s
    assert shaken.worst_joints_rad_s >= shaken.joints_rad_s
