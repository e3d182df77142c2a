"""The simulated robot's remote procedure calls: modes, status, info, move, head, upper-body control, grippers."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from core.robot.sim.firmware import Firmware
from core.robot.sim.inspector import Inspector
from core.robot.wire import Api, Code, Mode, Request
from core.t1.model import GRIPPER_MAX_OPENING_M

INFO = {
    "name": "t1-sim",
    "nickname": "",
    "version": "simulated",
    "model": "T1",
    "serial_number": "SIM000000",
    "edition": "29dof",
    "region": "",
}
GRIPPER_PERIOD_S = 0.045
"""A hand refuses commands that come faster than about 20 Hz."""
MOVE_LIMIT = np.array([1.0, 1.0, 2.0])
Answer = tuple[Code, dict[str, Any]]


@dataclass
class Grippers:
    """Openings asked for, m, reached at the speed asked for."""

    target: np.ndarray = field(default_factory=lambda: np.full(2, GRIPPER_MAX_OPENING_M))
    opening: np.ndarray = field(default_factory=lambda: np.full(2, GRIPPER_MAX_OPENING_M))
    speed_m_s: np.ndarray = field(default_factory=lambda: np.full(2, 0.15))
    last_s: np.ndarray = field(default_factory=lambda: np.full(2, -1e9))

    def step(self, period_s: float) -> None:
        """Move the drives."""
        reach = self.speed_m_s * period_s
        self.opening += np.clip(self.target - self.opening, -reach, reach)


class Service:
    """Answers one request after the other."""

    def __init__(self, firmware: Firmware, inspector: Inspector, refuses: Callable[[], bool]) -> None:
        self.grippers = Grippers()
        self._firmware = firmware
        self._inspector = inspector
        self._refuses = refuses

    def answer(self, request: Request, now_s: float, q: np.ndarray) -> Answer:
        """Obey a request. A body that is not what the call takes is a bad request."""
        try:
            return self._answer(request, now_s, q)
        except (KeyError, TypeError, ValueError):
            return Code.BAD_REQUEST, {}

    def _answer(self, request: Request, now_s: float, q: np.ndarray) -> Answer:
        firmware, body = self._firmware, request.body
        match request.api:
            case Api.CHANGE_MODE:
                return self._change_mode(int(body["mode"]), now_s, q), {}
            case Api.GET_MODE:
                return Code.OK, {"mode": int(firmware.mode)}
            case Api.GET_STATUS:
                control = int(firmware.body_control)
                return Code.OK, {
                    "current_mode": int(firmware.mode),
                    "current_body_control": control,
                    "current_actions": [],
                }
            case Api.GET_ROBOT_INFO:
                return Code.OK, dict(INFO)
            case Api.MOVE:
                return self._move(np.array([body["vx"], body["vy"], body["vyaw"]], float), now_s), {}
            case Api.ROTATE_HEAD | Api.ROTATE_HEAD_WITH_TIME:
                firmware.head = np.array([body["pitch"], body["yaw"]], float)
                return Code.OK, {}
            case Api.UPPER_BODY_CUSTOM_CONTROL:
                return firmware.set_upper_body(bool(body["start"]), now_s), {}
            case Api.CONTROL_GRIPPER:
                return self._grip(body, now_s), {}
            case Api.RESET_ODOMETRY:
                return Code.OK, {}
            case Api.GET_HANDS:
                return Code.OK, {"hands": []}
            case Api.GET_ROBOT_MODEL:
                return Code.OK, {"robot_model": INFO["model"]}
        return Code.REFUSED, {}

    def _change_mode(self, mode: int, now_s: float, q: np.ndarray) -> Code:
        if self._refuses() and mode != Mode.DAMPING:
            return Code.TRANSITION_FAILED
        if mode == Mode.CUSTOM:
            self._inspector.check_custom(self._firmware, q, now_s)
        return self._firmware.request_mode(mode, now_s, q)

    def _move(self, velocity: np.ndarray, now_s: float) -> Code:
        if not np.isfinite(velocity).all():
            self._inspector.report("not_finite", "Move with NaN or infinity", now_s)
            return Code.BAD_REQUEST
        if self._firmware.mode != Mode.WALKING:
            return Code.CONFLICT
        self._firmware.velocity = np.clip(velocity, -MOVE_LIMIT, MOVE_LIMIT)
        return Code.OK

    def _grip(self, body: dict[str, Any], now_s: float) -> Code:
        hand, motion = int(body["hand_index"]), body["motion_param"]
        position, force, speed = (int(motion[name]) for name in ("position", "force", "speed"))
        if hand not in (0, 1) or not (0 <= position <= 1000 and 50 <= force <= 1000 and 1 <= speed <= 1000):
            return Code.BAD_REQUEST
        grippers = self.grippers
        if now_s - grippers.last_s[hand] < GRIPPER_PERIOD_S:
            self._inspector.report("gripper_rate", "gripper commands faster than 20 Hz", now_s)
            return Code.TOO_FREQUENT
        grippers.last_s[hand] = now_s
        grippers.target[hand] = position / 1000 * GRIPPER_MAX_OPENING_M
        grippers.speed_m_s[hand] = speed / 1000 * 0.3
        return Code.OK
