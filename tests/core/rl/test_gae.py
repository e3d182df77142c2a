"""GAE against sums worked out by hand."""

import torch

from core.rl.gae import generalised_advantages

GAMMA, LAM = 0.5, 0.5


def _column(*values: float) -> torch.Tensor:
    return torch.tensor(values)[:, None]


def _flags(*values: bool) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.bool)[:, None]


def _advantages(terminated: torch.Tensor, truncated: torch.Tensor) -> list[float]:
    out = generalised_advantages(
        rewards=_column(1.0, 2.0, 3.0),
        values=_column(4.0, 6.0, 8.0),
        next_values=_column(6.0, 10.0, 2.0),  # 10: the final observation, not the next episode's first (8)
        terminated=terminated,
        truncated=truncated,
        gamma=GAMMA,
        lam=LAM,
    )
    return out.squeeze(1).tolist()


def test_that_an_unbroken_episode_sums_discounted_errors():
    # deltas: 1 + 3 - 4 = 0;  2 + 5 - 6 = 1;  3 + 1 - 8 = -4; gamma lam = 1/4
    assert _advantages(_flags(0, 0, 0), _flags(0, 0, 0)) == [0.0 + 0.25 * (1.0 - 1.0), 1.0 - 1.0, -4.0]


def test_that_a_termination_is_followed_by_nothing():
    # delta_1 = 2 - 6 = -4, and step 2 belongs to another episode
    assert _advantages(_flags(0, 1, 0), _flags(0, 0, 0)) == [-1.0, -4.0, -4.0]


def test_that_a_truncation_bootstraps_from_the_final_observation():
    # delta_1 = 2 + 0.5 * 10 - 6 = 1, and step 2 belongs to another episode
    assert _advantages(_flags(0, 0, 0), _flags(0, 1, 0)) == [0.25, 1.0, -4.0]
