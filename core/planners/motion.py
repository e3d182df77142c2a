"""Steps of commanded motion at bounded speed: hands towards a pose, the base towards a pose on the floor."""

import torch
from jaxtyping import Float
from torch import Tensor

from core.rigid import quat_from_rotvec, quat_mul, quat_normalize, rotation_error


def bounded(vector: Float[Tensor, "*n d"], limit: Float[Tensor, "*#n"]) -> Float[Tensor, "*n d"]:
    """The vector, shortened to a length where it is longer."""
    length = vector.norm(dim=-1).clamp_min(1e-9)
    return vector * (limit / length).clamp_max(1.0)[..., None]


def eased_step(distance: Float[Tensor, "*n"], max_step: Float[Tensor, "*#n"]) -> Float[Tensor, "*n"]:
    """Length of the next step: the full one far away, a half of the rest near by, arriving in finite time."""
    return torch.minimum(torch.maximum(0.5 * distance, 0.15 * max_step), max_step)


def move_towards(
    pos: Float[Tensor, "*n 3"], goal: Float[Tensor, "*n 3"], max_step: Float[Tensor, "*#n"]
) -> Float[Tensor, "*n 3"]:
    """One step of at most `max_step` m towards the goal, slowing down before it."""
    offset = goal - pos
    return pos + bounded(offset, eased_step(offset.norm(dim=-1), max_step))


def turn_towards(
    quat: Float[Tensor, "*n 4"], goal: Float[Tensor, "*n 4"], max_step: Float[Tensor, "*#n"]
) -> Float[Tensor, "*n 4"]:
    """One rotation of at most `max_step` rad towards the goal, slowing down before it."""
    error = rotation_error(quat, goal)
    step = bounded(error, eased_step(error.norm(dim=-1), max_step))
    return quat_normalize(quat_mul(quat_from_rotvec(step), quat))


def slew(
    value: Float[Tensor, "N d"], goal: Float[Tensor, "N d"], max_change: Float[Tensor, "d"]
) -> Float[Tensor, "N d"]:
    """Each component towards its goal by at most its change."""
    return value + (goal - value).clamp(-max_change, max_change)


def speed_towards(
    error: Float[Tensor, "*n"], gain: float, low: float, high: Float[Tensor, "*#n"], tolerance: float
) -> Float[Tensor, "*n"]:
    """Speed that reduces an error: proportional, between a low speed that still makes the robot step and a high one.

    Zero where the error is within the tolerance: slow commands do not start a step.
    """
    speed = torch.minimum((gain * error.abs()).clamp_min(low), high)
    return torch.where(error.abs() > tolerance, speed * error.sign(), torch.zeros_like(error))
