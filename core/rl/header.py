"""What a checkpoint says about itself, read without its weights and without torch (windows list many of them)."""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

HEADER_KEY = "refine_dp"


class CheckpointError(ValueError):
    """A checkpoint is missing, damaged, or made for something else."""


def read_header(path: Path) -> dict[str, Any]:
    """Layout and metadata: {"layout": ..., "metadata": ...}. Raises CheckpointError."""
    if not path.is_file():
        raise CheckpointError(f"no checkpoint at {path}; give a .safetensors file that a training wrote")
    try:
        with safe_open(str(path), framework="numpy") as file:
            header = json.loads((file.metadata() or {})[HEADER_KEY])
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise CheckpointError(
            f"{path} is not a checkpoint of this program ({error}); give a .safetensors file of it"
        ) from error
    if not isinstance(header, dict) or not {"layout", "metadata"} <= header.keys():
        raise CheckpointError(
            f"{path} is not a checkpoint of this program (its header has no layout); give a .safetensors file of it"
        )
    return header
