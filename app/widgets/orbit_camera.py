"""The mouse camera of the 3-D view: orbit, pan, zoom, and following the robot."""

# mujoco has no stubs: pyright sees none of its names
# pyright: reportAttributeAccessIssue=false

import mujoco
import numpy as np

HOME_AZIMUTH_DEG = 115.0
HOME_ELEVATION_DEG = -16.0
HOME_DISTANCE_M = 2.6
HOME_LOOKAT_M = (0.30, 0.0, 0.62)
ZOOM_PER_STEP = 0.05
DISTANCE_RANGE_M = (0.3, 20.0)


class OrbitCamera:
    """A MuJoCo free camera moved by the mouse."""

    def __init__(self) -> None:
        self.camera = mujoco.MjvCamera()
        self.camera.type = mujoco.mjtCamera.mjCAMERA_FREE
        self.following = True
        self._anchor = np.zeros(3)
        self.reset()

    def reset(self) -> None:
        """Look at where the robot is now from the home direction."""
        self.camera.azimuth, self.camera.elevation = HOME_AZIMUTH_DEG, HOME_ELEVATION_DEG
        self.camera.distance = HOME_DISTANCE_M
        self.camera.lookat = np.array(HOME_LOOKAT_M) + np.array([self._anchor[0], self._anchor[1], 0.0])

    def track(self, base_pos_w: np.ndarray) -> None:
        """Keep the trunk where it is in the picture, when following; always remember where it is."""
        delta = base_pos_w - self._anchor
        if self.following:
            self.camera.lookat = self.camera.lookat + np.array([delta[0], delta[1], 0.0])
        self._anchor = np.array(base_pos_w, dtype=float)

    def orbit(self, dx: float, dy: float) -> None:
        """Turn by a drag of (dx, dy) in view heights."""
        self.camera.azimuth -= 180.0 * dx
        self.camera.elevation = float(np.clip(self.camera.elevation - 180.0 * dy, -89.0, 20.0))

    def pan(self, dx: float, dy: float) -> None:
        """Move the point looked at, in the plane of the picture."""
        azimuth, elevation = np.deg2rad(self.camera.azimuth), np.deg2rad(self.camera.elevation)
        right = np.array([np.sin(azimuth), -np.cos(azimuth), 0.0])
        up = np.array([-np.sin(elevation) * np.cos(azimuth), -np.sin(elevation) * np.sin(azimuth), np.cos(elevation)])
        self.camera.lookat = self.camera.lookat + self.camera.distance * (dy * up - dx * right)

    def zoom(self, steps: float) -> None:
        """Nearer by `steps` notches of the wheel."""
        factor = float(np.exp(-ZOOM_PER_STEP * 2.0 * steps))
        self.camera.distance = float(np.clip(self.camera.distance * factor, *DISTANCE_RANGE_M))
