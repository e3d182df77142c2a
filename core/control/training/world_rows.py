"""Copying the internal state of chosen worlds between batched objects (reference-state initialisation, resume)."""

from typing import Any

from torch import Tensor


def take_rows(source: Any, fields: tuple[str, ...], worlds: Tensor) -> dict[str, Tensor]:
    """Copies of the rows `worlds` of the named tensors of an object."""
    return {name: getattr(source, name)[worlds].clone() for name in fields}


def put_rows(target: Any, worlds: Tensor, rows: dict[str, Tensor], which: Tensor) -> None:
    """Write the rows `which` of `rows` to the rows `worlds` of an object's tensors, not touching aliases of them."""
    for name, values in rows.items():
        tensor = getattr(target, name).clone()
        tensor[worlds] = values[which]
        setattr(target, name, tensor)
