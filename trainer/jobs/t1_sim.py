"""A simulated Booster T1 that speaks the robot's network protocol: what the hardware path is tested against.

It steps the MuJoCo T1 in real time, obeys modes, calls and low-level commands, and holds the last low-level command for
ever. Type words to steer it: status, fault NAME [VALUE|off], remote MODE, restart, push NEWTON, fall, gantry on|off,
place SEED, mocap FAULT, quit. Faults: silent, cut, slow, drop_rpc, refuse, hot, packet_loss. With --mocap.port 1510 an
emulated motion capture system streams trunk and objects as OptiTrack's Motive does (NatNet): look at it with
refine-dp mocap natnet:127.0.0.1.
"""

import json
import random
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from core.mocap import emulated_errors  # by module: a name PRESETS here would be options of this job
from core.mocap.emulated_errors import MocapErrors
from trainer.typed_json import from_json

if TYPE_CHECKING:
    from core.mocap.emulator import MocapEmulator
    from core.robot.sim.start import SimStart


@dataclass(frozen=True)
class MocapSim:
    """Emulated motion capture of the simulated scene."""

    port: int = -1
    "UDP port that clients speak to (Motive: 1510); 0: any free one, said at the start; -1: no motion capture"
    preset: Literal["paper", "none", "own"] = "paper"
    "errors of the poses: like on hardware, none at all, or your own ones"
    own: MocapErrors = field(default_factory=MocapErrors)
    "errors of the preset own"
    rate_hz: float = 90.0
    "pictures a second"
    version: str = "4.1"
    "NatNet version of the stream: 3.0 to 4.2"
    multicast: bool = False
    "send to a multicast group instead of to each client"

    def __post_init__(self) -> None:
        if not -1 <= self.port < 65536:
            raise ValueError(f"mocap.port must be 1 to 65535, 0 (any) or -1 (none), got {self.port}")
        if not 1 <= self.rate_hz <= 500:
            raise ValueError(f"mocap.rate_hz must be 1 to 500, got {self.rate_hz}")

    @property
    def errors(self) -> MocapErrors:
        """Of the preset."""
        return self.own if self.preset == "own" else emulated_errors.PRESETS[self.preset]


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
    mocap: MocapSim = field(default_factory=MocapSim)
    "motion capture"
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
    from core.robot.sim.start import SimStart
    from core.tasks.scene import Scene
    from trainer.interrupt import stop_on_signals

    torch.set_num_threads(1)
    domain = config.domain if config.domain >= 0 else random.randint(100, 230)
    draw = None if config.task == "none" else lambda seed: draw_start(config.task, seed)
    start = SimStart(Scene("t1-sim")) if draw is None else draw(config.seed)
    mocap = _make_mocap(config, start)
    firmware = FirmwareConfig(config.stand_up_s, config.hold_last_command_s)
    settings = SimConfig(domain, start, config.address, config.gantry, firmware, config.seed)
    balance = Gait() if config.balance else NoGait()
    robot = SimRobot(settings, balance, lambda event: print_json(event, sys.stdout), mocap=mocap)
    priority = ask_for_realtime() if config.realtime else "ordinary priority"
    ready = {"event": "ready", "domain": domain, "address": config.address, "priority": priority}
    print_json(ready | {"mocap_port": mocap.port if mocap is not None else None}, sys.stdout)
    try:
        with stop_on_signals() as stop:
            console = Console(robot, sys.stdin, lambda message: print_json(message, sys.stdout), draw)
            console.run(lambda: stop.requested)
    finally:
        robot.close()
    print_json({"event": "end", "violations": dict(robot.inspector.counts)}, sys.stdout)
    return 0


def draw_start(task_name: str, seed: int) -> "SimStart":
    """What people prepare for the task's episode of a seed: the same that a session of this seed expects."""
    import torch

    from core.robot.sim.start import drawn_start
    from core.tasks.catalogue import make_task

    task = make_task(task_name, 1)
    initial, physics, _ = task.sample_initial(1, torch.Generator().manual_seed(seed))
    return drawn_start(task.scene(), initial, physics)


def _make_mocap(config: Config, start: "SimStart") -> "MocapEmulator | None":
    from core.mocap.emulator import MocapEmulator
    from core.mocap.settings import TRUNK

    chosen = config.mocap
    if chosen.port < 0:
        return None
    names = (TRUNK, *(item.name for item in start.scene.free_objects))
    return MocapEmulator(
        names, chosen.port, chosen.errors, chosen.rate_hz, config.seed, chosen.version, chosen.multicast, config.address
    )


if __name__ == "__main__":
    sys.exit(main(from_json(Config, json.loads(sys.argv[1]))))
