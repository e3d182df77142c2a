"""The whole-body controllers to choose from, by name (no torch: forms and command lines read it)."""

from typing import Literal, get_args

ControllerName = Literal["learned", "robot_arms", "ik_arms"]
"""learned: legs and arms as trained. robot_arms: arms trained for targets that arrive late, as on a robot; a robot is
given these where *learned* is asked for. ik_arms: legs as trained, arms by inverse kinematics."""

CONTROLLER_NAMES: tuple[ControllerName, ...] = get_args(ControllerName)

LEGS_FILE = "lower.safetensors"
ARMS_FILES: dict[ControllerName, str] = {
    "learned": "upper.safetensors",
    "robot_arms": "upper_robot.safetensors",
    "ik_arms": "",
}
"""In the folder of the trained controllers; '' where nothing was trained."""
