"""What a session is built of, by name: task, backend, source, controllers."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from core.backends.base import Backend, LiveBackend
from core.control.choices import CONTROLLER_NAMES, ControllerName
from core.control.hardware_speeds import HAND_M_S, WALK_M_S, HardwareSpeeds
from core.control.safety import DEFAULT_SPEEDS, PRESETS, SafetyLimits
from core.planners.base import SPEEDS, Source
from core.robot.ladder_evidence import Hang
from core.rollout import Controller
from core.tasks.base import Task
from core.teleop.keyboard import KeyboardDevice
from core.teleop.mapper import Device, MapperConfig, OperatorSource, TeleopMapper
from core.types import Command, JointTarget, WorldState
from trainer.runs import software_version
from trainer.safety_log import new_log
from trainer.session.messages import Configure

BACKENDS = ("mujoco", "t1", "t1_whole_body", "fake")
ROBOTS = ("t1", "t1_whole_body")
"""Backends that are a real robot (or refine-dp t1-sim): t1 leaves the balance to its firmware."""
SOURCES = ("heuristic", "keyboard", "vr", "policy")
OPERATED = ("keyboard", "vr")
"""Sources that are a person."""
OPERATOR_TIME_LIMIT_S = 300.0
"""A person needs longer than a planner."""


@dataclass(frozen=True)
class RobotSettings:
    """How a real robot is reached, seen and stopped."""

    address: str = "lo"
    "network interface, with the DDS domain after a colon where it is not 0"
    mocap: str = ""
    "motion capture (`core.mocap.settings`), '' for none"
    stop_key: str = ""
    "device of a hard-stop key or pedal, '' for none"
    soft_stop_key: str = ""
    "device of a soft-stop key or pedal, '' for none"
    hang: Hang = "gantry"
    "shadow, gantry or free"
    practise: bool = False
    "a simulated robot climbs the ladder too"
    speeds: HardwareSpeeds = DEFAULT_SPEEDS
    "how fast it may be asked to move"

    @classmethod
    def of(cls, config: Configure) -> "RobotSettings":
        """Those of a session. Raises ValueError for speeds that nobody may have, or nobody stands for."""
        return cls(
            config.robot, config.mocap, config.stop_key, config.soft_stop_key, config.hang, config.practise,
            robot_speeds(config),
        )  # fmt: skip


NO_ROBOT = RobotSettings()


def make_backend(name: str, task: Task, robot: RobotSettings = NO_ROBOT) -> Backend:
    """A backend with the task's scene in as many worlds as the task; `robot` is how a real one is reached.

    Raises ValueError naming the known ones, ConnectionError when robot or motion capture is not there.
    """
    match name:
        case "mujoco":
            from core.backends.mujoco import MujocoBackend

            return MujocoBackend(task.scene(), task.num_worlds)
        case "fake":
            from core.backends.fake import FakeBackend

            return FakeBackend(task.scene(), task.num_worlds)
    check_backend_name(name)
    return make_robot(name, task, robot)


def make_robot(name: str, task: Task, robot: RobotSettings) -> LiveBackend:
    """The robot, with its agent and its dead-man. Raises ValueError, ConnectionError."""
    from core.backends.t1 import T1Backend
    from core.mocap.check import open_mocap
    from core.mocap.settings import TRUNK
    from core.robot.agent.config import AgentConfig

    if task.num_worlds != 1:
        raise ValueError(f"the robot is one world, not {task.num_worlds}; use the backend mujoco")
    interface, domain = robot_address(robot.address)
    agent = AgentConfig(
        domain=domain, interface=interface, log_path=str(new_log()), stop_key_device=robot.stop_key,
        soft_stop_key_device=robot.soft_stop_key, hang=robot.hang, ladder="every" if robot.practise else "real",
        walk_speed_m_s=robot.speeds.walk_m_s, hand_speed_m_s=robot.speeds.hand_m_s,
        loosened_by=robot.speeds.loosened_by, software=software_version(),
    )  # fmt: skip
    scene = task.scene()
    bodies = (TRUNK, *(item.name for item in scene.free_objects))
    receiver = open_mocap(robot.mocap, bodies) if robot.mocap else None
    try:
        return T1Backend(scene, agent, "upper_body" if name == "t1" else "custom", mocap=receiver)
    except ConnectionError:
        if receiver is not None:
            receiver.close()
        raise


def robot_address(text: str) -> tuple[str, int]:
    """Interface and DDS domain of "eth0" (domain 0) or "127.0.0.1:123". Raises ValueError."""
    interface, _, domain = text.partition(":")
    if not interface or (domain and not domain.isdigit()):
        raise ValueError(f"robot {text!r} is no address; write the interface, or interface:domain, such as eth0")
    return interface, int(domain or 0)


def allowed_preset(backend: str, preset: str) -> str:
    """The preset of limits that a session uses: the real robot always has the limits of hardware."""
    return "hardware" if backend in ROBOTS else preset


def robot_speeds(config: Configure) -> HardwareSpeeds:
    """How fast a robot may be asked to move: the defaults, unless the operator says more with a name."""
    loosened = config.walk_limit_m_s > WALK_M_S or config.hand_limit_m_s > HAND_M_S
    return HardwareSpeeds(config.walk_limit_m_s, config.hand_limit_m_s, config.operator if loosened else "")


def limits_of(config: Configure) -> SafetyLimits:
    """The limits of a session's commands: of its preset; a robot always has those of hardware, or looser ones by name.

    Raises ValueError.
    """
    if config.backend in ROBOTS:
        return SafetyLimits.hardware(robot_speeds(config))
    return safety_limits(config.safety)


def check_backend_name(name: str) -> None:
    """Raise ValueError naming the known backends when `name` is none of them."""
    if name not in BACKENDS:
        raise ValueError(f"backend {name!r} does not exist; known: {', '.join(BACKENDS)}")


def safety_limits(preset: str) -> SafetyLimits:
    """The limits of a preset. Raises ValueError naming the known ones."""
    if preset not in PRESETS:
        raise ValueError(f"safety preset {preset!r} does not exist; known: {', '.join(PRESETS)}")
    return PRESETS[preset]()


def make_source(
    name: str,
    task: Task,
    preset: str,
    keyboard: KeyboardDevice,
    now: Callable[[], float] = time.monotonic,
    use_vr: Callable[[], Device] | None = None,
    limits: SafetyLimits | None = None,
) -> Source:
    """A source within the limits of a preset; `now` is the clock of the operator. Raises ValueError naming all.

    limits: what an operator may ask for, where that is not the preset's.
    """
    limits = limits or safety_limits(preset)
    match name:
        case "heuristic":
            return make_heuristic(task, preset)
        case "keyboard":
            return OperatorSource("keyboard", keyboard, TeleopMapper(MapperConfig.within(limits), limits), now)
        case "vr" if use_vr is not None:
            return OperatorSource("vr", use_vr(), TeleopMapper(MapperConfig.within(limits), limits), now)
    if name == "policy":
        raise ValueError("the source 'policy' is made by trainer.session.policy.PolicySeat, which owns its process")
    raise ValueError(f"source {name!r} does not exist; known: {', '.join(SOURCES)}")


def make_heuristic(task: Task, preset: str, press_m: float | None = None) -> Source:
    """The heuristic planner of a task; `press_m` fixes its squeeze depth. Raises ValueError for a task without one."""
    from core.planners.box_pickup import BoxPickupHeuristic, BoxPickupPlannerConfig
    from core.planners.box_pickup_style import StyleRanges
    from core.tasks.box_pickup import BoxPickup

    if not isinstance(task, BoxPickup):
        raise ValueError(f"task {task.name!r} has no heuristic planner; choose another source")
    speeds = SPEEDS["hardware" if preset == "hardware" else "simulation"]
    style = StyleRanges() if press_m is None else StyleRanges(press_m=(press_m, press_m))
    return BoxPickupHeuristic(task, BoxPickupPlannerConfig(speeds=speeds, style=style))


def arms_of(name: ControllerName, backend: str) -> ControllerName:
    """The controller that is really used: on a robot *learned* means arms trained for late targets."""
    return "robot_arms" if backend in ROBOTS and name == "learned" else name


def load_controller(name: str, backend: str, num_worlds: int) -> Controller:
    """The whole-body controller by its name (`core.control.choices`). Raises ValueError naming the known ones.

    A robot never gets the arms of the simulator: with 20 ms of delay, as there is between any robot and its computer,
    they swing by radians (docs/upper_controller.md).
    """
    if name not in CONTROLLER_NAMES:
        raise ValueError(f"controller {name!r} does not exist; known: {', '.join(CONTROLLER_NAMES)}")
    check_backend_name(backend)
    if backend == "fake":
        return PoseHolder()
    from core.control.whole_body import WholeBodyController

    return WholeBodyController.load_default(num_worlds, arms_of(name, backend))


class PoseHolder:
    """For a world without physics, where nothing has to be balanced: every joint stays where it is."""

    def reset(self, worlds: Tensor, state: WorldState) -> None:
        """Nothing is remembered."""

    def act(self, state: WorldState, command: Command, stop: Tensor | None = None) -> JointTarget:
        """The measured joints as targets; grippers follow the command."""
        damping = torch.zeros(state.num_worlds, dtype=torch.bool) if stop is None else stop
        return JointTarget(state.joint_pos.clone(), command.gripper_opening.clone(), damping)
