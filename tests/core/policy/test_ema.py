"""Averages of weights."""

import pytest
import torch
from torch import nn

from core.policy.ema import Ema


def pair():
    torch.manual_seed(0)
    return nn.Linear(2, 2), nn.Linear(2, 2)


def test_that_the_average_starts_equal_and_follows_slowly():
    network, average = pair()
    ema = Ema(network, average, decay=0.9)
    assert torch.equal(average.weight, network.weight)
    assert not average.weight.requires_grad
    ema.updates = 10_000  # past the warm-up
    with torch.no_grad():
        network.weight.add_(1.0)
    start = average.weight.clone()
    for n in range(1, 4):
        ema.update()
        assert torch.allclose(average.weight, start + (1 - 0.9**n), atol=1e-6)


def test_that_the_start_is_forgotten_quickly():
    network, average = pair()
    ema = Ema(network, average, decay=0.999)
    with torch.no_grad():
        network.weight.add_(1.0)
    for _ in range(100):
        ema.update()
    assert ema.current_decay() < 0.999
    assert torch.allclose(average.weight, network.weight, atol=1e-3)


def test_that_it_resumes_where_it_was():
    network, average = pair()
    ema = Ema(network, average)
    with torch.no_grad():
        network.weight.add_(1.0)
    ema.update()
    state = {name: value.clone() for name, value in ema.state_dict().items()}
    ema.update()
    other = Ema(network, nn.Linear(2, 2))
    other.load_state_dict(state)
    other.update()
    assert torch.equal(other.average.weight, average.weight)
    assert other.updates == ema.updates == 2


def test_that_a_bad_decay_is_refused():
    with pytest.raises(ValueError, match=r"decay must lie in \[0, 1\), got 1"):
        Ema(*pair(), decay=1.0)
