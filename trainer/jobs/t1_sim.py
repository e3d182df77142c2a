"""A simulated Booster T1 that speaks the robot's network protocol: what the hardware path is tested against.

It steps the MuJoCo T1 in real time, obeys modes, calls and low-level commands, and holds the last low-level command for
ever. Type words to steer it: status, fault NAME [VALUE|off], remote MODE, restart, push NEWTON, fall, gantry on|off,
quit. Faults: silent, cut, slow, drop_rpc, refuse, hot, packet_loss.
"""

import json
import random
import sys
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Config:
    """The simulated robot and its network."""

    domain: int = -1
    "DDS domain, 0 to 230; -1 draws one of 100 to 230. A real robot uses 0: never choose 0 where one is near"
    address: str = "127.0.0.1"
    "IPv4 address of the interface; loopback keeps the traffic on this computer"
    task: Literal["none", "box_pickup"] = "none"
    "scene around the robot"
    seed: int = 0
    "start of the task's episode: where the robot and the objects are"
    gantry: bool = True
    "hang the robot in a harness that lifts it to stand up and catches it when it sinks"
    stand_up_s: float = 2.0
    "time that prepare takes; custom and walking are refused before"
    hold_last_command_s: float = 0.0
    "how long the last low-level command is held in custom mode; 0: for ever, which is the pessimistic assumption"
    balance: bool = True
    "load the walking controller; without it the robot cannot walk and starts faster"
    realtime: bool = True
    "ask for real-time priority, so that a busy computer does not make a slow robot"

    def __post_init__(self) -> None:
        if not -1 <= self.domain <= 230:
            raise ValueError(f"domain must be 0 to 230, or -1 to draw one, got {self.domain}")


def main(config: Config) -> int:
    """Run until told to quit. Returns 0."""
    import torch

    from core.robot.realtime import ask_for_realtime
    from core.robot.sim.console import Console, print_json
    from core.robot.sim.firmware import FirmwareConfig
    from core.robot.sim.gait import Gait
    from core.robot.sim.no_gait import NoGait
    from core.robot.sim.robot import SimConfig, SimRobot
    from core.tasks.scene import Scene
    from trainer.interrupt import stop_on_signals

    torch.set_num_threads(1)
    domain = config.domain if config.domain >= 0 else random.randint(100, 230)
    scene, initial = Scene("t1-sim"), None
    if config.task != "none":
        from core.tasks.catalogue import make_task

        task = make_task(config.task, 1)
        scene = task.scene()
        initial, _, _ = task.sample_initial(1, torch.Generator().manual_seed(config.seed))
    firmware = FirmwareConfig(config.stand_up_s, config.hold_last_command_s)
    settings = SimConfig(domain, scene, initial, config.address, config.gantry, firmware, config.seed)
    robot = SimRobot(settings, Gait() if config.balance else NoGait(), lambda event: print_json(event, sys.stdout))
    priority = ask_for_realtime() if config.realtime else "ordinary priority"
    print_json({"event": "ready", "domain": domain, "address": config.address, "priority": priority}, sys.stdout)
    try:
        with stop_on_signals() as stop:
            Console(robot, sys.stdin, lambda message: print_json(message, sys.stdout)).run(lambda: stop.requested)
    finally:
        robot.close()
    print_json({"event": "end", "violations": dict(robot.inspector.counts)}, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main(Config(**json.loads(sys.argv[1]) if len(sys.argv) > 1 else {})))
