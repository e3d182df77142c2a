"""What the session panel offers: tasks, sources and backends, and why some cannot be chosen yet."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Choice:
    """One entry of a list."""

    key: str
    "value in `Configure`; '' for entries that cannot be chosen"
    text: str
    hint: str
    "what to do once it is chosen, or why it cannot be"

    @property
    def available(self) -> bool:
        return bool(self.key)


TASKS: tuple[Choice, ...] = (
    Choice("box_pickup", "Box pick-up", "Walk to the table, squeeze the box between the palms, lift it."),
    Choice("", "Pick and place", "Not in this version: the task is not written yet."),
    Choice("", "Door", "Not in this version: the task is not written yet."),
    Choice("", "Stairs", "Not in this version: the task is not written yet."),
)
SOURCES: tuple[Choice, ...] = (
    Choice("heuristic", "Heuristic planner", "Press Start: the robot walks to the table and lifts the box by itself."),
    Choice("keyboard", "Keyboard", "Press Start, click the picture, then drive with the keys of the cheat sheet (F2)."),
    Choice("vr", "VR headset", "Put the headset on, press Start, squeeze a grip: that hand follows yours (tab VR)."),
    Choice("", "Gamepad", "Not in this version."),
    Choice(
        "policy", "Trained policy", "Press Start: the trained planner drives. Press Record (F7) to keep an episode."
    ),
)
BACKENDS: tuple[Choice, ...] = (
    Choice("mujoco", "MuJoCo", "Simulation on this computer."),
    Choice("", "Isaac Lab", "Not in this version: needs Isaac Lab and an NVIDIA GPU."),
    Choice("t1", "Booster T1, upper body", "The real robot: its firmware balances and walks, the arms are ours."),
    Choice("t1_whole_body", "Booster T1, whole body", "The real robot, every joint ours: only on the gantry at first."),
)
SAFETY: tuple[Choice, ...] = (
    Choice("simulation", "Simulation", "Wide limits: walking 0.4 m/s."),
    Choice("hardware", "Hardware", "Limits of the real robot: walking 0.2 m/s, hands 0.05 m/s."),
)
HANGS: tuple[Choice, ...] = (
    Choice("gantry", "hangs in the gantry", "The gantry carries the robot: arms first, then the whole body."),
    Choice("shadow", "is only watched (shadow)", "The controllers run on what the robot measures; nothing is sent."),
    Choice("free", "stands on its own", "Nothing catches the robot: only what was shown on the gantry may run."),
)
RUNTIMES: tuple[Choice, ...] = (
    Choice("torch", "torch", "Planners as they were trained; one that is still being trained is read anew."),
    Choice("onnx", "ONNX Runtime", "Planners written by refine-dp export; half the processor time."),
    Choice("tensorrt", "TensorRT", "Exported planners on an NVIDIA GPU with TensorRT."),
)
CONTROLLERS: tuple[Choice, ...] = (
    Choice("learned", "Learned", "Legs and arms by the trained controllers."),
    Choice(
        "robot_arms",
        "Learned, arms of a robot",
        "Arms trained for the delays of a robot. On a robot, Learned means these.",
    ),
    Choice("ik_arms", "Learned legs, IK arms", "Legs as trained, arms by inverse kinematics."),
)
