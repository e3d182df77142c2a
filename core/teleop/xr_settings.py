"""What a session may choose about VR (no torch)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class VrSettings:
    """VR input of a session."""

    lookahead_ms: float = 0.0
    "how far ahead the runtime predicts the hands: 0 to 30"
    latency_limit_ms: float = 250.0
    "from a sample of the hands to the command made of it; above that the robot holds and the clutches open"
    record_folder: str | None = None
    "every episode's raw input is written to a file of its own here; None writes none"
    replay: str | None = None
    "a recorded file instead of the headset"

    def __post_init__(self) -> None:
        if not 0 <= self.lookahead_ms <= 30:
            raise ValueError(f"lookahead_ms must be 0 to 30, got {self.lookahead_ms}")
        if not 50 <= self.latency_limit_ms <= 1000:
            raise ValueError(f"latency_limit_ms must be 50 to 1000, got {self.latency_limit_ms}")
