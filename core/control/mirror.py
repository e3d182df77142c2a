"""Mirroring of vectors made of named parts: what the same robot would see and do if left and right changed places."""

from dataclasses import dataclass
from typing import Literal, assert_never

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from core.control.leg_chain import LEGS_MIRROR

Kind = Literal["same", "vector", "axial", "plane", "planar", "pose", "legs", "feet"]
"""same: no sign change; vector: x, y, z; axial: rotation or torque; plane: x, y; planar: x, y, yaw; pose: x, y, z, yaw;
legs: left and right joints change places; feet: two equal halves of vectors change places."""


@dataclass(frozen=True)
class Part:
    """A named slice of an observation."""

    name: str
    size: int
    kind: Kind


def _signs_and_source(part: Part) -> tuple[list[float], list[int]]:
    forward = list(range(part.size))
    match part.kind:
        case "same":
            return [1.0] * part.size, forward
        case "vector":
            return [1.0, -1.0, 1.0] * (part.size // 3), forward
        case "axial":
            return [-1.0, 1.0, -1.0] * (part.size // 3), forward
        case "plane":
            return [1.0, -1.0], forward
        case "planar":
            return [1.0, -1.0, -1.0], forward
        case "pose":
            return [1.0, -1.0, 1.0, -1.0], forward
        case "legs":
            return LEGS_MIRROR.tolist(), forward[6:] + forward[:6]
        case "feet":
            half = part.size // 2
            return [1.0, -1.0, 1.0] * (part.size // 3), forward[half:] + forward[:half]
        case _:
            assert_never(part.kind)


class Mirror:
    """Reflects rows of an observation in the plane y = 0."""

    def __init__(self, parts: tuple[Part, ...]) -> None:
        signs: list[float] = []
        source: list[int] = []
        for part in parts:
            part_signs, part_source = _signs_and_source(part)
            source += [len(signs) + i for i in part_source]
            signs += part_signs
        self.signs = torch.tensor(signs)
        self.source = torch.tensor(source)

    def __call__(self, x: Float[Tensor, "N D"], rows: Bool[Tensor, "N"]) -> Float[Tensor, "N D"]:
        """Mirrored where `rows` is true, as it was elsewhere."""
        return torch.where(rows[:, None], x[:, self.source] * self.signs, x)
