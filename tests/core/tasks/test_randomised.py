"""Domain randomisation on top of a task."""

import pytest
import torch

from core.tasks.base import Task
from core.tasks.box_pickup import BoxPickup
from core.tasks.randomised import DomainRanges, RandomisedTask

ONE, NONE = (1.0, 1.0), (0.0, 0.0)
ZERO = DomainRanges(ONE, ONE, NONE, NONE, ONE, ONE, ONE)


def sample(task, seed=3, count=200):
    return task.sample_initial(count, torch.Generator().manual_seed(seed))


def test_that_it_is_the_same_task_with_the_same_starts():
    plain, randomised = BoxPickup(2), RandomisedTask(BoxPickup(2), DomainRanges())
    assert isinstance(randomised, Task)
    (start, _, parameters), (other, _, others) = sample(plain), sample(randomised)
    assert torch.equal(start.joint_pos, other.joint_pos)
    assert torch.equal(start.objects["box"].pos_w, other.objects["box"].pos_w)
    assert all(torch.equal(parameters[name], others[name]) for name in parameters)


def test_that_physics_spreads_over_its_ranges():
    _, plain, _ = sample(BoxPickup(2))
    _, physics, _ = sample(RandomisedTask(BoxPickup(2), DomainRanges()))
    for values, low, high in (
        (physics.kp_scale, 0.9, 1.1),
        (physics.kd_scale, 0.9, 1.1),
        (physics.trunk_mass_offset_kg, -1.0, 1.0),
        (physics.trunk_com_offset_b, -0.02, 0.02),
        (physics.floor_friction / plain.floor_friction, 0.9, 1.1),
        (physics.object_mass["box"] / plain.object_mass["box"], 0.8, 1.25),
        (physics.object_friction["box"] / plain.object_friction["box"], 0.8, 1.25),
    ):
        assert low - 1e-5 <= float(values.min()) < low + 0.1 * (high - low)
        assert high - 0.1 * (high - low) < float(values.max()) <= high + 1e-5
    assert float(physics.kp_scale.std(dim=1).min()) > 0.03  # each joint its own


def test_that_empty_ranges_change_nothing_and_seeds_repeat():
    _, plain, _ = sample(BoxPickup(2))
    _, same, _ = sample(RandomisedTask(BoxPickup(2), ZERO))
    assert torch.equal(plain.kp_scale, same.kp_scale)
    assert torch.equal(plain.object_mass["box"], same.object_mass["box"])
    task = RandomisedTask(BoxPickup(2), DomainRanges())
    first, again, other = sample(task)[1], sample(task)[1], sample(task, seed=4)[1]
    for name in ("kp_scale", "kd_scale", "trunk_mass_offset_kg", "trunk_com_offset_b", "floor_friction"):
        assert torch.equal(getattr(first, name), getattr(again, name))
        assert not torch.equal(getattr(first, name), getattr(other, name))
    for name in ("object_mass", "object_friction"):
        assert torch.equal(getattr(first, name)["box"], getattr(again, name)["box"])
        assert not torch.equal(getattr(first, name)["box"], getattr(other, name)["box"])


def test_that_bad_ranges_are_refused():
    with pytest.raises(ValueError, match=r"kp_scale must be \(low, high\)"):
        DomainRanges(kp_scale=(1.1, 0.9))
    with pytest.raises(ValueError, match=r"object_mass_scale must be \(low, high\) with 0 < low"):
        DomainRanges(object_mass_scale=(0.0, 1.0))
