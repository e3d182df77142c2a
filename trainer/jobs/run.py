"""The live loop without a window: runs episodes one after the other and prints what happens."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from core.control.choices import ControllerName
from core.control.hardware_speeds import HAND_M_S, WALK_M_S
from core.robot.ladder_evidence import Hang
from core.tasks.catalogue import check_task_name


@dataclass(frozen=True)
class Config:
    """What to run."""

    task: str = "box_pickup"
    "name of the task"
    source: Literal["heuristic", "policy", "keyboard"] = "heuristic"
    "who commands: the scripted planner, a trained one (--checkpoint), or a person at this terminal"
    checkpoint: Path | None = None
    "planner of the source policy: a planner.safetensors, or the folder of a run, which may still be training"
    runtime: Literal["torch", "onnx", "tensorrt"] = "torch"
    "what computes the planner; onnx and tensorrt need one written by refine-dp export"
    hold_after: int = 5
    "commands (0.1 s each) that the planner may be late before the robot holds"
    episodes: int = 5
    "episodes to run, 0 until Ctrl-C"
    seed: int = 0
    "seed of the first episode; episode k uses seed + k"
    pace: Literal["realtime", "fast"] = "realtime"
    "realtime: 50 Hz as on the robot; fast: as quickly as the computer can"
    dataset: Path | None = None
    "data set (HDF5) to record to"
    operator: str = ""
    "name of the person, recorded with each episode"
    safety: Literal["simulation", "hardware"] = "simulation"
    "limits of commands; hardware: walking 0.2 m/s, hands 0.05 m/s"
    controller: ControllerName = "learned"
    "arms as trained, as trained for a robot (late targets), or by inverse kinematics"
    backend: Literal["mujoco", "t1", "t1_whole_body", "fake"] = "mujoco"
    "mujoco: simulation; t1: the robot, its firmware balances; t1_whole_body: all its joints; fake serves tests"
    robot: str = "lo"
    "network interface to the robot, with the DDS domain after a colon where it is not 0: eth0, 127.0.0.1:123"
    mocap: str = ""
    "motion capture of a t1 backend: natnet:HOST[:PORT] or vicon:HOST[,trunk=NAME,box=NAME,up=y]; '' for none"
    stop_key: str = ""
    "robot: device of a pedal or button whose every key is a hard stop, /dev/input/by-id/...; '' for none"
    soft_stop_key: str = ""
    "robot: device of a pedal or button whose every key is a soft stop; '' for none"

    hang: Hang = "gantry"
    "for t1 backends: shadow: nothing is sent; gantry: the robot hangs in it; free: it stands on its own feet"
    practise: bool = False
    "treat a simulated robot like a real one: it has to climb the ladder too"
    gantry: str = ""
    "for t1 backends: name of the person who confirms that the gantry holds the robot"
    remote: str = ""
    "for t1 backends: name of the person who has the remote control in the hand"
    stop_test: bool = False
    "for t1 backends: test the hard stop first: in the gantry the robot stands up and sinks"
    walk_limit_m_s: float = WALK_M_S
    "for t1 backends: largest walking speed; more than 0.2 needs --operator, is logged with it, and ends at 0.4"
    hand_limit_m_s: float = HAND_M_S
    "for t1 backends: largest hand speed; more than 0.05 needs --operator, is logged with it, and ends at 0.5"

    def __post_init__(self) -> None:
        check_task_name(self.task)
        if self.episodes < 0:
            raise ValueError(f"episodes must be 0 (until Ctrl-C) or more, got {self.episodes}")
        if self.hold_after < 1:
            raise ValueError(f"hold_after must be at least 1, got {self.hold_after}")
        if self.backend in ("t1", "t1_whole_body") and self.pace == "fast":
            raise ValueError("a robot has its own time: --pace fast is for simulations")
        if (self.stop_key or self.soft_stop_key) and not self.backend.startswith("t1"):
            raise ValueError(f"stop keys are for robots (--backend t1), not for the backend {self.backend}")
        if (self.source == "policy") != (self.checkpoint is not None):
            raise ValueError("--source policy and --checkpoint PATH belong together: give both, or neither")


def main(config: Config) -> int:
    """Run the episodes. Returns 0 when they were run, 1 when something broke, 130 when it was stopped."""
    from trainer.headless import run_headless
    from trainer.interrupt import stop_on_signals

    with stop_on_signals() as stop:
        return run_headless(config, lambda: stop.requested)
