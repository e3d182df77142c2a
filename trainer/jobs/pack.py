"""Store a planner in half precision for sharing: half the size, in one file with a JSON beside it.

Both networks of a fine-tuned planner are stored; the JSON has command, settings and seed of the training, and the
evaluation. The file acts as a planner like any other. It is not written when the chunks that it plans differ by more
than the tolerance from those of the original, on recorded observations.
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Config:
    """What is stored, where, and how equal it must be."""

    checkpoint: Path
    "a planner (.safetensors), or the run folder that holds it"
    out: Path
    "file to write (.safetensors), as assets/planners/box_pickup/tuned.safetensors"
    dataset: Path
    "data set (HDF5) whose observations the two are compared on"
    evaluation: Path | None = None
    "evaluation.json of `refine-dp evaluate` of this planner, or its run folder: its summary is stored with it"
    tolerance: float = 0.02
    "largest difference allowed in any value of a chunk, normalised units (the data span 2)"
    samples: int = 256
    "observations of the comparison"

    def __post_init__(self) -> None:
        if self.out.suffix != ".safetensors":
            raise ValueError(f"out must end in .safetensors, got {self.out}")
        if not self.tolerance > 0:
            raise ValueError(f"tolerance must be positive, got {self.tolerance}")
        if self.samples < 1:
            raise ValueError(f"samples must be at least 1, got {self.samples}")


def main(config: Config) -> int:
    """Compare and write. Returns 0; raises ValueError, with nothing written, when the two differ."""
    from trainer.packing import pack

    difference, size = pack(config)
    print(
        f"{config.out}: {size / 1e6:.1f} MB; its chunks differ by at most {difference:.4f} (normalised units) on "
        f"{config.samples} observations"
    )
    return 0
