"""What the agent knows of the robot, what it sends, and the link between them (no SDK, no torch)."""

from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np

from core.robot.wire import Code, FallState, Mode
from core.t1.model import NUM_JOINTS


def _zeros() -> np.ndarray:
    return np.zeros(NUM_JOINTS)


@dataclass(frozen=True)
class LowStateView:
    """The last low-level state. Times are of the monotonic clock; -inf before the first."""

    received_s: float = float("-inf")
    taken_s: float = float("-inf")
    "when the robot took it, by its own even ticks (`core.robot.tick_clock`)"
    count: int = 0
    "states since the link began"
    joints: int = 0
    "motors that the robot reported; 29 or it is another robot"
    q: np.ndarray = field(default_factory=_zeros)
    dq: np.ndarray = field(default_factory=_zeros)
    tau: np.ndarray = field(default_factory=_zeros)
    temperature_c: np.ndarray = field(default_factory=_zeros)
    rpy: np.ndarray = field(default_factory=lambda: np.zeros(3))
    gyro: np.ndarray = field(default_factory=lambda: np.zeros(3))
    acc: np.ndarray = field(default_factory=lambda: np.zeros(3))

    def finite(self) -> bool:
        """Whether every number is one."""
        return all(bool(np.isfinite(part).all()) for part in (self.q, self.dq, self.tau, self.rpy, self.gyro))


@dataclass
class RobotView:
    """The latest of everything; each field is replaced as a whole by the thread that receives it."""

    low: LowStateView = field(default_factory=LowStateView)
    mode: int = Mode.UNKNOWN
    "what rt/robot_states says: the only word on the mode that counts"
    mode_s: float = float("-inf")
    "when it was said last"
    fall: int = FallState.READY
    odometry: tuple[float, float, float] = (0.0, 0.0, 0.0)
    "x, y (m), yaw (rad) of the robot's own odometry"
    battery_percent: float = float("nan")
    lost_states: int = 0
    "low-level states that never arrived, as the count of the robot's ticks shows"


@dataclass
class Frame:
    """One low-level command: torque = kp (q - measured) + kd (dq - measured) + tau. Arrays (29,)."""

    q: np.ndarray
    kp: np.ndarray
    kd: np.ndarray
    tau: np.ndarray = field(default_factory=_zeros)


@runtime_checkable
class Link(Protocol):
    """The robot as the agent reaches it. `call` and `fire` may be used from any thread."""

    view: RobotView

    def write(self, frame: Frame) -> None:
        """Send a low-level command. That it returns says nothing about its arrival."""
        ...

    def call(self, api: int, body: dict[str, Any], channel: str = "main") -> Code:
        """A remote procedure call: blocks up to 1 s (5 s without a robot). `channel` chooses one of the clients."""
        ...

    def fire(self, api: int, body: dict[str, Any], channel: str = "main") -> None:
        """A call without an answer: well under 1 ms with a robot, up to 1 s without."""
        ...

    def info(self) -> dict[str, str]:
        """Who the robot says that it is; empty when it does not answer. Blocks like `call`."""
        ...

    def close(self) -> None:
        """Leave the network."""
        ...
