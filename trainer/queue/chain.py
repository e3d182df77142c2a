"""The whole chain as a preset: collect, pretrain, evaluate, finetune, evaluate; each takes what another made."""

import itertools
import re
from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from trainer.jobs import collect, evaluate, finetune, pretrain
from trainer.jobs.chain import ChainPreset
from trainer.queue.desk import QueueDesk
from trainer.queue.entry import ENDED, Entry, QueueError
from trainer.queue.jobs import snapshot


class Sizes(NamedTuple):
    """What a preset of the chain is made of."""

    demonstrations: int
    pretrain: str
    "preset of that job"
    finetune: str
    "preset of that job"
    evaluated: int
    "episodes of each evaluation"


SIZES: dict[ChainPreset, Sizes] = {
    "quick": Sizes(50, "quick", "quick", 100),
    "standard": Sizes(50, "quick", "paper", 500),
    "paper": Sizes(1000, "paper", "paper", 500),
}
COLLECT, PRETRAIN, FINETUNE = Path("@0"), Path("@1"), Path("@3")
JOBS = ("collect", "pretrain", "evaluate", "finetune", "evaluate")
_PLACE = re.compile(r"@(\d+)")


def whole_chain(preset: ChainPreset, dataset: Path) -> list[tuple[str, Any]]:
    """(job, config) in order; @K stands for the K-th job of the chain."""
    sizes = SIZES[preset]
    return [
        ("collect", collect.Config(dataset, episodes=sizes.demonstrations, success_only=True)),
        ("pretrain", replace(pretrain.PRESETS[sizes.pretrain], dataset=COLLECT)),
        ("evaluate", evaluate.Config(PRETRAIN, episodes=sizes.evaluated)),
        ("finetune", replace(finetune.PRESETS[sizes.finetune], checkpoint=PRETRAIN, require_ready=True)),
        ("evaluate", evaluate.Config(FINETUNE, episodes=sizes.evaluated)),
    ]


def with_inputs(config: Any, numbers: list[int]) -> Any:
    """The config with every @K (place in the chain) turned into @N (number in the queue)."""
    changes = {}
    for field in fields(config):
        value = getattr(config, field.name)
        match = _PLACE.fullmatch(str(value)) if isinstance(value, Path) else None
        if match:
            changes[field.name] = Path(f"@{numbers[int(match[1])]}")
        elif is_dataclass(value):
            changes[field.name] = with_inputs(value, numbers)
    return replace(config, **changes)


def queued_chain(entries: Sequence[Entry]) -> list[int]:
    """Numbers of the newest whole chain among the entries that has not ended; empty when there is none."""
    ordered = sorted(entries, key=lambda entry: entry.id)
    for start in reversed(range(len(ordered) - len(JOBS) + 1)):
        links = ordered[start : start + len(JOBS)]
        follows = all(before.id in after.after for before, after in itertools.pairwise(links))
        if follows and tuple(entry.job for entry in links) == JOBS:
            going_on = any(entry.state not in ENDED for entry in links)
            return [entry.id for entry in links] if going_on else []
    return []


def go_on_or_queue(desk: QueueDesk, preset: ChainPreset, dataset: Path) -> tuple[list[int], str]:
    """Numbers of the chain to watch, and what is to be said: one that has not ended, else a new one.

    What was stopped or killed of it goes back into the queue. Raises QueueError when it is another one than asked for.
    """
    numbers = queued_chain(desk.store.entries())
    if not numbers:
        return [entry.id for entry in add_chain(desk, whole_chain(preset, dataset))], f"the {preset} chain is queued"
    _check_same(desk, numbers, preset, dataset)
    stopped = [number for number in numbers if desk.store.get(number).state in ("stopped", "killed")]
    for number in stopped:
        desk.resume(number)
    what = f"going on with it from #{stopped[0]}" if stopped else "watching it"
    return numbers, f"the queue of {desk.store.root} has a chain that has not ended: {what}"


def _check_same(desk: QueueDesk, numbers: list[int], preset: ChainPreset, dataset: Path) -> None:
    for number, (_, config) in zip(numbers, whole_chain(preset, dataset)):
        entry = desk.store.get(number)
        _, asked = snapshot(entry.job, with_inputs(config, numbers), desk.store.root)
        for name, value in asked.items():
            if entry.config.get(name) != value:
                raise QueueError(
                    f"the queue of {desk.store.root} has another chain that has not ended: {name} of {entry.title} is "
                    f"{entry.config.get(name)!r}, this one asks for {value!r}; ask for the same to go on with it, "
                    "end it with refine-dp queue stop and remove, or give another folder with --runs"
                )


def add_chain(desk: QueueDesk, chain: Sequence[tuple[str, Any]], priority: int = 0) -> list[Entry]:
    """Queue jobs of which each may name those before it as @0, @1, ... (their place in the chain)."""
    entries: list[Entry] = []
    for job, config in chain:
        numbers = [entry.id for entry in entries]
        entries.append(desk.add(job, with_inputs(config, numbers), priority, tuple(numbers[-1:])))
    return entries
