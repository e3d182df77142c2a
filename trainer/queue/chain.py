"""The whole chain as a preset: collect, pretrain, evaluate, finetune, evaluate; each takes what another made."""

import re
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Literal

from trainer.jobs import collect, evaluate, finetune, pretrain

ChainPreset = Literal["quick", "paper"]
EPISODES: dict[ChainPreset, int] = {"quick": 50, "paper": 1000}
EVALUATED: dict[ChainPreset, int] = {"quick": 100, "paper": 500}
COLLECT, PRETRAIN, FINETUNE = Path("@0"), Path("@1"), Path("@3")
_PLACE = re.compile(r"@(\d+)")


def whole_chain(preset: ChainPreset, dataset: Path) -> list[tuple[str, Any]]:
    """(job, config) in order; @K stands for the K-th job of the chain."""
    measured = EVALUATED[preset]
    return [
        ("collect", collect.Config(dataset, episodes=EPISODES[preset], success_only=True)),
        ("pretrain", replace(pretrain.PRESETS[preset], dataset=COLLECT)),
        ("evaluate", evaluate.Config(PRETRAIN, episodes=measured)),
        ("finetune", replace(finetune.PRESETS[preset], checkpoint=PRETRAIN, require_ready=True)),
        ("evaluate", evaluate.Config(FINETUNE, episodes=measured)),
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
