"""Which planners can be watched: those of runs and those that are shipped, read without torch."""

import math
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from core.rl.header import CheckpointError, read_header

PLANNER_FILE = "planner.safetensors"
TRASH = ".trash"
"""Deleted runs wait there; see trainer.queue.trash."""
SHIPPED_ROOT = Path(__file__).resolve().parent.parent / "assets" / "planners"


def planner_path(path: Path) -> Path:
    """The planner's file, given the file or the run folder that holds it. Raises CheckpointError for another folder."""
    if not path.is_dir():
        return path
    if not (path / PLANNER_FILE).is_file():
        raise CheckpointError(f"folder {path} holds no {PLANNER_FILE}; give a run folder of pretrain or finetune")
    return path / PLANNER_FILE


@dataclass(frozen=True)
class PlannerFile:
    """A stored planner, as a list shows it."""

    path: Path
    name: str
    "of its run, or 'shipped: NAME'"
    task: str
    kind: str
    "dit, mlp-diffusion, mlp; fine-tuned ones say so"
    steps: int | None
    "training steps, None where the file does not say"
    success: tuple[float, float, float] | None
    "last success rate in simulation with its 95 % interval, None where it was not measured"
    written_s: float
    "epoch time of the file"
    tuned: bool = False
    "whether it was fine-tuned"

    @property
    def title(self) -> str:
        """One line."""
        parts = [self.name, self.kind]
        if self.success is not None:
            rate, low, high = (100 * value for value in self.success)
            parts.append(f"{rate:.0f} % ({low:.0f}–{high:.0f})")
        elif self.steps is not None:
            parts.append(f"{self.steps} steps")
        return " · ".join(parts)

    @property
    def hint(self) -> str:
        """What a tooltip says."""
        written = datetime.fromtimestamp(self.written_s).strftime("%Y-%m-%d %H:%M:%S")
        steps = "" if self.steps is None else f", {self.steps} training steps"
        return f"{self.path}\n{self.kind} for {self.task}{steps}, written {written}"


def read_planner_file(path: Path, name: str = "") -> PlannerFile:
    """What a planner's file says about itself. Raises CheckpointError when it is none."""
    header = read_header(path)
    kind = header["layout"].get("kind")
    if kind != "planner":
        raise CheckpointError(f"{path} holds a {kind!r}, not a planner; choose a planner.safetensors")
    facts: dict[str, Any] = header["metadata"]
    training: dict[str, Any] = facts.get("training") or {}
    learned_on = facts.get("tuned_steps") or "iterations" in training  # a deterministic planner has no steps to tune
    tuned = " + residual" if "residual" in facts else " fine-tuned" if learned_on else ""
    return PlannerFile(
        path=path,
        name=name or str(training.get("run") or path.parent.name),
        task=str(facts["layout"]["task"]),
        kind=f"{facts['config']['kind']}{tuned}",
        steps=training.get("steps"),
        success=_success([*(training.get("evaluations") or ()), training.get("evaluation")]),
        written_s=path.stat().st_mtime,
        tuned=bool(tuned),
    )


def _success(evaluations: list[Any]) -> tuple[float, float, float] | None:
    """The last measurement in a checkpoint, if it holds any: of its training, or the one that it was packed with."""
    try:
        last = [evaluation for evaluation in evaluations if evaluation][-1]
        numbers = (float(last["success_rate"]), *map(float, last["ci95"]))
    except (TypeError, LookupError, ValueError):
        return None
    return numbers if len(numbers) == 3 and all(map(math.isfinite, numbers)) else None


def find_planners(runs: Path, shipped: Path = SHIPPED_ROOT) -> tuple[PlannerFile, ...]:
    """Shipped planners, fine-tuned ones first, then those of runs, the one written last first.

    What cannot be read is left out.
    """
    found: list[PlannerFile] = []
    if shipped.is_dir():
        listed = _readable((path, f"shipped: {path.stem}") for path in sorted(shipped.glob("*/*.safetensors")))
        found += sorted(listed, key=lambda planner: not planner.tuned)
    if runs.is_dir():
        kept = (path for path in runs.glob(f"**/{PLANNER_FILE}") if TRASH not in path.relative_to(runs).parts)
        own = _readable((path, path.parent.name) for path in kept)
        found += sorted(own, key=lambda planner: -planner.written_s)
    return tuple(found)


def _readable(named: Any) -> list[PlannerFile]:
    found = (read_if_planner(path, name) for path, name in named)
    return [planner for planner in found if planner is not None]


def read_if_planner(path: Path, name: str = "") -> PlannerFile | None:
    """What a planner's file (or the run folder that holds it) says about itself, None when it cannot be read as one."""
    try:
        return read_planner_file(planner_path(path), name)
    except (CheckpointError, OSError, KeyError, TypeError):
        return None
