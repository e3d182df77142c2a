"""What gives commands: a person, a heuristic or a policy, all alike; and how fast it may ask the robot to move."""

from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from jaxtyping import Int
from torch import Tensor

from core.types import Command, WorldState


@runtime_checkable
class Source(Protocol):
    """Gives one command for each of N worlds at 10 Hz. May also offer `stage_names` for display."""

    name: str

    def reset(self, worlds: Int[Tensor, "M"], state: WorldState) -> None:
        """Begin new episodes in some worlds; `state` (N rows) is the one they start from."""
        ...

    def act(self, state: WorldState) -> Command:
        """The command for the state now. Called once for each planner period, for all worlds."""
        ...


@dataclass(frozen=True)
class SpeedLimits:
    """The fastest commands a planner gives."""

    walk_m_s: float = 0.30
    "in any direction, and forwards; backwards half of it"
    sidestep_m_s: float = 0.15
    "sideways"
    walk_m_s2: float = 0.5
    "change of the forward and of the sideways velocity"
    turn_rad_s2: float = 1.5
    "change of the yaw rate"
    turn_rad_s: float = 0.40
    "about the vertical"
    hand_m_s: float = 0.35
    "each hand, relative to the base"
    hand_rad_s: float = 1.5
    "each hand, relative to the base"

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value <= 0:
                raise ValueError(f"{name} must be positive, got {value}")


SpeedPreset = Literal["simulation", "hardware"]

SPEEDS: dict[SpeedPreset, SpeedLimits] = {
    "simulation": SpeedLimits(),
    # 0.2 m/s and 0.05 m/s: paper, section V (B112, B113)
    "hardware": SpeedLimits(
        walk_m_s=0.2,
        sidestep_m_s=0.1,
        walk_m_s2=0.35,
        turn_rad_s2=0.9,
        turn_rad_s=0.3,
        hand_m_s=0.05,
        hand_rad_s=0.4,
    ),
}
"""Presets: what simulation is taught with, and what the paper allows the robot."""
