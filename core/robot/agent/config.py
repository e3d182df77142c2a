"""Settings of the hardware agent."""

from dataclasses import dataclass
from typing import Literal

from core.control.hardware_speeds import HAND_M_S, WALK_M_S, HardwareSpeeds
from core.robot.ladder_evidence import Hang


@dataclass(frozen=True)
class AgentConfig:
    """Times, limits and watchdogs. The defaults are for the real robot."""

    domain: int = 0
    "DDS domain; the real robot uses 0"
    interface: str = "lo"
    "network interface to the robot, by name or IPv4 address"
    stand_up_s: float = 5.0
    "time that prepare takes to stand"
    settle_s: float = 3.0
    "time between walking mode and taking over the arms"
    ramp_s: float = 1.0
    "time in which poses and gains change when a mode is entered"
    blend_s: float = 0.01
    "time in which a 50 Hz target is approached by 500 Hz frames"
    arm_speed_rad_s: float = 4.0
    "arm joints move no faster than this; every joint no faster than its rated speed"
    target_timeout_s: float = 0.1
    "targets older than this stop the robot: damping in whole-body mode, hold in upper-body mode"
    state_timeout_s: float = 0.1
    "states older than this stop the robot"
    max_tilt_rad: float = 1.0
    "roll or pitch beyond this stops the robot"
    warm_c: float = 75.0
    "a motor hotter than this stops the motion (soft stop)"
    hot_c: float = 90.0
    "a motor hotter than this damps the robot"
    deadman_timeout_s: float = 0.5
    "the dead-man process must have been heard within this time"
    require_deadman: bool = True
    "refuse to move the robot without the dead-man process"
    confirm_s: float = 0.5
    "a hard stop that the robot has not confirmed by then is announced as NOT CONFIRMED"
    stop_key_device: str = ""
    "input device of a hard-stop key or foot pedal, such as /dev/input/by-id/...-event-kbd; '' for none"
    soft_stop_key_device: str = ""
    "input device of a soft-stop key or foot pedal; '' for none"
    log_path: str = ""
    "safety log (JSON lines); '' for none"
    realtime: bool = True
    "ask for real-time priority"
    hang: Hang = "gantry"
    "shadow: nothing is sent; gantry: the robot hangs in it; free: it stands on its own"
    ladder: Literal["real", "every"] = "real"
    "which robots must have climbed the ladder: real ones (always), or simulated ones too"
    ladder_path: str = ""
    "file of the ladder's evidence; '' for the one in the program's data folder"
    walk_speed_m_s: float = WALK_M_S
    "largest walking speed that is handed to the robot"
    hand_speed_m_s: float = HAND_M_S
    "largest hand speed, as the session's safety filter has it"
    loosened_by: str = ""
    "who allows more than the default speeds; written to the safety log"
    software: str = ""
    "version of the program, noted with the evidence"

    @property
    def speeds(self) -> HardwareSpeeds:
        """Limits of speed, with who allows them."""
        return HardwareSpeeds(self.walk_speed_m_s, self.hand_speed_m_s, self.loosened_by)

    def __post_init__(self) -> None:
        if self.hang not in ("shadow", "gantry", "free") or self.ladder not in ("real", "every"):
            raise ValueError(f"hang is shadow, gantry or free, ladder real or every; got {self.hang}, {self.ladder}")
        _ = self.speeds  # raises when they are too large, or nobody stands for them
        for name, value in vars(self).items():
            if isinstance(value, float) and not value > 0:
                raise ValueError(f"{name} must be positive, got {value}")
        if self.warm_c >= self.hot_c:
            raise ValueError(f"warm_c must be below hot_c, got {self.warm_c} and {self.hot_c}")
        if not 0 <= self.domain <= 230:
            raise ValueError(f"domain must be 0 to 230, got {self.domain}")
