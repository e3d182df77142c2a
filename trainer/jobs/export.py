"""Write planners and controllers as ONNX files, normalisers inside, if they compute the same there."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Config:
    """Each file is compared with the network it came from on real observations, and not written when it differs."""

    checkpoint: tuple[Path, ...] = ()
    "planners or controllers (.safetensors), or run folders; none: the controllers that are shipped"
    out: Path = Path("exported")
    "folder of the ONNX files; a planner's own folder lets `--runtime onnx` find it"
    dataset: Path | None = None
    "data set whose observations planners are compared on; none: an episode in simulation"
    samples: int = 64
    "observations of the comparison"
    tolerance: float = 1e-4
    "largest difference allowed, in the units of the output: m, m/s, rad, or parts of a quaternion"
    seed: int = 0
    "of the episode and of the noise"

    def __post_init__(self) -> None:
        if self.samples < 1:
            raise ValueError(f"samples must be at least 1, got {self.samples}")
        if not self.tolerance > 0:
            raise ValueError(f"tolerance must be positive, got {self.tolerance}")
        if self.seed < 0:
            raise ValueError(f"seed must not be negative, got {self.seed}")


def main(config: Config) -> int:
    """Export every checkpoint. Returns 0; what cannot be exported ends it with a message."""
    from trainer.exporting import export_all

    export_all(config)
    return 0
