"""The simulated robot put together: traffic in, firmware, body, traffic out, one 2 ms frame at a time."""

import json
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from core.mocap.emulator import MocapEmulator
from core.mocap.settings import TRUNK
from core.robot import wire
from core.robot.bus import RobotBus
from core.robot.idl_types import BatteryState, FallDownState, Odometer, RobotStates, RpcRequest, RpcResponse
from core.robot.sim.body import Body, Drive, rpy_from_quat
from core.robot.sim.faults import Faults
from core.robot.sim.firmware import FALLEN_UP_Z, Balance, Firmware, FirmwareConfig
from core.robot.sim.inspector import Inspector
from core.robot.sim.service import Service
from core.robot.sim.start import SimStart
from core.robot.wire import Api, CallMode, FallState, Mode
from core.t1.model import joint_index

STATES_EVERY, SLOW_EVERY = 10, 250
"""Frames per message: modes, fall and odometry 50 Hz, battery 2 Hz."""
RESTART_S = 2.0
"""How long a restarting robot is away."""
_HOT_JOINT = joint_index("Left_Knee_Pitch")
_AMBIENT_C = 35.0


@dataclass(frozen=True)
class SimConfig:
    """One simulated robot."""

    domain: int
    start: SimStart
    address: str = "127.0.0.1"
    gantry: bool = True
    firmware: FirmwareConfig = field(default_factory=FirmwareConfig)
    seed: int = 0
    odometry_drift: float = 0.02
    "share of the way walked that the robot's own odometry is wrong by"


