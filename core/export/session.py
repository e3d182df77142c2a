"""An ONNX file on one core of the CPU, or on an NVIDIA GPU by TensorRT."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, assert_never

import numpy as np

from core.rl.header import HEADER_KEY, CheckpointError

METADATA_KEY = HEADER_KEY
Provider = Literal["onnx", "tensorrt"]
INSTALL = "install it with: pip install 'refine-dp[onnx]' (NVIDIA GPU: 'refine-dp[gpu]')"


class OnnxSession:
    """A network with one output."""

    def __init__(self, path: Path, provider: Provider = "onnx") -> None:
        """Raises CheckpointError when the file, the package or the provider is not there."""
        runtime = _import_runtime()
        if not path.is_file():
            raise CheckpointError(f"no exported network at {path}; write one with refine-dp export")
        names = _providers(runtime, provider, path.parent)
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1  # one network beside a loop at 50 Hz
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        try:
            self._session = runtime.InferenceSession(str(path), options, providers=names)
        except Exception as error:  # onnxruntime has an exception class of its own for each thing that can be wrong
            raise CheckpointError(f"{path} is not an ONNX file that can be run: {error}") from error
        wanted = names[0] if isinstance(names[0], str) else names[0][0]
        if self._session.get_providers()[0] != wanted:
            raise CheckpointError(f"{wanted} could not be started; the log of ONNX Runtime above says why; use onnx")

    @property
    def metadata(self) -> dict[str, Any]:
        """What the file says about itself, {} where it says nothing."""
        return json.loads(self._session.get_modelmeta().custom_metadata_map.get(METADATA_KEY, "{}"))

    def run(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """The output for inputs by name."""
        return self._session.run(None, dict(inputs))[0]


def _import_runtime() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise CheckpointError(f"ONNX Runtime is not installed; {INSTALL}") from error
    return onnxruntime


def _providers(runtime: Any, provider: Provider, cache: Path) -> list[Any]:
    match provider:
        case "onnx":
            return ["CPUExecutionProvider"]
        case "tensorrt":
            missing = tensorrt_missing()
            if missing:
                raise CheckpointError(missing)
            options = {"trt_engine_cache_enable": True, "trt_engine_cache_path": str(cache)}
            return [("TensorrtExecutionProvider", options), "CUDAExecutionProvider", "CPUExecutionProvider"]
        case _:
            assert_never(provider)


def tensorrt_missing() -> str:
    """Why TensorRT cannot be used here, '' when it can be tried."""
    available = _import_runtime().get_available_providers()
    if "TensorrtExecutionProvider" in available:
        return ""
    return (
        f"this ONNX Runtime has no TensorRT (it has {', '.join(available)}): on a machine with an NVIDIA GPU "
        "install 'refine-dp[gpu]' and NVIDIA's tensorrt; elsewhere use the runtime onnx"
    )
