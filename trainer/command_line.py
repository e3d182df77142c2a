"""From a config back to the options that make it: what a job is started with, and what a person can copy."""

import dataclasses
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import tyro

OMITTED: Any = get_args(tyro.conf.OmitArgPrefixes[int])[1]
POSITIONAL: Any = get_args(tyro.conf.Positional[int])[1]


def options_of(config: Any, base: Any = None) -> list[str]:
    """Every option of a config, spelled as the command line wants it, so that later defaults change nothing.

    With `base` (a preset) only what differs from it. Raises TypeError for a value with no spelling.
    """
    named, positional = [], []
    for place, value, base_value in _leaves(config, base, ()):
        if base is not None and value == base_value:
            continue
        if place.positional:
            positional += _words(value)
        else:
            named += _spell(place.names, value)
    return [*positional, *named]


@dataclasses.dataclass(frozen=True)
class _Place:
    names: tuple[str, ...]
    positional: bool


def _leaves(config: Any, base: Any, prefix: tuple[str, ...]) -> Iterator[tuple[_Place, Any, Any]]:
    hints = get_type_hints(type(config), include_extras=True)
    for field in dataclasses.fields(config):
        value, base_value = getattr(config, field.name), getattr(base, field.name, None)
        marks = hints[field.name].__metadata__ if get_origin(hints[field.name]) is Annotated else ()
        if dataclasses.is_dataclass(value):
            same = base_value if type(base_value) is type(value) else None
            yield from _leaves(value, same, prefix if _unprefixed(marks) else (*prefix, field.name))
        else:
            yield _Place((*prefix, field.name), POSITIONAL in marks), value, base_value


def _unprefixed(marks: tuple[Any, ...]) -> bool:
    return OMITTED in marks or any(getattr(mark, "name", None) == "" for mark in marks)


def _spell(names: tuple[str, ...], value: Any) -> list[str]:
    *path, last = (name.replace("_", "-") for name in names)
    if isinstance(value, bool):
        return ["--" + ".".join((*path, last if value else f"no-{last}"))]
    return ["--" + ".".join((*path, last)), *_words(value)]


def _words(value: Any) -> list[str]:
    if isinstance(value, tuple):
        return [word for item in value for word in _words(item)]
    if value is None or isinstance(value, (bool, int, str, Path)):
        return [str(value)]
    if isinstance(value, float):
        return [repr(value)]
    raise TypeError(f"{value!r} of type {type(value).__name__} cannot be spelled as an option")


def portable_command(command: Sequence[str]) -> str:
    """The command line that repeats a training, without the folders of the machine it ran on.

    Of inputs that were given by an absolute path the name is left.
    """
    words = ["refine-dp"]
    arguments = iter(command[1:])
    for word in arguments:
        option = word.split("=")[0].replace("_", "-")
        if option in ("--runs", "--out", "--resume"):
            if "=" not in word:
                next(arguments, None)
            continue
        name, equals, value = word.rpartition("=")
        words.append(name + equals + (Path(value).name if Path(value).is_absolute() else value))
    return shlex.join(words)


def subcommand_words(kind: Any, config: Any) -> list[str]:
    """The word that chooses between several kinds of config (upper, lower); nothing where there is one kind."""
    for option in get_args(kind):
        if get_origin(option) is Annotated and isinstance(config, get_args(option)[0]):
            return [next(mark.name for mark in option.__metadata__ if getattr(mark, "name", None))]
    return []


def replace_runs_folder(config: Any, runs: Path) -> Any:
    """The same config with its run folder below `runs`, wherever the field stands. Raises TypeError without one."""
    for name, value in vars(config).items():
        if name == "runs":
            return dataclasses.replace(config, runs=runs)
        if dataclasses.is_dataclass(value) and hasattr(value, "runs"):
            return dataclasses.replace(config, **{name: replace_runs_folder(value, runs)})
    raise TypeError(f"{type(config).__name__} makes no run folder: it cannot be queued")
