"""The vendor's SDK behind `Link`: the only module that imports it; for processes of their own, one domain each.

What was measured of SDK 1.6.3 and is guarded against here: a wrong interface raises nothing, writing without a robot
returns True, and a call without a robot blocks for 5 s. So a connection counts only when states arrive and a call is
answered.
"""

import importlib
import json
import math
import threading
import time
from typing import Any

import numpy as np
import psutil

from core.robot.tick_clock import TickClock
from core.robot.view import Frame, LowStateView, RobotView
from core.robot.wire import ASKING, Api, Code
from core.t1.model import NUM_JOINTS

CHANNELS = ("main", "stop", "move", "gripper", "ask")
"""Clients of the service, so that a blocked call never delays another kind."""
MIN_RATE_HZ = 100.0
"""States must come at least this fast (a healthy robot sends 500 Hz)."""


class ConnectError(RuntimeError):
    """The robot cannot be reached; the message says what was tried and what to do."""


def check_interface(name: str) -> str:
    """An interface's IPv4 address from its name or address. Raises ConnectError naming what this computer has.

    The SDK only prints a line for an interface that does not exist, and then talks to nobody.
    """
    known = {
        interface: [a.address for a in addresses if a.family.name == "AF_INET"]
        for interface, addresses in psutil.net_if_addrs().items()
    }
    up = psutil.net_if_stats()
    for interface, addresses in known.items():
        if name == interface or name in addresses:
            if not addresses:
                raise ConnectError(f"interface {interface!r} has no IPv4 address; give it one of the robot's network")
            if not up[interface].isup:
                raise ConnectError(f"interface {interface!r} is down; plug in the cable or bring it up")
            return name if name in addresses else addresses[0]
    listed = ", ".join(f"{interface} ({', '.join(a) or 'no IPv4'})" for interface, a in known.items())
    raise ConnectError(f"interface {name!r} does not exist on this computer; known: {listed}")


