"""Joint targets that arrive late, as on a robot: between what is measured, computed, sent and obeyed lies some time.

To the loop that is closed through a controller, an old measurement and a late target are the same delay: one number
stands for both.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from core.types import CONTROL_PERIOD_S


class LateTargets:
    """Targets of N worlds, each world with a delay of its own.

    A delay that is no whole number of control periods is the linear mix of the two targets sent around then: what
    arrives on average over the period, and what an agent that interpolates between targets makes of them.
    """

    STATE = ("delay_s", "_sent")

    def __init__(self, num_worlds: int, size: int, longest_s: float) -> None:
        """size: joints. Raises ValueError for a longest delay that is negative or infinite."""
        if not 0.0 <= longest_s < float("inf"):
            raise ValueError(f"the longest delay must be finite and not negative, got {longest_s} s")
        self.longest_s = longest_s
        self.delay_s = torch.zeros(num_worlds)
        "(N,) of every world"
        kept = 2 + int(longest_s / CONTROL_PERIOD_S)
        self._sent = torch.zeros(num_worlds, kept, size)
        "the newest first"

    def begin(self, worlds: Int[Tensor, "M"], position: Float[Tensor, "M J"], delay_s: Float[Tensor, "M"]) -> None:
        """Another episode in some worlds: until the first target arrives, joints are held at `position`, rad.

        Raises ValueError for delays that are negative or longer than was announced.
        """
        if bool(((delay_s < 0) | (delay_s > self.longest_s)).any()):
            raise ValueError(f"delays must be within 0 to {self.longest_s} s, got {delay_s.tolist()}")
        self.delay_s[worlds] = delay_s
        self._sent[worlds] = position[:, None]

    def arriving(self, target: Float[Tensor, "N J"]) -> Float[Tensor, "N J"]:
        """Send the targets of a control period, get those that the joints obey in it."""
        self._sent = torch.cat((target[:, None], self._sent[:, :-1]), dim=1)
        periods = self.delay_s / CONTROL_PERIOD_S
        whole = periods.long().clamp(max=self._sent.shape[1] - 2)  # the longest delay may be rounded up
        share = (periods - whole)[:, None]
        rows = torch.arange(len(whole))
        return (1.0 - share) * self._sent[rows, whole] + share * self._sent[rows, whole + 1]
