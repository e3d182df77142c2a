"""Say whether a planner is ready to be fine-tuned, line by line, with what to do. Status 3 when it is not.

Takes the options of `refine-dp finetune`; `refine-dp finetune --require-ready` refuses to begin for the same reasons.
"""

import json as json_module
from dataclasses import dataclass, field
from typing import Annotated

import tyro

from trainer.jobs.finetune import Config as FinetuneConfig

NOT_READY = 3


@dataclass(frozen=True)
class Config:
    """What would be fine-tuned, and how."""

    finetune: Annotated[FinetuneConfig, tyro.conf.arg(name="")] = field(default_factory=FinetuneConfig)
    json: bool = False
    "print JSON instead of lines"


def main(config: Config) -> int:
    """Look and print."""
    from core.checks import is_ready, printed
    from trainer.readiness import inspect
    from trainer.typed_json import to_json

    lines = inspect(config.finetune)
    if config.json:
        print(json_module.dumps([to_json(line) for line in lines]))
    else:
        print("\n".join(printed(lines)))
    return 0 if is_ready(lines) else NOT_READY
