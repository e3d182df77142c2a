"""Start ranges: how wide, in words, and how they grow."""

import pytest
import torch

from core.tasks.box_pickup import BoxPickup
from core.tasks.start_draws import draw_starts
from core.tasks.start_scale import start_share
from core.tasks.starts import StartRanges, Widening


def test_that_scales_are_said_in_words_or_as_a_share():
    assert [start_share(text) for text in ("pretraining", "0", "0.25", "1", "maximum")] == [0.0, 0.0, 0.25, 1.0, 1.0]


@pytest.mark.parametrize("text", ["widest", "-0.1", "1.1", "nan", ""])
def test_that_other_scales_are_refused(text):
    with pytest.raises(ValueError, match="must be pretraining, maximum or a number from 0"):
        start_share(text)


def test_that_the_share_within_is_that_of_drawn_starts():
    wide, narrow = StartRanges().scaled(0.6), StartRanges().scaled(0.2)
    count = 100_000
    xy, yaw = draw_starts(wide, torch.zeros(count, 2), torch.zeros(count), torch.Generator().manual_seed(0))
    radial = xy.norm(dim=-1)
    bearing = torch.remainder(torch.atan2(xy[:, 1], xy[:, 0]), 2 * torch.pi) - torch.pi
    heading = yaw - torch.pi - (torch.pi + bearing)
    inside = torch.ones(count, dtype=torch.bool)
    for values, (low, high) in ((radial, narrow.radial_m), (bearing, narrow.polar_rad), (heading, narrow.heading_rad)):
        inside &= (values >= low) & (values <= high)
    assert wide.share_within(narrow) == pytest.approx(float(inside.float().mean()), abs=0.005)


def test_that_a_fixed_start_lies_within_itself():
    fixed = StartRanges((1.0, 1.0), (0.0, 0.0), (-0.1, 0.1))
    assert fixed.scaled(1.0).share_within(fixed) == pytest.approx(1 / 6)


def test_that_episodes_begin_in_the_widened_ranges_and_nothing_else_changes():
    task = BoxPickup(2)
    widening = Widening(task)
    assert widening.at(1.0) == StartRanges().scaled(1.0)
    assert task.starts == StartRanges()
    widening.set(1.0)
    assert task.starts == StartRanges().scaled(1.0)
    assert widening.kept(0.0, 1.0) == pytest.approx(1 / (3.2 * 1.25 * 6.0))
    wide = task.sample_initial(200, torch.Generator().manual_seed(3))
    widening.set(0.0)
    assert task.starts == StartRanges()
    narrow = task.sample_initial(200, torch.Generator().manual_seed(3))
    assert torch.equal(wide[0].objects["box"].pos_w, narrow[0].objects["box"].pos_w)
    assert torch.equal(wide[2]["box_size"], narrow[2]["box_size"])
    distances = [(i[0].base_pos_w - i[0].objects["box"].pos_w)[:, :2].norm(dim=-1) for i in (narrow, wide)]
    assert float(distances[0].min()) > 1.19
    assert float(distances[1].min()) < 0.8 < 2.1 < float(distances[1].max())


def test_that_a_task_without_start_ranges_is_refused():
    with pytest.raises(ValueError, match="task 'object' has no start ranges to widen"):
        Widening(object())


def test_that_ranges_are_shown_in_metres_and_degrees():
    assert str(StartRanges()) == "distance 1.20 to 1.70 m, bearing -34 to 34 degrees, heading -11 to 11 degrees"
