"""Checkpoints as data: one safetensors file whose header carries a layout, and the same text as JSON beside it."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from core.rl.header import HEADER_KEY, CheckpointError, read_header


@dataclass(frozen=True)
class Layout:
    """What goes into a network and what comes out: a checkpoint loads only where all of it is equal."""

    kind: str
    "what the weights are, e.g. upper_controller"
    version: int
    "raised when the meaning of an observation or action changes"
    observation: tuple[tuple[str, int], ...]
    "name and size of each part of the observation, in order"
    action: tuple[str, ...]
    "name of each action component, in order"

    @property
    def obs_size(self) -> int:
        return sum(size for _, size in self.observation)

    @property
    def action_size(self) -> int:
        return len(self.action)


def save_checkpoint(path: Path, tensors: dict[str, Tensor], layout: Layout, metadata: dict[str, Any]) -> None:
    """Write `path` (.safetensors) and `path` with suffix .json, each at once (no half-written file is ever seen).

    `metadata` is anything JSON can hold: config, command, seed, code version, evaluation.
    """
    if path.suffix != ".safetensors":
        raise ValueError(f"a checkpoint's name ends in .safetensors, got {path.name!r}")
    header = {"layout": asdict(layout), "metadata": metadata}
    data = save(
        {name: value.detach().cpu().contiguous() for name, value in tensors.items()},
        metadata={HEADER_KEY: json.dumps(header)},
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    _write_atomically(path, data)
    _write_atomically(path.with_suffix(".json"), (json.dumps(header, indent=2) + "\n").encode())


def load_checkpoint(path: Path, layout: Layout) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and metadata. Raises CheckpointError when the file is missing, damaged or of another layout."""
    header = read_header(path)
    with safe_open(str(path), framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # not a dict
    check_layout(path, header["layout"], layout)
    return tensors, header["metadata"]


def check_layout(path: Path, stored: dict[str, Any], expected: Layout) -> None:
    """Raises CheckpointError that names each difference between the file's layout and the expected one."""
    wanted = json.loads(json.dumps(asdict(expected)))
    differences = [
        f"{name}: file has {stored.get(name)!r}, this program needs {value!r}"
        for name, value in wanted.items()
        if stored.get(name) != value
    ]
    if differences:
        raise CheckpointError(f"{path} was made for another layout; retrain it. " + "; ".join(differences))


def _write_atomically(path: Path, data: bytes) -> None:
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
