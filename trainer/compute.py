"""Where networks are computed: threads, precision of products, device."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


def use_processor(threads: int) -> None:
    """Threads of the networks on a CPU (0: as many as torch likes), and fast products."""
    if threads:
        torch.set_num_threads(threads)
    # fp32 products by oneDNN: twice as fast on CPUs without matrix units, at the same accuracy
    torch.set_float32_matmul_precision("medium")


@contextmanager
def single_thread() -> Iterator[None]:
    """While a simulator's own threads use the cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def evaluation_arithmetic() -> Iterator[None]:
    """One thread and exact fp32 products, whatever a training has set: the last bits of a planner's chunk decide some
    episodes, and what is measured inside of a training must be what is measured outside."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with single_thread():
            yield
    finally:
        torch.set_float32_matmul_precision(before)


def pick_device(name: str) -> torch.device:
    """Raises ValueError for a device that is unknown or not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind, _, index = name.partition(":")
    if kind not in ("cpu", "cuda") or (index and not index.isdigit()):
        raise ValueError(f"device {name!r} is unknown; known: auto, cpu, cuda, cuda:N (the N-th GPU, from 0)")
    if kind == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device {name!r}: torch finds no NVIDIA GPU here; use --device cpu")
    return torch.device(name)
