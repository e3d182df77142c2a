"""How fast a real robot may be asked to move: small by default, more only when a person says so (no torch)."""

import math
from dataclasses import dataclass

WALK_M_S, HAND_M_S = 0.2, 0.05
"""Clamps of the paper on hardware (section V; B112, B113)."""
MAX_WALK_M_S, MAX_HAND_M_S = 0.4, 0.5
"""What the controllers are trained for: no setting goes beyond."""


@dataclass(frozen=True)
class HardwareSpeeds:
    """Speed limits of one robot session."""

    walk_m_s: float = WALK_M_S
    "largest base speed in any direction"
    hand_m_s: float = HAND_M_S
    "largest speed of a commanded hand, relative to the base"
    loosened_by: str = ""
    "name of the person who allows more than the defaults; written to the safety log"

    def __post_init__(self) -> None:
        for name, value, usual, most in (
            ("walking", self.walk_m_s, WALK_M_S, MAX_WALK_M_S), ("hands", self.hand_m_s, HAND_M_S, MAX_HAND_M_S),
        ):  # fmt: skip
            if not math.isfinite(value) or not 0 < value <= most:
                raise ValueError(f"{name} may be limited to 0 to {most} m/s, got {value}")
            if value > usual and not self.loosened_by.strip():
                raise ValueError(
                    f"{name} at {value} m/s are more than the {usual} m/s of a real robot: "
                    "give the name of the person who allows it (operator)"
                )

    @property
    def loosened(self) -> bool:
        """Whether more is allowed than by default."""
        return self.walk_m_s > WALK_M_S or self.hand_m_s > HAND_M_S
