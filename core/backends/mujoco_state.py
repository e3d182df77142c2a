"""Between the arrays of a MuJoCo batch and the shared state types: reading worlds, writing free bodies."""

from typing import Literal

import numpy as np
import torch
from mujoco.batch import Batch

from core.backends.mass import matrix_from_quat
from core.backends.mujoco_layout import FreeBody, Layout
from core.types import BodyState, WorldState


class StateReader:
    """Copies the worlds that changed since the last read into preallocated float32 tensors."""

    def __init__(self, batch: Batch, layout: Layout) -> None:
        self._layout = layout
        self._time = batch.bind("time")
        self._qpos, self._qvel = batch.bind("qpos"), batch.bind("qvel")
        self._site_pos, self._site_quat = batch.bind("site_xpos"), batch.bind("site_xquat")
        self._body_pos, self._body_quat = batch.bind("xpos"), batch.bind("xquat")
        self._torque, self._sensors = batch.bind("actuator_force"), batch.bind("sensordata")
        n = batch.nsim
        self._arrays = {name: np.zeros((n, *shape), np.float32) for name, shape in _shapes(layout).items()}
        self._state = _world_state({name: torch.from_numpy(value) for name, value in self._arrays.items()}, layout)
        self._stale = np.ones(n, dtype=bool)

    def mark(self, worlds: np.ndarray) -> None:
        """These worlds changed."""
        self._stale[worlds] = True

    def mark_all(self) -> None:
        """Every world changed."""
        self._stale[:] = True

    def read(self) -> WorldState:
        """The state of every world; the same tensors each time."""
        self._refresh()
        return self._state

    def arrays(self) -> dict[str, np.ndarray]:
        """What `read` shows, for a snapshot."""
        self._refresh()
        return self._arrays

    def load(self, arrays: dict[str, np.ndarray]) -> None:
        """Inverse of `arrays`."""
        for name, value in arrays.items():
            self._arrays[name][:] = value
        self._stale[:] = False

    def _refresh(self) -> None:
        if self._stale.all():
            self._copy(slice(None))
        elif self._stale.any():
            self._copy(np.flatnonzero(self._stale))
        self._stale[:] = False

    def _copy(self, rows: slice | np.ndarray) -> None:
        layout, out = self._layout, self._arrays
        qpos, qvel = self._qpos[rows], self._qvel[rows]
        out["time_s"][rows] = self._time[rows]
        out["base_pos_w"][rows] = self._body_pos[rows, layout.trunk]
        out["base_quat_w"][rows] = self._body_quat[rows, layout.trunk]
        if layout.base is not None:
            start = layout.base.qvel
            rotation = matrix_from_quat(qpos[:, layout.base.qpos + 3 : layout.base.qpos + 7])
            out["base_lin_vel_b"][rows] = np.einsum("nji,nj->ni", rotation, qvel[:, start : start + 3])
            out["base_ang_vel_b"][rows] = qvel[:, start + 3 : start + 6]
        out["joint_pos"][rows] = qpos[:, layout.joint_qpos]
        out["joint_vel"][rows] = qvel[:, layout.joint_qvel]
        out["joint_torque"][rows] = self._torque[rows][:, layout.joint_ctrl]
        out["gripper_opening"][rows] = qpos[:, layout.finger_qpos].sum(axis=2)
        site_pos, site_quat, sensors = self._site_pos[rows], self._site_quat[rows], self._sensors[rows]
        out["hand_pos_w"][rows], out["hand_quat_w"][rows] = (
            site_pos[:, layout.hand_sites],
            site_quat[:, layout.hand_sites],
        )
        out["foot_pos_w"][rows], out["foot_quat_w"][rows] = (
            site_pos[:, layout.foot_sites],
            site_quat[:, layout.foot_sites],
        )
        for side in (0, 1):
            out["foot_force_w"][rows, side] = sensors[:, layout.foot_force[side]]
            out["hand_force_w"][rows, side] = sensors[:, layout.hand_force[side]]
        for name, body in layout.objects.items():
            self._copy_object(rows, name, body, qpos, qvel)

    def _copy_object(
        self, rows: slice | np.ndarray, name: str, body: FreeBody, qpos: np.ndarray, qvel: np.ndarray
    ) -> None:
        out = self._arrays
        quat = qpos[:, body.qpos + 3 : body.qpos + 7]
        spin = qvel[:, body.qvel + 3 : body.qvel + 6]
        out[f"{name}/pos_w"][rows] = qpos[:, body.qpos : body.qpos + 3]
        out[f"{name}/quat_w"][rows] = quat
        out[f"{name}/lin_vel_w"][rows] = qvel[:, body.qvel : body.qvel + 3]
        out[f"{name}/ang_vel_w"][rows] = np.einsum("nij,nj->ni", matrix_from_quat(quat), spin)


def write_free_body(
    qpos: np.ndarray, qvel: np.ndarray, address: FreeBody, body: BodyState, velocity_axes: Literal["world", "body"]
) -> None:
    """Write a free body's pose and velocity into rows of qpos (M, nq) and qvel (M, nv)."""
    pos, quat, linear, angular = (
        tensor.detach().cpu().numpy().astype(np.float64)
        for tensor in (body.pos_w, body.quat_w, body.lin_vel_w, body.ang_vel_w)
    )
    quat /= np.linalg.norm(quat, axis=1, keepdims=True)
    rotation = matrix_from_quat(quat)
    if velocity_axes == "body":
        linear = np.einsum("nij,nj->ni", rotation, linear)
    else:
        angular = np.einsum("nji,nj->ni", rotation, angular)
    qpos[:, address.qpos : address.qpos + 3] = pos
    qpos[:, address.qpos + 3 : address.qpos + 7] = quat
    qvel[:, address.qvel : address.qvel + 3] = linear
    qvel[:, address.qvel + 3 : address.qvel + 6] = angular


def _shapes(layout: Layout) -> dict[str, tuple[int, ...]]:
    joints = (len(layout.joint_qpos),)
    shapes: dict[str, tuple[int, ...]] = {
        "time_s": (),
        "base_pos_w": (3,),
        "base_quat_w": (4,),
        "base_lin_vel_b": (3,),
        "base_ang_vel_b": (3,),
        "joint_pos": joints,
        "joint_vel": joints,
        "joint_torque": joints,
        "gripper_opening": (2,),
        "hand_pos_w": (2, 3),
        "hand_quat_w": (2, 4),
        "foot_pos_w": (2, 3),
        "foot_quat_w": (2, 4),
        "foot_force_w": (2, 3),
        "hand_force_w": (2, 3),
    }
    for name in layout.objects:
        shapes |= {f"{name}/pos_w": (3,), f"{name}/quat_w": (4,), f"{name}/lin_vel_w": (3,), f"{name}/ang_vel_w": (3,)}
    return shapes


def _world_state(tensors: dict[str, torch.Tensor], layout: Layout) -> WorldState:
    robot = {name: tensor for name, tensor in tensors.items() if "/" not in name}
    objects = {
        name: BodyState(*(tensors[f"{name}/{part}"] for part in ("pos_w", "quat_w", "lin_vel_w", "ang_vel_w")))
        for name in layout.objects
    }
    return WorldState(**robot, objects=objects)
