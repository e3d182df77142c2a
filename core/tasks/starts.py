"""Where the robot starts relative to an object: distance, bearing, heading (B101), growing ranges (B102); no torch."""

import math
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from core.ranges import Range, check_ranges


def widened(value_range: Range, factor: float) -> Range:
    """The range about the same centre, `factor` times as wide."""
    centre, half = 0.5 * (value_range[0] + value_range[1]), 0.5 * (value_range[1] - value_range[0])
    return (centre - factor * half, centre + factor * half)


@dataclass(frozen=True)
class StartRanges:
    """Ranges of the three start variables of the paper, relative to the object."""

    radial_m: Range = (1.2, 1.7)
    "horizontal distance from the trunk to the object"
    polar_rad: Range = (-0.6, 0.6)
    "bearing of the robot seen from the object, 0 straight in front of the face to approach"
    heading_rad: Range = (-0.2, 0.2)
    "robot's yaw relative to the direction to the object, 0 when it faces the object"
    full_factors: tuple[float, float, float] = (3.2, 1.25, 6.0)
    "widths of radial, polar and heading at scaled(1), relative to these (paper: 320, 125 and 600 %)"

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.radial_m[0] < 0.5:
            raise ValueError(f"radial_m must begin at 0.5 m or more (the table is there), got {self.radial_m}")

    def __str__(self) -> str:
        low, high = self.radial_m
        polar, heading = ([round(math.degrees(end)) for end in ends] for ends in (self.polar_rad, self.heading_rad))
        return (
            f"distance {low:.2f} to {high:.2f} m, bearing {polar[0]} to {polar[1]} degrees, "
            f"heading {heading[0]} to {heading[1]} degrees"
        )

    def share_within(self, narrower: "StartRanges") -> float:
        """Share of these ranges' starts that also lie in narrower ones, which must be inside of these."""
        share = 1.0
        for name in ("radial_m", "polar_rad", "heading_rad"):
            (low, high), (inner_low, inner_high) = getattr(self, name), getattr(narrower, name)
            if high > low:
                share *= (inner_high - inner_low) / (high - low)
        return share

    def scaled(self, fraction: float) -> "StartRanges":
        """The curriculum's ranges: 0 these, 1 widened by `full_factors`, linear between, about the same centres (B102).

        Raises ValueError for a negative fraction.
        """
        if fraction < 0:
            raise ValueError(f"fraction must be 0 (pre-training ranges) or more, got {fraction}")
        radial, polar, heading = (1.0 + fraction * (full - 1.0) for full in self.full_factors)
        return replace(
            self,
            radial_m=widened(self.radial_m, radial),
            polar_rad=widened(self.polar_rad, polar),
            heading_rad=widened(self.heading_rad, heading),
        )


@runtime_checkable
class HasStarts(Protocol):
    """A task whose robot starts somewhere around an object."""

    starts: StartRanges
    "of the episodes that begin from now on"


class Widening:
    """Sets the start ranges of a task between those it was made with and the widest."""

    def __init__(self, task: object) -> None:
        """Raises ValueError for a task without such ranges."""
        if not isinstance(task, HasStarts):
            name = getattr(task, "name", type(task).__name__)
            raise ValueError(f"task {name!r} has no start ranges to widen: use start_scale pretraining, no curriculum")
        self._task = task
        self._narrow = task.starts

    def at(self, share: float) -> StartRanges:
        """The ranges, widened by a share of the way."""
        return self._narrow.scaled(share)

    def set(self, share: float) -> None:
        """Let further episodes begin in ranges that are widened by a share of the way."""
        self._task.starts = self.at(share)

    def kept(self, before: float, after: float) -> float:
        """Share of the starts at one width that were possible at a smaller one, too."""
        return self.at(after).share_within(self.at(before))
