"""Convex shells for the visual body: short lists of cross-sections, smoothed and turned into vertices.

MuJoCo makes the faces (convex hull), so that a shell is a list of points in the MJCF and nothing else.
"""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator


@dataclass(frozen=True)
class Section:
    """A superellipse across the shell's z axis: |x/a|^n + |y/b|^n = 1."""

    z: float
    half_x: float
    half_y: float
    centre_x: float = 0.0
    exponent: float = 2.6
    "2 is an ellipse, 4 a rounded rectangle"


@dataclass(frozen=True)
class Loft:
    """A smooth shell through cross-sections (rising z, at least two), with rounded ends."""

    name: str
    sections: tuple[Section, ...]
    bevel: float = 0.012
    "radius of the rounded ends, m"
    rings: int = 7
    points: int = 20
    "points per ring"

    def vertices(self) -> np.ndarray:
        """(V, 3) m."""
        z = np.array([s.z for s in self.sections])
        shape = np.array([[s.half_x, s.half_y, s.centre_x, s.exponent] for s in self.sections])
        smooth = PchipInterpolator(z, shape)
        inner = np.linspace(z[0] + self.bevel, z[-1] - self.bevel, self.rings)
        rings = [(height, 0.0) for height in inner]
        for angle in np.radians([30.0, 55.0, 75.0, 90.0]):  # quarter circles at both ends
            drop, inset = self.bevel * (1 - np.sin(angle)), self.bevel * (1 - np.cos(angle))
            rings += [(z[0] + drop, inset), (z[-1] - drop, inset)]
        return np.concatenate([self._ring(height, inset, smooth(height)) for height, inset in rings])

    def _ring(self, z: float, inset: float, shape: np.ndarray) -> np.ndarray:
        half_x, half_y, centre_x, exponent = shape
        angle = 2 * np.pi * np.arange(self.points) / self.points
        cos, sin = np.cos(angle), np.sin(angle)
        x = centre_x + (half_x - inset) * np.sign(cos) * np.abs(cos) ** (2 / exponent)
        y = (half_y - inset) * np.sign(sin) * np.abs(sin) ** (2 / exponent)
        return np.stack((x, y, np.full_like(x, z)), axis=1)


@dataclass(frozen=True)
class Rounded:
    """A superellipsoid in a box: round edges on a box (both exponents small) or on a drum (around = 1)."""

    name: str
    half_size: tuple[float, float, float]
    "m"
    around: float = 0.35
    "in the x-y plane: 1 is an ellipse, towards 0 a rectangle"
    along: float = 0.35
    "towards z: 1 is an ellipse, towards 0 flat ends"
    resolution: int = 24
