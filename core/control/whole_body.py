"""The control stack under every source: footsteps and pi_lower for the legs, pi_upper or IK for the arms, 50 Hz."""

from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from core.control.choices import ARMS_FILES, LEGS_FILE, ControllerName
from core.control.footsteps import FootstepCommand, FootstepPlanner
from core.control.ik_arms import IkArmController
from core.control.lower import LowerController
from core.control.upper import ArmController, UpperController
from core.rl.checkpoint import CheckpointError
from core.t1.model import ARMS, LEGS, NUM_JOINTS
from core.types import Command, JointTarget, WorldState

CONTROLLERS = Path(__file__).parents[2] / "assets" / "controllers"
"""The trained controllers that come with the program: lower, upper and upper_robot.safetensors."""


@runtime_checkable
class LegController(Protocol):
    """What turns footsteps into leg joint targets."""

    def reset(self, worlds: Tensor) -> None:
        """Forget the past of some worlds."""
        ...

    def act(self, state: WorldState, command: FootstepCommand) -> Float[Tensor, "N 12"]:
        """Leg joint targets, rad, order core.t1.model.LEGS."""
        ...


class WholeBodyController:
    """Commands to joint targets for N worlds. Head and waist hold zero.

    A soft stop is a command (zero velocity, hands where they were last asked to be): the loop sends it, and balance is
    kept. A hard stop is the `stop` mask of `act`: those worlds are damped.
    """

    def __init__(
        self, lower: LegController, upper: ArmController, num_worlds: int, planner: FootstepPlanner | None = None
    ) -> None:
        self.lower, self.upper, self.num_worlds = lower, upper, num_worlds
        self.planner = planner or FootstepPlanner(num_worlds)
        self.footsteps: FootstepCommand | None = None
        "what pi_lower was asked last"

    @classmethod
    def load_default(
        cls, num_worlds: int, name: ControllerName = "learned", folder: Path = CONTROLLERS
    ) -> "WholeBodyController":
        """The shipped controllers by their name.

        Raises CheckpointError when a controller is missing or does not fit.
        """
        lower = LowerController.load(_existing(folder / LEGS_FILE, "lower"))
        return cls(lower, load_arms(name, folder), num_worlds)

    def reset(self, worlds: Int[Tensor, "M"], state: WorldState) -> None:
        """New episodes begin in some worlds: stand from here, forget the past."""
        self.planner.reset(worlds, state)
        self.lower.reset(worlds)
        self.upper.reset(worlds)

    def act(self, state: WorldState, command: Command, stop: Bool[Tensor, "N"] | None = None) -> JointTarget:
        """Joint targets of one control period. Raises ValueError when sizes do not fit.

        stop: (N,) worlds whose joints only damp. Their controllers start afresh, so that releasing a stop does not
        replay what was going on before it.
        """
        if not state.num_worlds == command.num_worlds == self.num_worlds:
            raise ValueError(
                f"this controller is for {self.num_worlds} worlds, got a state of {state.num_worlds} "
                f"and a command of {command.num_worlds}"
            )
        if stop is not None and bool(stop.any()):
            self.reset(stop.nonzero().squeeze(-1), state)
        self.footsteps = self.planner.update(state, command.base_velocity)
        position = torch.zeros(self.num_worlds, NUM_JOINTS)
        position[:, LEGS] = self.lower.act(state, self.footsteps)
        position[:, ARMS] = self.upper.act(state, command.hand_pos_b, command.hand_quat_b)
        damping = torch.zeros(self.num_worlds, dtype=torch.bool) if stop is None else stop.clone()
        return JointTarget(position, command.gripper_opening.clone(), damping, command.base_velocity.clone())


def load_arms(name: ControllerName, folder: Path = CONTROLLERS) -> ArmController:
    """The arms of a whole-body controller. Raises CheckpointError when its file is missing or does not fit."""
    late = name == "robot_arms"
    if file := ARMS_FILES[name]:
        path = _existing(folder / file, "upper --preset robot" if late else "upper")
        return UpperController.load(path, halfway=late)
    return IkArmController(gravity_compensation=True)


def _existing(path: Path, training: str) -> Path:
    if not path.is_file():
        raise CheckpointError(
            f"no controller at {path}; train one: refine-dp train-controller {training}, and copy its "
            "controller.safetensors there"
        )
    return path
