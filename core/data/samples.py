"""From the states of N worlds to the fields of the record, in numpy; tensors on the CPU convert without a copy."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from core.data.schema import ROBOT


def rotate(quat: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """Rotate vectors (N, 3) by unit quaternions (N, 4) wxyz."""
    w, u = quat[:, :1], quat[:, 1:]
    t = 2.0 * np.cross(u, vector)
    return vector + w * t + np.cross(u, t)


def state_fields(state: Any) -> dict[str, np.ndarray]:
    """The tree below states/ of N worlds, each array with leading axis N.

    `state` is a `core.types.WorldState` or a `core.backends.base.InitialState` (anything with their field names).
    """
    quat_w = np.asarray(state.base_quat_w)
    velocity_w = [rotate(quat_w, np.asarray(v)) for v in (state.base_lin_vel_b, state.base_ang_vel_b)]
    robot = f"articulation/{ROBOT}"
    fields = {
        f"{robot}/root_pose": np.concatenate([np.asarray(state.base_pos_w), quat_w], axis=-1),
        f"{robot}/root_velocity": np.concatenate(velocity_w, axis=-1),
        f"{robot}/joint_position": np.asarray(state.joint_pos),
        f"{robot}/joint_velocity": np.asarray(state.joint_vel),
        f"{robot}/gripper_opening": np.asarray(state.gripper_opening),
    }
    for name, body in state.objects.items():
        pose, velocity = (body.pos_w, body.quat_w), (body.lin_vel_w, body.ang_vel_w)
        fields[f"rigid_object/{name}/root_pose"] = np.concatenate([np.asarray(v) for v in pose], axis=-1)
        fields[f"rigid_object/{name}/root_velocity"] = np.concatenate([np.asarray(v) for v in velocity], axis=-1)
    return fields


def sample_fields(
    state: Any, command: Any, observation: Mapping[str, Any], monotonic_s: float, command_sent_s: float
) -> dict[str, np.ndarray]:
    """Every field of one sample of N worlds, leading axis N: give `row_of(fields, world)` to `OpenEpisode.append`.

    state: `WorldState`; command: (N, 19) as sent (`Command.to_vector`); observation: name -> (N, D).
    """
    actions = np.asarray(command)
    worlds = len(actions)
    fields = {"actions": actions}
    fields |= {f"obs/{name}": np.asarray(value) for name, value in observation.items()}
    fields |= {f"states/{name}": value for name, value in state_fields(state).items()}
    fields["timestamps/monotonic_s"] = np.full(worlds, monotonic_s)
    fields["timestamps/sim_s"] = np.asarray(state.time_s, dtype=np.float64)
    fields["timestamps/command_sent_s"] = np.full(worlds, command_sent_s)
    return fields


def physics_fields(physics: Any) -> dict[str, np.ndarray]:
    """`core.backends.base.Physics` as arrays with leading axis M; what belongs to an object is <what>/<object>."""
    fields: dict[str, np.ndarray] = {}
    for name, value in vars(physics).items():
        if isinstance(value, Mapping):
            fields |= {f"{name}/{key}": np.asarray(item) for key, item in value.items()}
        else:
            fields[name] = np.asarray(value)
    return fields


def row_of(fields: Mapping[str, np.ndarray], world: int) -> dict[str, np.ndarray]:
    """One world's row of fields with a leading axis."""
    return {name: value[world] for name, value in fields.items()}
