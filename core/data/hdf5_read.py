"""Typed access to HDF5 files through h5py."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np

from core.data.errors import DatasetDamagedError, DatasetError, DatasetMissingError


@contextmanager
def open_file(path: Path) -> Iterator[h5py.File]:
    """The file as it is now, for reading. Raises DatasetMissingError, DatasetDamagedError, DatasetError.

    Through a Python file object: the HDF5 library shows a path that is already open in the process as it was then.
    """
    if not path.is_file():
        raise DatasetMissingError(path)
    with _open(path) as stream:
        try:
            file = h5py.File(stream, "r")
        except OSError as error:
            raise DatasetDamagedError(
                f"{path} cannot be read as HDF5 ({error}); give the path of a data set, or if it is a damaged one, "
                f"bring back its last complete change with `refine-dp dataset recover {path}`"
            ) from error
        with file:
            yield file


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except PermissionError:
        raise DatasetError(f"{path} may not be read by this user; change its permissions, or give another") from None


def group_at(parent: h5py.Group, path: str) -> h5py.Group:
    """A group by path. Raises DatasetError when there is none."""
    item = parent.get(path)
    if not isinstance(item, h5py.Group):
        raise DatasetError(f"{parent.file.filename} has no group {path} in {parent.name}: not a data set")
    return item


def array_at(parent: h5py.Group, path: str) -> np.ndarray:
    """A whole array by path. Raises DatasetError when there is none."""
    item = parent.get(path)
    if not isinstance(item, h5py.Dataset):
        raise DatasetError(f"{parent.file.filename} has no array {path} in {parent.name}")
    return np.asarray(item[()])


def attributes(item: h5py.Group) -> dict[str, Any]:
    """Attributes, bytes decoded."""
    stored = item.attrs
    values = {name: stored[name] for name in stored}
    return {name: value.decode() if isinstance(value, bytes) else value for name, value in values.items()}


def addresses(group: h5py.Group) -> dict[str, int]:
    """Where the members of a group are in the file. Raises DatasetError on soft and external links."""
    result: dict[str, int] = {}
    for name in map(str, group):
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise DatasetError(
                f"{group.file.filename}: {group.name}/{name} is a soft or external link; "
                "write a self-contained copy with `refine-dp dataset merge` first"
            )
        result[name] = h5py.h5o.get_info(group[name].id).addr  # type: ignore[attr-defined]  # compiled, missing in the stubs
    return result


def array_names(group: h5py.Group) -> list[str]:
    """Paths of every array below a group, following every kind of link."""
    names: list[str] = []
    for name, item in group.items():
        if isinstance(item, h5py.Group):
            names += [f"{name}/{below}" for below in array_names(item)]
        else:
            names.append(name)
    return names


def read_arrays(group: h5py.Group) -> dict[str, np.ndarray]:
    """Every array below a group by its path."""
    return {name: array_at(group, name) for name in array_names(group)}
