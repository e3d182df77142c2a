"""Typed dataclasses to plain JSON and back, strictly: one codec for configs, run folders and session messages."""

import dataclasses
import types
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

T = TypeVar("T")

ARRAY_KEY = "$array"
"""A JSON object {"$array": i} stands for the i-th array that travels beside the JSON."""


class DecodeError(ValueError):
    """JSON that does not fit the type it was read as."""


def to_json(value: Any, arrays: list[np.ndarray] | None = None) -> Any:
    """Plain JSON of a dataclass. Arrays go to `arrays` (raw, beside the JSON) where given, else into lists.

    Raises TypeError for a value with no JSON form.
    """
    if isinstance(value, np.ndarray):
        if arrays is None:
            return value.tolist()
        arrays.append(value)
        return {ARRAY_KEY: len(arrays) - 1}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name), arrays) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): to_json(item, arrays) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(item, arrays) for item in value]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"{type(value).__name__} has no JSON form: {value!r}")


def from_json(kind: type[T], data: Any, arrays: list[np.ndarray] | None = None, where: str = "") -> T:
    """Read JSON as a type. Raises DecodeError with the place for unknown or missing fields and values that misfit."""
    return _read(kind, data, arrays or [], where or getattr(kind, "__name__", str(kind)))


def _read(kind: Any, data: Any, arrays: list[np.ndarray], where: str) -> Any:
    origin, args = get_origin(kind), get_args(kind)
    if kind is Any:
        return data
    if kind is np.ndarray:
        return _read_array(data, arrays, where)
    if origin is Literal:
        if data not in args or isinstance(data, (dict, list)):
            raise DecodeError(f"{where}: {data!r} is not one of {', '.join(map(repr, args))}")
        return data
    if origin in (Union, types.UnionType):
        return _read_union(args, data, arrays, where)
    if origin in (tuple, list):
        return _read_sequence(origin, args, data, arrays, where)
    if origin is dict:
        _expect(isinstance(data, dict), "an object", data, where)
        return {_read_key(args[0], k, where): _read(args[1], v, arrays, f"{where}[{k!r}]") for k, v in data.items()}
    if dataclasses.is_dataclass(kind):
        return _read_dataclass(kind, data, arrays, where)
    return _read_scalar(kind, data, where)


def _expect(fits: bool, wanted: str, data: Any, where: str) -> None:
    if not fits:
        shown = repr(data)
        raise DecodeError(f"{where}: expected {wanted}, got {shown if len(shown) < 80 else shown[:77] + '...'}")


def _read_scalar(kind: Any, data: Any, where: str) -> Any:
    if kind is float:
        _expect(isinstance(data, (int, float)) and not isinstance(data, bool), "a number", data, where)
        return float(data)
    if kind is int:
        _expect(isinstance(data, int) and not isinstance(data, bool), "a whole number", data, where)
        return data
    if kind is Path:
        _expect(isinstance(data, str), "a path", data, where)
        return Path(data)
    if kind in (bool, str):
        _expect(isinstance(data, kind), "true or false" if kind is bool else "text", data, where)
        return data
    if kind in (None, type(None)):
        _expect(data is None, "null", data, where)
        return None
    raise DecodeError(f"{where}: the type {kind} cannot be read from JSON")


def _read_key(kind: Any, key: str, where: str) -> Any:
    if kind is int:
        try:
            return int(key)
        except ValueError:
            raise DecodeError(f"{where}: the key {key!r} is not a whole number") from None
    return key


def _read_array(data: Any, arrays: list[np.ndarray], where: str) -> np.ndarray:
    index = data.get(ARRAY_KEY) if isinstance(data, dict) else None
    if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < len(arrays):
        raise DecodeError(f"{where}: expected one of the {len(arrays)} arrays of the message, got {data!r}")
    return arrays[index]


def _read_union(args: tuple[Any, ...], data: Any, arrays: list[np.ndarray], where: str) -> Any:
    if data is None and type(None) in args:
        return None
    problems = []
    for option in args:
        if option is type(None):
            continue
        try:
            return _read(option, data, arrays, where)
        except DecodeError as error:
            problems.append(str(error))
    raise DecodeError("; or ".join(problems))


def _read_sequence(
    origin: Any, args: tuple[Any, ...], data: Any, arrays: list[np.ndarray], where: str
) -> tuple[Any, ...] | list[Any]:
    _expect(isinstance(data, list), "a list", data, where)
    if origin is tuple and not (len(args) == 2 and args[1] is Ellipsis):
        _expect(len(data) == len(args), f"a list of {len(args)}", data, where)
        return tuple(_read(kind, item, arrays, f"{where}[{i}]") for i, (kind, item) in enumerate(zip(args, data)))
    items = [_read(args[0], item, arrays, f"{where}[{i}]") for i, item in enumerate(data)]
    return tuple(items) if origin is tuple else items


def _read_dataclass(kind: Any, data: Any, arrays: list[np.ndarray], where: str) -> Any:
    _expect(isinstance(data, dict), "an object", data, where)
    fields = {f.name: f for f in dataclasses.fields(kind) if f.init}
    unknown = sorted(set(data) - set(fields))
    if unknown:
        raise DecodeError(f"{where}: unknown field {unknown[0]!r}; known: {', '.join(fields)}")
    hints = get_type_hints(kind)
    values = {}
    for name, item in fields.items():
        if name in data:
            values[name] = _read(hints[name], data[name], arrays, f"{where}.{name}")
        elif item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING:
            raise DecodeError(f"{where}: the field {name!r} is missing")
    try:
        return kind(**values)
    except (TypeError, ValueError) as error:
        raise DecodeError(f"{where}: {error}") from error
