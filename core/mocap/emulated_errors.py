"""What is wrong with emulated motion capture: stated errors of every frame, and faults on request."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class MocapErrors:
    """What is wrong with the poses and their way. The paper gives no numbers (B119): these are ours."""

    noise_m: float = 0.001
    "of each axis of each position, rms"
    noise_rad: float = 0.005
    "of each axis of each rotation, rms"
    moving_noise_s: float = 0.02
    "added to the noise with the trunk's speed, in m per m/s: poses get noisier while the robot moves"
    offset_m: float = 0.01
    "constant error of every body's position, in a direction drawn by the seed"
    offset_rad: float = 0.02
    "constant error of every body's rotation"
    delay_s: float = 0.015
    "from exposure to sending"
    jitter_s: float = 0.002
    "added to it, uniformly drawn"
    lost_share: float = 0.01
    "frames that never arrive"
    unseen_share: float = 0.01
    "frames in which a body is not tracked"
    clock_drift_ppm: float = 20.0
    "how fast the stream's clock runs away from this computer's"

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not math.isfinite(value) or (value < 0 and name != "clock_drift_ppm"):
                raise ValueError(f"{name} must not be negative, got {value}")
        if self.lost_share > 1 or self.unseen_share > 1:
            raise ValueError(f"shares are 0 to 1, got {self.lost_share} and {self.unseen_share}")


PERFECT = MocapErrors(**{name: 0.0 for name in vars(MocapErrors())})
PRESETS = {"paper": MocapErrors(), "none": PERFECT}


class MocapFaults:
    """What is broken on request: `hide`, `nan`, `jump` a body, `swap` two; `silent` and `garbage` for the stream."""

    def __init__(self) -> None:
        self.hidden: set[str] = set()
        self.nan: set[str] = set()
        self.jumped: set[str] = set()
        self.swapped: tuple[str, str] | None = None
        self.silent = False
        self.garbage = False

    WORDS = ("hide", "nan", "jump", "swap", "silent", "garbage", "ok")

    def set(self, words: list[str], known: tuple[str, ...]) -> None:
        """hide|nan|jump BODY, swap BODY BODY, silent, garbage, ok (all is well again). Raises ValueError."""
        name, bodies = (words[0] if words else ""), words[1:]
        if name not in self.WORDS:
            raise ValueError(f"mocap {name!r} does not exist; known: {', '.join(self.WORDS)}")
        wanted = {"hide": 1, "nan": 1, "jump": 1, "swap": 2}.get(name, 0)
        if len(bodies) != wanted or not set(bodies) <= set(known):
            raise ValueError(f"mocap {name} takes {wanted} of {', '.join(known)}; got {' '.join(bodies) or 'nothing'}")
        match name:
            case "hide":
                self.hidden.add(bodies[0])
            case "nan":
                self.nan.add(bodies[0])
            case "jump":
                self.jumped.add(bodies[0])
            case "swap":
                self.swapped = (bodies[0], bodies[1])
            case "silent" | "garbage":
                setattr(self, name, True)
            case "ok":
                vars(self).update(vars(MocapFaults()))
