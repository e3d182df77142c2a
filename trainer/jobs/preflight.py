"""Look at a robot before it moves: network, battery, temperatures, joints, ladder, stop test. Status 3 when red.

The same lines as the window's page Pre-flight. The robot is connected to for the look, and nothing is sent to it but
questions and, with --stop-test, the test. With --attach the session that has the robot already (a window, or refine-dp
run) is looked at, confirmed and tested: what counts for it must be done in it.
"""

import json as json_module
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from core.robot.ladder_evidence import Hang

NOT_READY = 3
CONNECT_S = 20.0


@dataclass(frozen=True)
class Config:
    """Which robot, for what, and who confirms."""

    robot: str = "lo"
    "network interface to the robot, with the DDS domain after a colon where it is not 0: eth0, 127.0.0.1:123"
    backend: Literal["t1", "t1_whole_body"] = "t1"
    "what shall be driven: the arms, or all joints"
    hang: Hang = "gantry"
    "shadow: nothing is sent; gantry: the robot hangs in it; free: it stands on its own feet"
    source: Literal["heuristic", "keyboard", "vr", "policy"] = "heuristic"
    "who shall command: evidence is kept for each"
    checkpoint: Path | None = None
    "planner of the source policy"
    task: str = "box_pickup"
    "task of that planner"
    attach: bool = False
    "look at the robot session of this user that runs, instead of connecting"
    practise: bool = False
    "treat a simulated robot like a real one: it has to climb the ladder too"
    mocap: str = ""
    "motion capture to look at, such as natnet:192.168.1.5; '' for none"
    gantry: str = ""
    "name of the person who confirms that the gantry holds the robot"
    remote: str = ""
    "name of the person who has the remote control in the hand"
    stop_test: bool = False
    "test the hard stop: in the gantry the robot stands up and sinks"
    json: bool = False
    "print JSON instead of lines"

    def __post_init__(self) -> None:
        if (self.source == "policy") != (self.checkpoint is not None):
            raise ValueError("--source policy and --checkpoint PATH belong together: give both, or neither")


def main(config: Config) -> int:
    """Returns 0 when nothing is red, 3 otherwise."""
    from core.checks import is_ready, printed
    from trainer.preflight import look
    from trainer.typed_json import to_json

    found = look(config, lambda text: None if config.json else print(text, flush=True))
    if config.json:
        print(json_module.dumps(to_json(found), allow_nan=False))
    else:
        print("\n".join(printed(found.lines)))
        for rung in found.rungs:
            print(f"{'open  ' if rung.open else 'locked'} {rung.title}: {rung.says}" + _remedy(rung.remedy))
        if found.robot:
            print(f"{found.robot}; {found.subject}")
    return 0 if is_ready(found.lines) else NOT_READY


def _remedy(text: str) -> str:
    return f" → {text}" if text else ""
