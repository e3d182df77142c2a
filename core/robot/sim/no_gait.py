"""A firmware without balance, for tests that hang the robot in its harness: the legs stay as they are."""

import numpy as np

from core.t1.model import KD, KP, LEGS
from core.types import WorldState


class NoGait:
    """Holds the legs where they were when walking began."""

    def __init__(self) -> None:
        self.kp, self.kd = KP[LEGS], KD[LEGS]
        self._legs = np.zeros(len(LEGS))

    def reset(self, state: WorldState) -> None:
        """Hold these legs."""
        self._legs = state.joint_pos[0, LEGS].double().numpy()

    def act(self, state: WorldState, velocity: np.ndarray) -> np.ndarray:
        """(12,) leg targets, whatever the velocity."""
        return self._legs
