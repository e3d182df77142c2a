"""Late joint targets: whole periods, parts of one, and where an episode begins."""

import pytest
import torch

from core.control.training.late_targets import LateTargets
from core.types import CONTROL_PERIOD_S


def _late(*delays_s: float, longest_s: float = 0.04) -> LateTargets:
    late = LateTargets(len(delays_s), 1, longest_s)
    worlds = torch.arange(len(delays_s))
    late.begin(worlds, torch.full((len(delays_s), 1), -1.0), torch.tensor(delays_s))
    return late


def _ramp(late: LateTargets, periods: int) -> torch.Tensor:
    """What arrives of the targets 0, 1, 2, ... (periods, N)."""
    worlds = len(late.delay_s)
    return torch.stack([late.arriving(torch.full((worlds, 1), float(k)))[:, 0] for k in range(periods)])


def test_that_targets_arrive_after_the_delay_of_their_world() -> None:
    arrived = _ramp(_late(0.0, CONTROL_PERIOD_S, 2 * CONTROL_PERIOD_S), 6)
    assert arrived[3:].tolist() == [[3.0, 2.0, 1.0], [4.0, 3.0, 2.0], [5.0, 4.0, 3.0]]


def test_that_a_part_of_a_period_mixes_the_two_targets_sent_around_then() -> None:
    arrived = _ramp(_late(0.005, 0.03, 0.0399), 8)[-1]
    torch.testing.assert_close(arrived, torch.tensor([7 - 0.25, 7 - 1.5, 7 - 1.995]))


def test_that_joints_are_held_until_the_first_target_arrives() -> None:
    arrived = _ramp(_late(0.0, 0.02, 0.04), 3)
    assert arrived.T.tolist() == [[0.0, 1.0, 2.0], [-1.0, 0.0, 1.0], [-1.0, -1.0, 0.0]]


def test_that_another_episode_forgets_what_was_on_its_way_in_its_world_only() -> None:
    late = _late(0.04, 0.04)
    _ramp(late, 5)
    late.begin(torch.tensor([1]), torch.tensor([[-7.0]]), torch.tensor([0.02]))
    assert late.arriving(torch.full((2, 1), 5.0))[:, 0].tolist() == [3.0, -7.0]
    assert late.arriving(torch.full((2, 1), 6.0))[:, 0].tolist() == [4.0, 5.0]


def test_that_the_longest_delay_may_lie_just_below_a_whole_number_of_periods() -> None:
    longest_s = 3 * CONTROL_PERIOD_S - 1e-9
    assert _ramp(_late(longest_s, longest_s=longest_s), 6)[-1].item() == pytest.approx(2.0, abs=1e-5)


@pytest.mark.parametrize("delay_s", [-0.001, 0.041])
def test_that_delays_beyond_what_is_kept_are_refused(delay_s: float) -> None:
    with pytest.raises(ValueError, match=r"within 0 to 0\.04 s"):
        _late(delay_s)


def test_that_a_negative_longest_delay_is_refused() -> None:
    with pytest.raises(ValueError, match="not negative"):
        LateTargets(1, 1, -0.1)
