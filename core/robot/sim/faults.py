"""Faults that the simulated robot injects on request, by word: `fault NAME [VALUE]`, `fault NAME off`."""

from dataclasses import dataclass, fields

import numpy as np


@dataclass
class Faults:
    """What is broken now. 0 and false: nothing."""

    silent: bool = False
    "publishes nothing and answers nothing, but still obeys"
    cut: bool = False
    "all traffic is cut in both directions: the robot goes on with what it had"
    slow: float = 0.0
    "answers come this many seconds late"
    drop_rpc: float = 0.0
    "share of calls that are neither obeyed nor answered (1: the service is dead)"
    refuse: bool = False
    "every change of mode but damping is refused"
    hot: float = 0.0
    "temperature of the left knee, deg C"
    packet_loss: float = 0.0
    "share of low-level frames lost, in each direction"

    def set(self, name: str, value: str) -> None:
        """Break or mend one thing. Raises ValueError naming what exists."""
        kinds = {item.name: type(getattr(self, item.name)) for item in fields(self)}
        if name not in kinds:
            raise ValueError(f"fault {name!r} does not exist; known: {', '.join(kinds)}")
        if value == "off":
            setattr(self, name, kinds[name]())
        elif kinds[name] is bool:
            setattr(self, name, True)
        else:
            setattr(self, name, _number(name, value))

    def loses(self, random: np.random.Generator) -> bool:
        """Whether a frame that passes now is lost."""
        return bool(self.packet_loss) and random.random() < self.packet_loss

    def drops_call(self, random: np.random.Generator) -> bool:
        """Whether a call that comes now is lost."""
        return bool(self.drop_rpc) and random.random() < self.drop_rpc


def _number(name: str, value: str) -> float:
    try:
        return float(value) if value else 1.0
    except ValueError:
        raise ValueError(f"fault {name} takes a number or 'off', got {value!r}") from None
