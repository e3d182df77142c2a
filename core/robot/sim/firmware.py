"""The simulated firmware: the mode machine, and what drives the motors in each mode.

Refusals are this project's choice where Booster documents none: custom and walking are reached from prepare only, and
not before the robot stands. The last low-level command is held for ever by default: nothing documents a watchdog, and
two of Booster's own programs wait for a key without sending.
"""

from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np

from core.robot.gains import DAMPING_KD, PREPARE_KD, PREPARE_KP, PREPARE_POSE
from core.robot.sim.body import Drive
from core.robot.wire import BodyControl, Code, Mode
from core.t1.model import ARMS, HEAD, LEGS, NUM_JOINTS
from core.types import WorldState

BALANCE_EVERY = 10
"""Frames per step of the balance controller: 50 Hz."""
_BLEND_S = 0.5
"Joints go to the arm pose of the walking mode this slowly"
FALLEN_UP_Z = 0.5
"""Below this cosine of the trunk's tilt the robot has fallen."""


@runtime_checkable
class Balance(Protocol):
    """What keeps the robot upright in walking mode."""

    kp: np.ndarray
    kd: np.ndarray

    def reset(self, state: WorldState) -> None: ...

    def act(self, state: WorldState, velocity: np.ndarray) -> np.ndarray: ...


@dataclass(frozen=True)
class FirmwareConfig:
    """How the simulated firmware behaves."""

    stand_up_s: float = 2.0
    "time that prepare takes to stand; walking and custom are refused before"
    hold_last_command_s: float = 0.0
    "how long the last low-level command is held in custom mode before the robot damps; 0: for ever (pessimistic)"

    def __post_init__(self) -> None:
        if self.stand_up_s < 0 or self.hold_last_command_s < 0:
            raise ValueError(f"times must not be negative, got {self}")


_FROM: dict[Mode, tuple[Mode, ...]] = {
    Mode.DAMPING: (Mode.DAMPING, Mode.PREPARE, Mode.WALKING, Mode.CUSTOM),
    Mode.PREPARE: (Mode.DAMPING, Mode.PREPARE, Mode.WALKING, Mode.CUSTOM),
    Mode.WALKING: (Mode.PREPARE, Mode.WALKING, Mode.CUSTOM),
    Mode.CUSTOM: (Mode.PREPARE, Mode.WALKING, Mode.CUSTOM),
}
_CONTROL = {
    Mode.DAMPING: BodyControl.DAMPING,
    Mode.PREPARE: BodyControl.PREPARE,
    Mode.WALKING: BodyControl.HUMANLIKE_GAIT,
    Mode.CUSTOM: BodyControl.CUSTOM,
}


class Firmware:
    """Mode, and the drive of each frame. Times are those of the caller, in s."""

    def __init__(self, balance: Balance, config: FirmwareConfig | None = None) -> None:
        self.config = config or FirmwareConfig()
        self.mode = Mode.DAMPING
        self.mode_since_s = 0.0
        self.upper_body = False
        self.upper_body_since_s = float("-inf")
        self.velocity = np.zeros(3)
        "vx, vy, wz asked by Move; kept until changed, as third parties say of the robot"
        self.head = np.zeros(2)
        "pitch, yaw"
        self.command: Drive | None = None
        "the last low-level command since the mode began"
        self.command_s = 0.0
        self._balance = balance
        self._from = np.zeros(NUM_JOINTS)
        self._legs = np.zeros(len(LEGS))
        self._frames = 0

    @property
    def body_control(self) -> BodyControl:
        """What `rt/robot_states` says beside the mode."""
        return _CONTROL[self.mode]

    def request_mode(self, mode: int, now_s: float, q: np.ndarray) -> Code:
        """Change the mode if that is allowed from here."""
        if mode not in _CONTROL:
            return Code.BAD_REQUEST
        wanted = Mode(mode)
        standing = self.mode != Mode.PREPARE or now_s - self.mode_since_s >= self.config.stand_up_s
        if self.mode not in _FROM[wanted] or (wanted in (Mode.WALKING, Mode.CUSTOM) and not standing):
            return Code.TRANSITION_FAILED
        if wanted != self.mode:
            self.enter(wanted, now_s, q)
        return Code.OK

    def enter(self, mode: Mode, now_s: float, q: np.ndarray) -> None:
        """Be in a mode, whatever was before (the remote control may do so)."""
        keep = mode == Mode.CUSTOM and self.mode == Mode.PREPARE
        if not keep:  # frames sent in prepare are what custom begins with
            self.command = None
        self.mode, self.mode_since_s = mode, now_s
        self.upper_body = False
        self.velocity = np.zeros(3)
        self._from = q.copy()
        self._frames = 0

    def set_upper_body(self, on: bool, now_s: float) -> Code:
        """The arms follow low-level commands while the firmware balances."""
        if self.mode != Mode.WALKING:
            return Code.TRANSITION_FAILED
        self.upper_body, self.upper_body_since_s = on, now_s
        return Code.OK

    def take_command(self, drive: Drive, now_s: float) -> None:
        """A low-level frame arrived."""
        self.command, self.command_s = drive, now_s

    def drive(self, now_s: float, state: WorldState | None) -> Drive:
        """Motors for the next 2 ms. `state` is needed in walking mode each `BALANCE_EVERY` frames."""
        age_s = now_s - self.mode_since_s
        match self.mode:
            case Mode.PREPARE:
                part = min(1.0, age_s / max(self.config.stand_up_s, 1e-6))
                return self._pose(self._from + part * (PREPARE_POSE - self._from))
            case Mode.WALKING:
                return self._walk(age_s, state)
            case Mode.CUSTOM:
                return self._custom(now_s)
        return Drive(kd=DAMPING_KD.copy())

    def wants_state(self) -> bool:
        """Whether the next `drive` needs the state."""
        return self.mode == Mode.WALKING and self._frames % BALANCE_EVERY == 0

    def _pose(self, q: np.ndarray) -> Drive:
        return Drive(q=q, kp=PREPARE_KP.copy(), kd=PREPARE_KD.copy())

    def _walk(self, age_s: float, state: WorldState | None) -> Drive:
        if self.wants_state():
            assert state is not None
            if self._frames == 0:
                self._balance.reset(state)
            self._legs = self._balance.act(state, self.velocity)
        self._frames += 1
        part = min(1.0, age_s / _BLEND_S)
        drive = self._pose(self._from + part * (PREPARE_POSE - self._from))
        drive.q[HEAD] = self.head[::-1]
        drive.q[LEGS], drive.kp[LEGS], drive.kd[LEGS] = self._legs, self._balance.kp, self._balance.kd
        if self.upper_body:
            command = self.command or replace(Drive(), kd=DAMPING_KD)
            for name in ("q", "dq", "tau", "kp", "kd"):
                getattr(drive, name)[ARMS] = getattr(command, name)[ARMS]
        return drive

    def _custom(self, now_s: float) -> Drive:
        held_s = self.config.hold_last_command_s
        if self.command is None or (held_s and now_s - self.command_s > held_s):
            return Drive(kd=DAMPING_KD.copy())
        return self.command