class SimRobot:
    """Call `frame` at 500 Hz. `tell` gets events as dictionaries."""

    def __init__(
        self,
        config: SimConfig,
        balance: Balance,
        tell: Callable[[dict[str, Any]], None],
        now: Callable[[], float] = time.monotonic,
        mocap: MocapEmulator | None = None,
    ) -> None:
        """mocap: sees the robot and its objects, and is closed with the robot."""
        self.config = config
        self.faults = Faults()
        self.mocap = mocap
        self.body = self._put(config.start)
        self._now, self._tell, self._balance = now, tell, balance
        self._random = np.random.default_rng(config.seed)
        self._bus: RobotBus | None = RobotBus(config.domain, config.address)
        self._frame = wire.LowStateFrame()
        self._frames = 0
        self._odometry = np.zeros(3)
        self._late: deque[tuple[float, str, wire.Code, str]] = deque()
        self._away_until_s: float | None = None
        self._told: set[str] = set()
        self.commands = 0
        "low-level frames that arrived, whoever sent them"
        self.calls: Counter[str] = Counter()
        "calls that arrived, by name"
        self.modes: deque[tuple[float, int, str]] = deque(maxlen=1000)
        "(monotonic time, mode, who asked) of every change"
        self.limp_s: float | None = None
        "when the motors went limp, None while something is held"
        self._boot()

    def _boot(self) -> None:
        self.firmware = Firmware(self._balance, self.config.firmware)
        self.firmware.mode_since_s = self._now()
        self.inspector = Inspector()
        self.service = Service(self.firmware, self.inspector, lambda: self.faults.refuse)
        self._note_mode("boot")

    def close(self) -> None:
        """Leave the network."""
        self._leave()
        if self.mocap is not None:
            self.mocap.close()

    def _leave(self) -> None:
        if self._bus is not None:
            self._bus.close()
            self._bus = None

    # ------------------------------------------------------------------ requests of the person or the test

    def restart(self) -> None:
        """Go away from the network, and come back in damping after `RESTART_S`."""
        self._leave()
        self._away_until_s = self._now() + RESTART_S
        self.firmware.enter(Mode.DAMPING, self._now(), self.body.q)
        self._note_mode("restart")

    def remote(self, mode: Mode) -> None:
        """Somebody takes over with the remote control: it may do anything at any time."""
        self.firmware.enter(mode, self._now(), self.body.q)
        self._note_mode("remote")

    def place(self, start: SimStart) -> None:
        """People put the robot, limp, and its objects somewhere."""
        self.body = self._put(start)
        self.firmware.enter(Mode.DAMPING, self._now(), self.body.q)
        self._odometry[:] = 0.0
        self._note_mode("people")

    def _put(self, start: SimStart) -> Body:
        return Body(start.scene, start.initial, self.config.gantry, start.floor_friction)

    def poses(self) -> dict[str, np.ndarray]:
        """What cameras see: (7,) poses of the trunk and of free objects."""
        objects = {name: self.body.object_pose(name) for name in self.body.layout.objects}
        return {TRUNK: self.body.trunk_pose(), **objects}

    def status(self) -> dict[str, Any]:
        """Everything that a test asks for; times are of the monotonic clock, which all processes share."""
        firmware, body = self.firmware, self.body
        command = firmware.command
        return {
            "mode": int(firmware.mode),
            "upper_body": firmware.upper_body,
            "velocity": firmware.velocity.tolist(),
            "limp_s": self.limp_s,
            "modes": list(self.modes),
            "violations": dict(self.inspector.counts),
            "first": {kind: item.text for kind, item in self.inspector.first.items()},
            "max_gap_s": self.inspector.max_gap_s,
            "base_pos_w": body.pos.tolist(),
            "base_quat_w": body.quat.tolist(),
            "base_lin_vel_b": body.velocity_b().tolist(),
            "joint_pos": body.q.tolist(),
            "gripper": body.gripper_opening().tolist(),
            "objects": {name: body.object_pose(name).tolist() for name in body.layout.objects},
            "command_age_s": None if command is None else self._now() - firmware.command_s,
            "fallen": self._fall_state() == FallState.FALLEN,
            "caught": body.caught,
            "frames": self._frames,
            "commands": self.commands,
            "calls": dict(self.calls),
        }

    # ------------------------------------------------------------------ the loop

    def frame(self, steps: int = 1) -> None:
        """Traffic in, `steps` frames of physics (more than one after late ticks), traffic out."""
        now_s = self._now()
        if self._away_until_s is not None and now_s >= self._away_until_s:
            self._away_until_s = None
            self._bus = RobotBus(self.config.domain, self.config.address)
            self._boot()
        self._receive(now_s)
        for _ in range(steps):
            self._step(now_s)
        self._answer_late(now_s)
        self._publish()
        if self.mocap is not None:
            self.mocap.tick(now_s, self.poses)
        self._tell_violations()

    def _receive(self, now_s: float) -> None:
        if self._bus is None:
            return
        samples, requests = self._bus.take_commands(), self._bus.take_requests()
        self.commands += len(samples)
        if self.faults.cut:
            return
        for request in requests:
            if not self.faults.drops_call(self._random):
                self._serve(request, now_s)
        for sample in samples:
            if self.faults.loses(self._random):
                continue
            try:
                command = wire.decode_low_command(sample.data)
            except ValueError as error:
                self.inspector.report("not_a_frame", str(error), now_s)
                continue
            if self.inspector.check(command, sample, self.firmware, self.body.q, now_s):
                motors = {name: command.motors[name].astype(float) for name in ("q", "dq", "tau", "kp", "kd")}
                self.firmware.take_command(Drive(**motors), now_s)

    def _serve(self, message: RpcRequest, now_s: float) -> None:
        try:
            request = wire.decode_request(message.uuid, message.header, message.body)
        except ValueError as error:
            self.inspector.report("not_a_request", str(error), now_s)
            return
        self.calls[Api(request.api).name if request.api in set(Api) else str(request.api)] += 1
        mode = self.firmware.mode
        code, body = self.service.answer(request, now_s, self.body.q)
        if self.firmware.mode != mode:
            self._note_mode("call")
        if request.call_mode != CallMode.FORGET:
            self._late.append((now_s + self.faults.slow, request.uuid, code, json.dumps(body)))

    def _answer_late(self, now_s: float) -> None:
        while self._late and self._late[0][0] <= now_s:
            _, uuid, code, body = self._late.popleft()
            if self._bus is not None and not self.faults.silent:
                self._bus.publish(wire.RPC_RESPONSE, RpcResponse(uuid, json.dumps({"status": int(code)}), body))

    def _step(self, now_s: float) -> None:
        firmware, body = self.firmware, self.body
        standing = now_s - firmware.mode_since_s > firmware.config.stand_up_s
        body.hoisted = firmware.mode == Mode.PREPARE and not standing
        drive = firmware.drive(now_s, body.world_state() if firmware.wants_state() else None)
        if not drive.limp:
            self.limp_s = None
        elif self.limp_s is None:
            self.limp_s = now_s
        self.service.grippers.step(wire.FRAME_PERIOD_S)
        before = body.pos[:2].copy()
        body.step(drive, self.service.grippers.opening)
        moved = body.pos[:2] - before
        self._odometry[:2] += moved * (1.0 + self.config.odometry_drift)
        self._frames += 1

    def _note_mode(self, who: str) -> None:
        self.modes.append((self._now(), int(self.firmware.mode), who))
        self._tell({"event": "mode", "mode": self.firmware.mode.name.lower(), "by": who, "time_s": self._now()})
        self._publish_mode()

    # ------------------------------------------------------------------ traffic out

    def _publish(self) -> None:
        if self._bus is None or self.faults.silent or self.faults.cut:
            return
        if not self.faults.loses(self._random):
            self._bus.publish_bytes(wire.LOW_STATE, self._low_state())
        if self._frames % STATES_EVERY == 0:
            self._publish_mode()
            yaw = rpy_from_quat(self.body.quat)[2]
            self._bus.publish(wire.ODOMETER, Odometer(float(self._odometry[0]), float(self._odometry[1]), float(yaw)))
            self._bus.publish(wire.FALL_DOWN, FallDownState(int(self._fall_state()), True))
        if self._frames % SLOW_EVERY == 0:
            self._bus.publish(wire.BATTERY, BatteryState(48.0, -2.0, 80.0, 48.0))

    def _publish_mode(self) -> None:
        if self._bus is None or self.faults.silent or self.faults.cut:
            return
        firmware = self.firmware
        states = RobotStates(int(firmware.mode), int(firmware.body_control), [])  # type: ignore[arg-type]  # takes lists
        self._bus.publish(wire.ROBOT_STATES, states)

    def _low_state(self) -> bytes:
        frame, body = self._frame, self.body
        frame.rpy[:] = rpy_from_quat(body.quat)
        frame.gyro[:], frame.acc[:] = body.gyro(), body.accelerometer()
        for motors in (frame.serial, frame.parallel):
            motors["q"], motors["dq"], motors["tau"] = body.q, body.dq, body.torque
            motors["temperature"] = _AMBIENT_C
            if self.faults.hot:
                motors["temperature"][_HOT_JOINT] = min(self.faults.hot, 255.0)
        return frame.to_bytes()

    def _fall_state(self) -> FallState:
        up = 1.0 - 2.0 * float(self.body.quat[1] ** 2 + self.body.quat[2] ** 2)
        if up > FALLEN_UP_Z:
            return FallState.READY
        return FallState.FALLEN if np.abs(self.body.gyro()).max() < 1.0 else FallState.FALLING

    def _tell_violations(self) -> None:
        for kind, item in list(self.inspector.first.items()):
            if kind not in self._told:
                self._told.add(kind)
                self._tell({"event": "violation", "kind": kind, "text": item.text, "time_s": item.time_s})
