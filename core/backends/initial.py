"""Initial states: the default stand, and checks that every simulator makes before writing a state."""

import numpy as np
import torch
from torch import Tensor

from core.backends.base import InitialState
from core.t1.model import DEFAULT_BASE_HEIGHT_M, DEFAULT_JOINT_POS, GRIPPER_MAX_OPENING_M, JOINT_NAMES
from core.tasks.scene import Scene
from core.types import BodyState


def at_rest(pos: tuple[float, float, float], count: int) -> BodyState:
    """The same pose for `count` worlds, upright and still."""
    quat = torch.tensor([[1.0, 0.0, 0.0, 0.0]]).repeat(count, 1)
    return BodyState(torch.tensor([pos]).repeat(count, 1), quat, torch.zeros(count, 3), torch.zeros(count, 3))


def default_initial_state(scene: Scene, count: int) -> InitialState:
    """The vendor's stand at the origin, grippers open, objects where the scene has them."""
    stand = at_rest((0.0, 0.0, DEFAULT_BASE_HEIGHT_M + scene.spawn_height), count)
    return InitialState(
        base_pos_w=stand.pos_w,
        base_quat_w=stand.quat_w,
        joint_pos=torch.as_tensor(DEFAULT_JOINT_POS, dtype=torch.float32).repeat(count, 1),
        joint_vel=torch.zeros(count, len(JOINT_NAMES)),
        base_lin_vel_b=stand.lin_vel_w,
        base_ang_vel_b=stand.ang_vel_w,
        gripper_opening=torch.full((count, 2), GRIPPER_MAX_OPENING_M),
        objects={item.name: at_rest(item.pos, count) for item in scene.free_objects},
    )


def world_rows(worlds: Tensor, num_worlds: int) -> np.ndarray:
    """Sorted or unsorted indices (M,) int64 of chosen worlds, from indices or a bool mask (N,). Raises ValueError."""
    rows = worlds.detach().cpu().numpy()
    if rows.dtype == bool:
        rows = np.flatnonzero(rows)
    if rows.size and (rows.min() < 0 or rows.max() >= num_worlds or np.unique(rows).size != rows.size):
        raise ValueError(f"worlds must be different indices in [0, {num_worlds}), got {rows.tolist()}")
    return rows.astype(np.int64)


def check_state(state: InitialState, count: int, scene: Scene) -> None:
    """Raises ValueError on unknown objects, a wrong number of rows, NaN, or a quaternion of length zero."""
    known = {item.name for item in scene.free_objects}
    if unknown := set(state.objects) - known:
        raise ValueError(f"no free object {sorted(unknown)} in scene {scene.name!r}; known: {sorted(known)}")
    tensors = [state.base_pos_w, state.base_quat_w, state.joint_pos, state.joint_vel]
    tensors += [state.base_lin_vel_b, state.base_ang_vel_b, state.gripper_opening]
    for body in state.objects.values():
        tensors += [body.pos_w, body.quat_w, body.lin_vel_w, body.ang_vel_w]
    for tensor in tensors:
        if tensor.shape[0] != count:
            raise ValueError(f"a state of {tensor.shape[0]} rows was given for {count} worlds: give one row a world")
        if not bool(torch.isfinite(tensor).all()):
            raise ValueError("a state to write must be finite")
    for quat in (state.base_quat_w, *(body.quat_w for body in state.objects.values())):
        if bool((quat.norm(dim=-1) < 0.5).any()):
            raise ValueError("a state to write needs unit quaternions (wxyz)")
