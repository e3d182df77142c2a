"""A recording as normalised tensors in memory, and minibatches of its windows."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from core.data.windows import Recording, Windows
from core.policy.features import action_features, action_floor
from core.policy.normalizer import Normalizer

OBSERVATION_CLIP = 5.0
"""Observations far outside the data are seen as this far outside (in half ranges of the data)."""
OBSERVATION_FLOOR = 0.02
"""Observations (m, matrix elements) that vary less are not magnified further: encoder noise is of millimetres."""


def fit_normalizers(recording: Recording) -> tuple[Normalizer, Normalizer]:
    """Of observations and of command features, on every sample."""
    observations = torch.from_numpy(recording.observations)
    floor = torch.full((observations.shape[1],), OBSERVATION_FLOOR)
    return (
        Normalizer.fit(observations, OBSERVATION_CLIP, floor),
        Normalizer.fit(action_features(torch.from_numpy(recording.actions)), floor=action_floor()),
    )


@dataclass(frozen=True)
class WindowTensors:
    """Samples once, windows as rows: a batch is one gather."""

    observations: Float[Tensor, "M Do"]
    "normalised"
    actions: Float[Tensor, "M Da"]
    "normalised features"
    observation_rows: Int[Tensor, "W To"]
    action_rows: Int[Tensor, "W Tp"]

    @classmethod
    def of(
        cls, recording: Recording, windows: Windows, observations: Normalizer, actions: Normalizer
    ) -> "WindowTensors":
        """On the device of the normalisers."""
        device = observations.low.device
        features = action_features(torch.from_numpy(recording.actions).to(device))
        return cls(
            observations.normalize(torch.from_numpy(recording.observations).to(device)),
            actions.normalize(features),
            torch.from_numpy(windows.observation_rows).to(device),
            torch.from_numpy(windows.action_rows).to(device),
        )

    def windows(self, windows: Windows) -> "WindowTensors":
        """The same samples with other windows."""
        device = self.observations.device
        return replace(
            self,
            observation_rows=torch.from_numpy(windows.observation_rows).to(device),
            action_rows=torch.from_numpy(windows.action_rows).to(device),
        )

    def __len__(self) -> int:
        return self.observation_rows.shape[0]

    def batch(self, rows: Int[Tensor, "B"]) -> tuple[Float[Tensor, "B To Do"], Float[Tensor, "B Tp Da"]]:
        """Observations and chunks of some windows."""
        return self.observations[self.observation_rows[rows]], self.actions[self.action_rows[rows]]
