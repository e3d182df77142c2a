"""An arm controller whose targets reach the joints late: what a robot makes of it."""

import torch
from jaxtyping import Float
from torch import Tensor

from core.control.training.late_targets import LateTargets
from core.control.upper import ArmController
from core.t1.model import ARMS
from core.types import WorldState


class LateArms:
    """Another arm controller with a delay behind it. Joints stay where they are until its first target arrives."""

    def __init__(self, controller: ArmController, delay_s: float) -> None:
        """Raises ValueError for a delay that is negative or infinite."""
        self.controller = controller
        self._delay_s = delay_s
        self._late = LateTargets(0, len(ARMS), delay_s)
        self._fresh = torch.zeros(0, dtype=torch.bool)

    def reset(self, worlds: Tensor) -> None:
        """Forget the past of some worlds (index or mask), what is on its way too."""
        self.controller.reset(worlds)
        if len(self._fresh):  # else nothing was sent yet
            self._fresh[worlds] = True

    def act(
        self, state: WorldState, hand_pos_b: Float[Tensor, "N 2 3"], hand_quat_b: Float[Tensor, "N 2 4"]
    ) -> Float[Tensor, "N 14"]:
        """Arm joint targets that arrive now, rad, order core.t1.model.ARMS."""
        n = state.num_worlds
        if len(self._fresh) != n:
            self._late = LateTargets(n, len(ARMS), self._delay_s)
            self._fresh = torch.ones(n, dtype=torch.bool)
        if bool(self._fresh.any()):
            worlds = self._fresh.nonzero().squeeze(1)
            delays = torch.full((len(worlds),), self._delay_s)
            self._late.begin(worlds, state.joint_pos[worlds][:, ARMS], delays)
            self._fresh[:] = False
        return self._late.arriving(self.controller.act(state, hand_pos_b, hand_quat_b))
