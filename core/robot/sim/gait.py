"""The balance of the simulated firmware in its walking mode: footsteps and pi_lower, 50 Hz."""

import numpy as np
import torch

from core.control.choices import LEGS_FILE
from core.control.footsteps import FootstepPlanner
from core.control.lower import LowerController
from core.control.whole_body import CONTROLLERS
from core.t1.model import KD, KP, LEGS
from core.types import WorldState

ONE = torch.tensor([0])


class Gait:
    """Leg targets from velocity commands. Stands in for Booster's own gait, which nobody outside can run."""

    def __init__(self) -> None:
        """Raises CheckpointError when the trained controller is missing."""
        self._lower = LowerController.load(CONTROLLERS / LEGS_FILE)
        self._planner = FootstepPlanner(1)
        self.kp, self.kd = KP[LEGS], KD[LEGS]

    def reset(self, state: WorldState) -> None:
        """Begin to balance from here."""
        self._planner.reset(ONE, state)
        self._lower.reset(ONE)

    def act(self, state: WorldState, velocity: np.ndarray) -> np.ndarray:
        """(12,) leg targets, rad; velocity (3,) vx, vy, wz in the heading frame."""
        command = torch.as_tensor(velocity, dtype=torch.float32)[None]
        return self._lower.act(state, self._planner.update(state, command))[0].double().numpy()
