"""Draws where a robot starts relative to an object."""

import torch
from jaxtyping import Float
from torch import Tensor

from core.draws import uniform
from core.tasks.starts import StartRanges


def draw_starts(
    ranges: StartRanges,
    object_xy_w: Float[Tensor, "M 2"],
    object_yaw_w: Float[Tensor, "M"],
    generator: torch.Generator,
) -> tuple[Float[Tensor, "M 2"], Float[Tensor, "M"]]:
    """Base x, y in m and yaw in rad in the world. The face to approach is the object's -x side."""
    count = len(object_yaw_w)
    radial = uniform(ranges.radial_m, (count,), generator)
    bearing = object_yaw_w + torch.pi + uniform(ranges.polar_rad, (count,), generator)
    heading = uniform(ranges.heading_rad, (count,), generator)
    direction = torch.stack((torch.cos(bearing), torch.sin(bearing)), dim=-1)
    return object_xy_w + radial[:, None] * direction, bearing + torch.pi + heading
