"""How a box pick-up is done: numbers drawn anew for each episode, so that demonstrations are not all one path."""

from dataclasses import dataclass, fields

import torch
from jaxtyping import Float, Int
from torch import Tensor

from core.ranges import Range, check_ranges


@dataclass(frozen=True)
class StyleRanges:
    """Uniform ranges of the style of an episode; equal ends fix a number."""

    speed_fraction: Range = (0.75, 1.0)
    "walking and hand speed relative to the speed limits"
    standoff_m: Range = (0.36, 0.41)
    "from the trunk origin to the box's centre when grasping"
    lateral_m: Range = (-0.02, 0.02)
    "trunk beside the middle of the box when grasping"
    look_ahead_m: Range = (0.3, 0.8)
    "further than this from its place the robot looks where it walks, nearer it turns to the box"
    carry_distance_m: Range = (0.3, 1.2)
    "nearer than this to its place the robot spreads its hands"
    carry_x_m: Range = (0.24, 0.29)
    "spread hands, base frame"
    carry_y_m: Range = (0.26, 0.30)
    "spread hands, base frame, each to its side"
    carry_z_m: Range = (0.04, 0.10)
    "spread hands, base frame"
    clearance_m: Range = (0.05, 0.08)
    "between pad and box before squeezing"
    grasp_x_m: Range = (-0.01, 0.03)
    "hand frame beyond the box's centre; the pad's middle is 2 cm behind the hand frame"
    grasp_z_m: Range = (-0.01, 0.03)
    "palm above the box's centre"
    press_m: Range = (0.045, 0.065)
    "how far the commanded palms are inside the box's faces when it is held"
    squeeze_m_s: Range = (0.06, 0.12)
    "closing speed of each palm"
    lift_m_s: Range = (0.08, 0.15)
    "lifting speed"
    lift_m: Range = (0.10, 0.14)
    "height of the lift"

    def __post_init__(self) -> None:
        check_ranges(self, positive=("speed_fraction", "squeeze_m_s", "lift_m_s"))


class Styles:
    """The style of N running episodes, each number (N,)."""

    def __init__(self, ranges: StyleRanges, num_worlds: int) -> None:
        self.ranges = ranges
        self._names = [f.name for f in fields(ranges)]
        self._low = torch.tensor([getattr(ranges, name)[0] for name in self._names])
        self._high = torch.tensor([getattr(ranges, name)[1] for name in self._names])
        self._values = (0.5 * (self._low + self._high)).repeat(num_worlds, 1)

    def draw(self, worlds: Int[Tensor, "M"], generator: torch.Generator) -> None:
        """New styles for some worlds."""
        fraction = torch.rand((len(worlds), len(self._names)), generator=generator)
        self._values[worlds] = self._low + (self._high - self._low) * fraction

    def __getitem__(self, name: str) -> Float[Tensor, "N"]:
        return self._values[:, self._names.index(name)]
