"""Timing and limits of steps (no torch: forms and command lines read them)."""

from dataclasses import dataclass

from core.rates import CONTROL_PERIOD_S


@dataclass(frozen=True)
class FootstepConfig:
    """Timing and limits of steps. Periods are multiples of the control period (0.02 s)."""

    swing_s: float = 0.36
    "single support: from lift-off to touch-down"
    double_support_s: float = 0.08
    "between a touch-down and the next lift-off"
    first_double_support_s: float = 0.40
    "weight shift before the first step from standing"
    width_m: float = 0.20
    "distance between the feet when standing and walking straight"
    width_per_lateral_speed_s: float = 0.06
    "added width per m/s of lateral speed: centres the steps of a side walk between the two width limits"
    min_width_m: float = 0.12
    "the soles are 0.10 m wide"
    min_width_per_yaw_m: float = 0.12
    "added to the minimum per rad between the feet: a turned sole reaches further inwards"
    max_width_m: float = 0.30
    "hip roll (lower limit -0.2 rad of the left leg) allows no wider stance under load"
    max_length_m: float = 0.24
    max_yaw_rad: float = 0.32
    "largest turn of one step"
    max_speed_change: tuple[float, float, float] = (0.25, 0.15, 0.35)
    "largest change of the latched velocity from one step to the next, m/s, m/s, rad/s"
    max_correction: tuple[float, float, float] = (0.05, 0.03, 0.10)
    "largest correction of the lag by one step: forward m, lateral m, yaw rad"
    start_speed: float = 0.03
    "a standing robot starts above this speed: m/s, or half of it in rad/s"
    stop_speed: float = 0.015
    "a walking robot stops below this speed"
    aligned_m: float = 0.035
    "a stopped robot stands when its feet are this close to side by side, else it makes another step"
    aligned_rad: float = 0.12

    def __post_init__(self) -> None:
        for name in ("swing_s", "double_support_s", "first_double_support_s"):
            value = getattr(self, name)
            if value <= 0 or abs(value / CONTROL_PERIOD_S - round(value / CONTROL_PERIOD_S)) > 1e-6:
                raise ValueError(f"{name} must be a positive multiple of {CONTROL_PERIOD_S} s, got {value}")
        if not self.min_width_m <= self.width_m <= self.max_width_m:
            raise ValueError(f"width_m must lie in [{self.min_width_m}, {self.max_width_m}], got {self.width_m}")
        if self.stop_speed >= self.start_speed:
            raise ValueError(f"stop_speed {self.stop_speed} must be below start_speed {self.start_speed}")

    @property
    def step_s(self) -> float:
        """Duration of a step of steady walking."""
        return self.swing_s + self.double_support_s

    @property
    def first_step_s(self) -> float:
        """Duration of the step that starts from standing."""
        return self.swing_s + self.first_double_support_s
