"""A small data set written by the real writer: a robot that walks straight on while a box rises."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
from fake_client import SCENE

from core.data.episodes import DatasetWriter
from core.data.schema import DatasetSpec, EpisodeStart
from core.t1.model import DEFAULT_BASE_HEIGHT_M, DEFAULT_JOINT_POS

ACTION_NAMES = (
    "base_velocity_x_m_s", "base_velocity_y_m_s", "base_velocity_yaw_rad_s",
    *(f"{s}_hand_pos_{a}_m" for s in ("left", "right") for a in "xyz"),
    *(f"{s}_hand_quat_{a}" for s in ("left", "right") for a in "wxyz"),
    "left_gripper_opening_m", "right_gripper_opening_m",
)  # fmt: skip


def spec() -> DatasetSpec:
    """Of the box pick-up."""
    return DatasetSpec(
        task="box_pickup",
        observation_sizes={"box_pos_b": 3, "gripper_opening": 2},
        action_names=ACTION_NAMES,
        object_names=("box",),
        backend="mujoco 4.0",
        scene=asdict(SCENE),
    )


def sample(t: int) -> dict[str, np.ndarray]:
    """One row: the robot walks 2 cm a sample, the box rises 1 cm a sample."""
    robot, box = "states/articulation/robot", "states/rigid_object/box"
    action = np.zeros(19)
    action[0] = 0.2 + 0.01 * np.sin(0.3 * t)
    action[3:9] = (0.4, 0.2, 0.2, 0.4, -0.2, 0.2)
    action[[9, 13]] = 1.0
    return {
        "actions": action,
        "obs/box_pos_b": np.array([0.8 - 0.02 * t, 0.0, 0.1 + 0.01 * t]),
        "obs/gripper_opening": np.full(2, 0.03),
        f"{robot}/root_pose": np.array([0.02 * t, 0.0, DEFAULT_BASE_HEIGHT_M, 1, 0, 0, 0]),
        f"{robot}/root_velocity": np.array([0.2, 0, 0, 0, 0, 0]),
        f"{robot}/joint_position": DEFAULT_JOINT_POS + 0.2 * np.sin(0.2 * t + np.arange(29)),
        f"{robot}/joint_velocity": np.zeros(29),
        f"{robot}/gripper_opening": np.full(2, 0.03),
        f"{box}/root_pose": np.array([0.80, 0.0, 0.81 + 0.01 * t, 1, 0, 0, 0]),
        f"{box}/root_velocity": np.zeros(6),
        "timestamps/monotonic_s": np.array(100.0 + 0.1 * t),
        "timestamps/sim_s": np.array(0.1 * t),
        "timestamps/command_sent_s": np.array(100.001 + 0.1 * t),
    }


def make_dataset(path: Path, episodes: int = 3) -> Path:
    """Episode k has 20 + 10 k samples; every third one failed."""
    with DatasetWriter.open(path, spec(), create=True) as writer:
        for k in range(episodes):
            size = {"object_size/box": np.array([0.25, 0.30, 0.22])}
            episode = writer.begin(EpisodeStart(seed=100 - k, source="heuristic", operator="Ada", physics=size))
            for t in range(20 + 10 * k):
                episode.append(sample(t))
            good = k % 3 != 2
            episode.finish(good, "success" if good else "robot fell")
    return path
