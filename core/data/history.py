"""Undo and redo as changes of which version of which episode is in the data set: pure data."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

Kind = Literal["keep", "recover", "delete", "restore", "trim", "label", "merge"]

MAX_OPERATIONS = 100
"""Length of the undo stack; what was deleted earlier stays in the trash."""


@dataclass(frozen=True)
class Operation:
    """Versions (demo_N.k) that came into the data set and that left it."""

    kind: Kind
    date: str
    "UTC, ISO 8601"
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    def inverse(self) -> "Operation":
        """What undoes it."""
        return replace(self, added=self.removed, removed=self.added)

    def describe(self) -> str:
        """For a person: 'trim demo_3'."""
        names = sorted({name_of(version) for version in self.added + self.removed})
        shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        return f"{self.kind} {shown}"


@dataclass(frozen=True)
class History:
    """What was done, what was undone, and the next free number."""

    done: tuple[Operation, ...] = ()
    undone: tuple[Operation, ...] = ()
    next_index: int = 0

    def after(self, operation: Operation) -> "History":
        """With a new operation: what was undone can no longer be redone."""
        return replace(self, done=(*self.done, operation)[-MAX_OPERATIONS:], undone=())

    def after_undo(self) -> "History":
        """The last operation moved to the redo stack."""
        return replace(self, done=self.done[:-1], undone=(*self.undone, self.done[-1]))

    def after_redo(self) -> "History":
        """The last undone operation moved back."""
        return replace(self, done=(*self.done, self.undone[-1]), undone=self.undone[:-1])

    def to_json(self) -> bytes:
        """For the file."""
        values = {"done": [vars(o) for o in self.done], "undone": [vars(o) for o in self.undone]}
        return json.dumps(values | {"next_index": self.next_index}, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, data: bytes) -> "History":
        """Inverse of `to_json`; an empty object is an empty history."""
        values: dict[str, Any] = json.loads(data)
        return cls(
            tuple(_operation(item) for item in values.get("done", ())),
            tuple(_operation(item) for item in values.get("undone", ())),
            values.get("next_index", 0),
        )


def _operation(item: Mapping[str, Any]) -> Operation:
    return Operation(item["kind"], item["date"], tuple(item["added"]), tuple(item["removed"]))


def name_of(version: str) -> str:
    """demo_N of demo_N.k."""
    return version.rpartition(".")[0]


def next_version(version: str) -> str:
    """demo_N.k -> demo_N.(k+1)."""
    name, _, number = version.rpartition(".")
    return f"{name}.{int(number) + 1}"


def apply(
    operation: Operation, live: Mapping[str, int], trash: Mapping[str, int], new: Mapping[str, int]
) -> tuple[dict[str, int], dict[str, int]]:
    """(live by name, trash by version) after an operation; `new` holds addresses of versions in neither."""
    live, trash = dict(live), dict(trash)
    for version in operation.removed:
        trash[version] = live.pop(name_of(version))
    for version in operation.added:
        live[name_of(version)] = new[version] if version in new else trash.pop(version)
    return live, trash
