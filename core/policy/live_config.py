"""Settings and counts of a planner that runs beside the loop (no torch: messages and windows read them)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class LiveConfig:
    """How a late planner is dealt with."""

    ahead: int = 1
    "commands (0.1 s each) that a chunk may take without being late; meanwhile the old chunk is played on"
    hold_after: int = 5
    "late commands after which the robot holds, if the old chunk lasts that long; it goes on when a chunk comes"
    wait_s: float = 0.0
    "longest wait for a chunk; 0 on a robot and in real time, more where the simulation runs faster than the clock"

    def __post_init__(self) -> None:
        if self.ahead < 0:
            raise ValueError(f"ahead must be 0 or more commands, got {self.ahead}")
        if self.hold_after < 1:
            raise ValueError(f"hold_after must be at least 1 command, got {self.hold_after}")
        if self.wait_s < 0:
            raise ValueError(f"wait_s must not be negative, got {self.wait_s}")


@dataclass(frozen=True)
class PlannerStats:
    """How a planner beside the loop keeps up; counts since it was chosen."""

    chunks: int = 0
    "chunks that were played"
    latency_p50_ms: float = 0.0
    "from asking for a chunk to having it, over the last chunks"
    latency_p99_ms: float = 0.0
    late: int = 0
    "chunks that came late"
    late_commands: int = 0
    "commands (0.1 s) for which a chunk was overdue"
    held: int = 0
    "commands (0.1 s) for which the robot was held for want of a chunk"
    rejected: int = 0
    "answers that were not used: not finite, of a wrong shape, failed, or too old"
    restarts: int = 0
    "planner processes that were started again"