class SdkLink:
    """One connection of this process to a robot. Making it does not wait; `connect` does."""

    def __init__(self, domain: int, interface: str, listens_only: bool = False) -> None:
        """listens_only: there is no writer of low-level commands, and every call but the asking ones is refused.

        Raises ConnectError, ImportError.
        """
        self._listens_only = listens_only
        self.view = RobotView()
        self._ticks = TickClock()
        self.address = check_interface(interface)
        self._sdk = sdk = _import_sdk()
        sdk.ChannelFactory.Instance().Init(domain, self.address)
        self._subscribers = [
            sdk.B1LowStateSubscriber(self._on_low_state),
            sdk.B1RobotStatesSubscriber(self._on_states),
            sdk.B1FallDownStateSubscriber(self._on_fall),
            sdk.B1OdometerStateSubscriber(self._on_odometer),
            sdk.B1BatteryStateSubscriber(self._on_battery),
        ]
        for subscriber in self._subscribers:
            subscriber.InitChannel()
        self._clients = {name: sdk.B1LocoClient() for name in CHANNELS}
        for client in self._clients.values():
            client.Init()
        self._publisher = None
        self._command = sdk.LowCmd()
        self._command.cmd_type = sdk.LowCmdType.SERIAL  # ankle cranks (PARALLEL) are never used
        self._command.resize_motor_cmd(NUM_JOINTS)
        self._motors = [self._command.motor_cmd_at(i) for i in range(NUM_JOINTS)]
        self._write_lock = threading.Lock()
        if not listens_only:
            self._publisher = sdk.B1LowCmdPublisher()
            self._publisher.InitChannel()

    def connect(self, timeout_s: float = 8.0) -> dict[str, str]:
        """Wait until the robot is surely there; its info. Raises ConnectError saying which sign of life is missing."""
        deadline = time.monotonic() + timeout_s
        if not self._clients["main"].WaitForService(round(1e3 * timeout_s)):
            raise ConnectError(
                f"no robot answers on {self.address}: check the cable, that this computer's address is in the robot's "
                "network, the DDS domain, and that multicast is not blocked"
            )
        self._await_states(deadline)
        for name in CHANNELS:
            self._await_answer(name, deadline)
        if self.view.low.joints != NUM_JOINTS:
            raise ConnectError(
                f"the robot reports {self.view.low.joints} joints; this program drives the T1 with {NUM_JOINTS}"
            )
        if not self.view.low.finite():
            raise ConnectError("the robot's state holds NaN; do not drive it")
        return self.info()

    def info(self) -> dict[str, str]:
        """See `Link`."""
        try:
            info = self._clients["ask"].GetRobotInfo()
        except RuntimeError:  # the SDK's word for a call that was not answered
            return {}
        return {"serial_number": info.serial_number, "model": info.model, "version": info.version, "name": info.name}

    def write(self, frame: Frame) -> None:
        """Send a frame of 29 joints, SERIAL."""
        if self._publisher is None:
            raise RuntimeError("this link only listens: it has no writer of low-level commands")
        with self._write_lock:
            values = zip(self._motors, *(part.tolist() for part in (frame.q, frame.kp, frame.kd, frame.tau)))
            for motor, q, kp, kd, tau in values:
                motor.q, motor.kp, motor.kd, motor.tau = q, kp, kd, tau
            self._publisher.Write(self._command)

    def call(self, api: int, body: dict[str, Any], channel: str = "main") -> Code:
        """See `Link`."""
        if self._listens_only and api not in ASKING:
            return Code.REFUSED
        code = self._clients[channel].SendApiRequest(self._api(api), json.dumps(body) if body else "")
        return Code(code) if code in set(Code) else Code.INTERNAL

    def fire(self, api: int, body: dict[str, Any], channel: str = "main") -> None:
        """See `Link`."""
        if self._listens_only and api not in ASKING:
            return
        self._clients[channel].SendApiRequestFireAndForget(self._api(api), json.dumps(body) if body else "")

    def close(self) -> None:
        """See `Link`. The process should end soon after."""
        if self._publisher is not None:
            self._publisher.CloseChannel()
        for subscriber in self._subscribers:
            subscriber.CloseChannel()

    def _api(self, api: int) -> Any:
        return self._sdk.LocoApiId(int(api))

    def _await_states(self, deadline: float) -> None:
        """States at a rate that only a robot's low-level controller sends, and a word on the mode."""
        began, first = time.monotonic(), self.view.low.count
        while time.monotonic() < deadline:
            time.sleep(0.1)
            elapsed = time.monotonic() - began
            rate = (self.view.low.count - first) / elapsed
            if elapsed >= 0.3 and rate >= MIN_RATE_HZ and self.view.mode_s > -math.inf:
                return
            if elapsed > 1.0:
                began, first = time.monotonic(), self.view.low.count
        raise ConnectError(
            f"the service was found on {self.address}, but states do not come "
            f"({self.view.low.count} so far): another interface may be the robot's, or it is starting"
        )

    def _await_answer(self, channel: str, deadline: float) -> None:
        """Clients may see the robot before the robot sees them: the first call may be lost."""
        while time.monotonic() < deadline:
            if self.call(Api.GET_MODE, {}, channel) == Code.OK:
                return
        raise ConnectError(f"states come on {self.address}, but calls are not answered: restart the robot's service")

    def _on_low_state(self, message: Any) -> None:
        received_s = time.monotonic()
        taken_s = self._ticks.stamp(received_s)
        motors = message.motor_state_serial
        imu = message.imu_state
        columns = np.array([(m.q, m.dq, m.tau_est, m.temperature) for m in motors]).reshape(-1, 4)
        q, dq, tau, temperature = columns.T.copy()
        rpy, gyro, acc = np.array(imu.rpy), np.array(imu.gyro), np.array(imu.acc)
        count = self.view.low.count + 1
        self.view.low = LowStateView(
            received_s, taken_s, count, len(columns), q, dq, tau, temperature, rpy, gyro, acc
        )  # fmt: skip
        self.view.lost_states = self._ticks.mended

    def _on_states(self, message: Any) -> None:
        self.view.mode, self.view.mode_s = int(message.current_mode), time.monotonic()

    def _on_fall(self, message: Any) -> None:
        self.view.fall = int(message.fall_down_state)

    def _on_odometer(self, message: Any) -> None:
        self.view.odometry = (message.x, message.y, message.theta)

    def _on_battery(self, message: Any) -> None:
        self.view.battery_percent = message.soc


def _import_sdk() -> Any:
    try:
        return importlib.import_module("booster_robotics_sdk_python")
    except ImportError as error:
        raise ImportError(
            f"the robot's SDK is not installed ({error}): pip install 'refine-dp[robot]' (Linux, Python 3.10 to 3.13)"
        ) from error
