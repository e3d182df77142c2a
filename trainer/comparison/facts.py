"""What a planner's files say of its making, and whether one that is given is what its row says."""

from pathlib import Path
from typing import Any

from core.rl.header import read_header
from trainer.comparison.plan import Row
from trainer.jobs.compare import RowName
from trainer.planner_files import planner_path, read_planner_file

TRAINING_FILE = "checkpoints/training.safetensors"
KINDS: dict[RowName, tuple[str, ...]] = {
    "dit": ("dit",),
    "mlp": ("mlp",),
    "mlp-ft": ("mlp fine-tuned",),
    "residual": ("dit + residual", "mlp-diffusion + residual"),
    "dppo": ("dit fine-tuned", "mlp-diffusion fine-tuned"),
    "scratch": ("dit fine-tuned", "mlp-diffusion fine-tuned"),
}
"""Method of a row -> what its planner may be, in the words of `PlannerFile.kind`."""


def check_given(row: Row, path: Path) -> None:
    """Raises ValueError when a planner was not made as its row says, CheckpointError when it is none."""
    file = planner_path(path)
    kind, allowed = read_planner_file(file).kind, KINDS[row.method]
    if kind not in allowed:
        raise ValueError(f"use {row.key}={path}: this planner is {kind!r}, the row {row.label!r} is of {allowed[0]!r}")
    facts = training_facts(read_header(file)["metadata"]["training"])
    count = facts.get("demonstrations")
    if count is not None and count != row.demonstrations:
        raise ValueError(
            f"use {row.key}={path}: this planner learned from {count} demonstrations, the row {row.label!r} is of "
            f"{row.demonstrations}; give another planner, or --demonstrations {count} for all rows"
        )


def training_facts(training: dict[str, Any], folder: Path | None = None) -> dict[str, Any]:
    """Demonstrations, steps, iterations and minutes, from what a planner's checkpoint says of its making.

    A fine-tuned planner is the best of its run: where the run folder is there, the whole run is counted.
    """
    before = training.get("before")
    facts = training_facts(before) if before else {}
    whole = {**training, **_whole_run(folder)} if "iterations" in training else training
    minutes = whole["wall_s"] / 60.0 if "wall_s" in whole else None
    if "iterations" in training:
        facts |= {"iterations": whole["iterations"], "best_iteration": training["iterations"]}
        facts["finetune_minutes"] = minutes
        facts |= {"history": whole["history"]} if "history" in whole else {}
    elif "steps" in training:
        facts |= {"steps": training["steps"], "pretrain_minutes": minutes}
        facts["demonstrations"] = training.get("data", {}).get("episodes")
    return facts


def _whole_run(folder: Path | None) -> dict[str, Any]:
    """Iterations and seconds of a fine-tuning run; {} without its training state."""
    path = None if folder is None else folder / TRAINING_FILE
    if path is None or not path.is_file():
        return {}
    metadata = read_header(path)["metadata"]
    return {"iterations": len(metadata["history"]), "wall_s": metadata["wall_s"], "history": metadata["history"]}
