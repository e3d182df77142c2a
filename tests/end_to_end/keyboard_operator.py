"""A person at the keyboard, as a script: looks at what the window shows and presses keys until the box is up."""

import math

import numpy as np

from trainer.session.messages import Telemetry

BOX = "box"
STANDOFF_M = 0.385
"""From the trunk to the box's centre when grasping."""
SPREAD_M = 0.28
"""Hands to each side while walking and when they go around the box."""


def yaw_of(quat: np.ndarray) -> float:
    """Heading of a wxyz quaternion."""
    w, x, y, z = (float(v) for v in quat)
    return math.atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))


def wrap(angle: float) -> float:
    """Into [-pi, pi)."""
    return (angle + math.pi) % (2 * math.pi) - math.pi


def to_heading(vector: np.ndarray, yaw: float) -> np.ndarray:
    """World axes to heading axes."""
    c, s = math.cos(yaw), math.sin(yaw)
    return np.array([c * vector[0] + s * vector[1], -s * vector[0] + c * vector[1], vector[2]])


def rotvec(quat: np.ndarray) -> np.ndarray:
    """Rotation vector of a wxyz quaternion, shortest."""
    q = np.asarray(quat, float) * (1 if quat[0] >= 0 else -1)
    norm = np.linalg.norm(q[1:])
    return q[1:] * (2 * math.atan2(norm, q[0]) / norm) if norm > 1e-9 else np.zeros(3)


def relative_rotation(hand: np.ndarray, yaw: float) -> np.ndarray:
    """Rotation vector of a hand in the heading frame."""
    c, s = math.cos(-yaw / 2), math.sin(-yaw / 2)
    w, x, y, z = hand
    return rotvec(np.array([c * w - s * z, c * x - s * y, c * y + s * x, c * z + s * w]))


def along(error: float, positive: str, negative: str, deadband: float) -> set[str]:
    """The key that makes an error smaller."""
    return {positive} if error > deadband else {negative} if error < -deadband else set()


class KeyboardOperator:
    """Walks up, spreads and turns the hands, surrounds the box, squeezes, lifts."""

    def __init__(self) -> None:
        self.stage = "spread"
        self._since_s = 0.0
        self._yaw = 0.0
        self._rest_z = 0.0

    def press(self, t: Telemetry) -> tuple[str, ...]:
        """Keys to hold down now."""
        self._yaw = yaw_of(t.base_pose_w[3:])
        keys: set[str] = getattr(self, f"_{self.stage}")(t)
        return tuple(sorted(keys))

    def _go(self, stage: str, t: Telemetry) -> None:
        self.stage, self._since_s = stage, t.time_s

    def _place_error(self, t: Telemetry) -> tuple[np.ndarray, float]:
        """Way to the place to grasp from (heading frame) and yaw to turn by."""
        box = t.object_poses_w[BOX]
        face = yaw_of(box[3:])
        place = box[:3] - STANDOFF_M * np.array([math.cos(face), math.sin(face), 0.0])
        return to_heading(place - t.base_pose_w[:3], self._yaw), wrap(face - self._yaw)

    def _hand_keys(self, t: Telemetry, target_h: np.ndarray) -> set[str]:
        """Move both hands: target of the left one, relative to the trunk in the heading frame."""
        hand = to_heading(t.command_hand_poses_w[0, :3] - t.base_pose_w[:3], self._yaw)
        right = to_heading(t.command_hand_poses_w[1, :3] - t.base_pose_w[:3], self._yaw)
        middle, half = 0.5 * (hand + right), 0.5 * (hand[1] - right[1])
        return (
            along(target_h[0] - middle[0], "up", "down", 0.012)
            | along(target_h[1] - half, "end", "home", 0.012)
            | along(target_h[2] - middle[2], "page_up", "page_down", 0.012)
        )

    def _turn_keys(self, t: Telemetry) -> set[str]:
        """Turn both hands until the palms face each other."""
        turn = -relative_rotation(t.command_hand_poses_w[0, 3:], self._yaw)
        return along(turn[0], "o", "u", 0.06) | along(turn[1], "k", "i", 0.06) | along(turn[2], "j", "l", 0.06)

    def _spread(self, t: Telemetry) -> set[str]:
        keys = self._turn_keys(t) | self._hand_keys(t, np.array([0.25, SPREAD_M, 0.08]))
        if not keys:
            self._go("walk", t)
        return keys

    def _walk(self, t: Telemetry) -> set[str]:
        error, turn = self._place_error(t)
        distance = math.hypot(error[0], error[1])
        if distance > 0.35:
            way = math.atan2(error[1], error[0])
            return along(way, "q", "e", 0.12) | ({"w"} if abs(way) < 0.5 else set())
        keys = along(turn, "q", "e", 0.07)
        keys |= along(error[0], "w", "s", 0.03) | along(error[1], "a", "d", 0.03)
        if not keys:
            self._go("settle", t)
        return keys | ({"shift"} if distance < 0.12 else set())

    def _settle(self, t: Telemetry) -> set[str]:
        if t.time_s - self._since_s > 2.0:
            error, turn = self._place_error(t)
            good = abs(error[0]) < 0.06 and abs(error[1]) < 0.05 and abs(turn) < 0.14
            self._go("surround" if good else "walk", t)
        return set()

    def _grasp_target(self, t: Telemetry, half: float) -> np.ndarray:
        box = to_heading(t.object_poses_w[BOX][:3] - t.base_pose_w[:3], self._yaw)
        return np.array([box[0], half, box[2] + 0.01])

    def _surround(self, t: Telemetry) -> set[str]:
        high = self._grasp_target(t, SPREAD_M)
        high[2] += 0.10 if t.command_hand_poses_w[0, 2] > t.object_poses_w[BOX][2] + 0.06 else 0.0
        ahead = to_heading(t.command_hand_poses_w[0, :3] - t.base_pose_w[:3], self._yaw)[0]
        target = high if ahead < high[0] - 0.03 else self._grasp_target(t, SPREAD_M)
        keys = self._hand_keys(t, target)
        if not keys:
            self._go("squeeze", t)
        return keys

    def _squeeze(self, t: Telemetry) -> set[str]:
        """Until the palms stop following: the commanded hands are inside the box."""
        self._rest_z = float(t.object_poses_w[BOX][2])
        if float(t.hand_pos_error_m.min()) > 0.06 or t.time_s - self._since_s > 6.0:
            self._go("lift", t)
        return {"home", "shift"}

    def _lift(self, t: Telemetry) -> set[str]:
        if t.time_s - self._since_s > 1.0:
            self._go("hold", t)
        return {"page_up"}

    def _hold(self, t: Telemetry) -> set[str]:
        """A box that slid between the palms is followed up."""
        return {"page_up", "shift"} if float(t.object_poses_w[BOX][2]) < self._rest_z + 0.10 else set()
