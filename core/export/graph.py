"""Writes a torch module as an ONNX file that says what it is, and refuses one that does not compute the same."""

import json
import logging
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from core.export.session import METADATA_KEY, OnnxSession
from core.rl.header import CheckpointError

INSTALL = "install it with: pip install 'refine-dp[onnx]'"


class ExportError(CheckpointError):
    """A network that cannot be exported, or whose export computes something else."""


@dataclass(frozen=True)
class Parity:
    """How far an exported network is from the original, over all outputs of all samples."""

    samples: int
    largest: float
    "largest absolute difference"
    mean: float
    "mean absolute difference"

    def __str__(self) -> str:
        return f"largest difference {self.largest:.1e}, mean {self.mean:.1e} over {self.samples} observations"


def export(
    module: nn.Module,
    samples: Sequence[tuple[Tensor, ...]],
    names: Sequence[str],
    path: Path,
    metadata: dict[str, Any],
    tolerance: float,
) -> Parity:
    """Write `module` to `path` (.onnx), if it computes the same there.

    `samples` are inputs, batched as the file shall take them (its shapes are fixed); `names` are those of the inputs.
    The original computes in fp32, and so does the file. Raises ExportError when a difference is above `tolerance` or
    not a number; nothing is left of the file then.
    """
    if not samples:
        raise ExportError("an export is compared with the original on observations, and there are none")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".export-") as folder:
        partial = Path(folder) / path.name
        write_graph(module, samples[0], names, partial)
        parity = compare(module, OnnxSession(partial), samples, names)
        if not parity.largest <= tolerance:
            raise ExportError(
                f"{path} was not written: the exported network is off by up to {parity.largest:.1e}, "
                f"{tolerance:.1e} is allowed; report this, or allow more with --tolerance"
            )
        write_metadata(partial, {**metadata, "parity": {**asdict(parity), "tolerance": tolerance}})
        partial.replace(path)
    return parity


def write_graph(module: nn.Module, inputs: tuple[Tensor, ...], names: Sequence[str], path: Path) -> None:
    """The module's graph with its weights in one file. Raises ExportError without the packages for it."""
    try:
        import onnxscript  # noqa: F401  # what torch.onnx needs; its own message does not say how to get it
    except ImportError as error:
        raise ExportError(f"exporting needs the package {error.name}, which is not installed; {INSTALL}") from error
    module.eval()
    with torch.no_grad():
        module(*inputs)  # what is computed once and kept must not become part of the graph
        chatty = logging.getLogger("torch.onnx")
        level, verbose = chatty.level, False
        chatty.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about torch's own insides
            try:
                torch.onnx.export(
                    module,
                    inputs,
                    str(path),
                    dynamo=True,
                    input_names=list(names),
                    output_names=["output"],
                    external_data=False,
                    verbose=verbose,
                )
            finally:
                chatty.setLevel(level)


def compare(
    module: nn.Module, session: OnnxSession, samples: Sequence[tuple[Tensor, ...]], names: Sequence[str]
) -> Parity:
    """The differences between a module and its export. Not a number where either says none."""
    differences = []
    with torch.no_grad():
        for inputs in samples:
            wanted = module(*inputs).numpy()
            said = session.run({name: value.numpy() for name, value in zip(names, inputs, strict=True)})
            differences.append(np.abs(said.astype(np.float64) - wanted))
    together = np.concatenate([difference.ravel() for difference in differences])
    return Parity(len(samples), float(together.max()), float(together.mean()))


def write_metadata(path: Path, metadata: dict[str, Any]) -> None:
    """Put a JSON object into the file's own metadata."""
    import onnx

    model = onnx.load(str(path))
    onnx.helper.set_model_props(model, {METADATA_KEY: json.dumps(metadata)})
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
