"""A robot at the agent's border for tests without processes: simulated modes, joints that obey at once."""

from dataclasses import replace
from typing import Any

import numpy as np

from core.robot.agent.config import AgentConfig
from core.robot.agent.core import Agent
from core.robot.agent.log import SafetyLog
from core.robot.agent.sequences import Sequences
from core.robot.agent.state import AgentState
from core.robot.gains import PREPARE_POSE
from core.robot.sim.body import Drive
from core.robot.sim.faults import Faults
from core.robot.sim.firmware import Firmware, FirmwareConfig
from core.robot.sim.inspector import Inspector
from core.robot.sim.no_gait import NoGait
from core.robot.sim.service import INFO, Service
from core.robot.view import Frame, LowStateView, RobotView
from core.robot.wire import MOTOR_COMMAND, Code, CommandType, LowCommand, Request, Sample
from core.t1.model import NUM_JOINTS

WALL_S = 1_800_000_000.0


class FakeRobot:
    """Implements `Link` on an injected clock; frames and calls are checked by the simulated robot's inspector."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.view = RobotView(battery_percent=80.0)
        self.says = {name: INFO[name] for name in ("serial_number", "model", "version", "name")}
        "what the information service answers"
        self.noise = np.random.default_rng(0)
        self.firmware = Firmware(NoGait(), FirmwareConfig(stand_up_s=0.1))
        self.firmware.mode_since_s = self.now_s
        self.inspector = Inspector()
        self.faults = Faults()
        self.service = Service(self.firmware, self.inspector, lambda: self.faults.refuse)
        self.q = PREPARE_POSE.copy()
        self.frames: list[Frame] = []
        self.calls: list[tuple[int, dict[str, Any]]] = []
        self.low = LowStateView(joints=NUM_JOINTS, q=self.q, temperature_c=np.full(NUM_JOINTS, 30.0))
        self.publish()

    def now(self) -> float:
        return self.now_s

    def publish(self) -> None:
        """States of this moment, unless the robot is silent."""
        if self.faults.silent or self.faults.cut:
            return
        gyro = 1e-4 * self.noise.standard_normal(3)  # a sensor that lives is never still
        self.low = replace(
            self.low, received_s=self.now_s, taken_s=self.now_s, count=self.low.count + 1, q=self.q.copy(), gyro=gyro
        )
        self.view.low = self.low
        self.view.mode, self.view.mode_s = int(self.firmware.mode), self.now_s

    def write(self, frame: Frame) -> None:
        self.frames.append(frame)
        if self.faults.cut:
            return
        motors = np.zeros(NUM_JOINTS, MOTOR_COMMAND)
        motors["q"], motors["kp"], motors["kd"], motors["tau"] = frame.q, frame.kp, frame.kd, frame.tau
        sample = Sample(b"", round(self.now_s * 1e9), 1)
        if self.inspector.check(LowCommand(CommandType.SERIAL, motors), sample, self.firmware, self.q, self.now_s):
            self.firmware.take_command(Drive(q=frame.q, kp=frame.kp, kd=frame.kd), self.now_s)
            if self.firmware.mode == 3 and frame.kp.any():
                self.q = frame.q.copy()
            elif self.firmware.upper_body:
                self.q = np.where(frame.kp > 0, frame.q, self.q)

    def call(self, api: int, body: dict[str, Any], channel: str = "main") -> Code:
        self.calls.append((int(api), body))
        if self.faults.cut or self.faults.drop_rpc:
            return Code.TIMEOUT
        code, _ = self.service.answer(Request("id", int(api), 0, body), self.now_s, self.q)
        return code

    def fire(self, api: int, body: dict[str, Any], channel: str = "main") -> None:
        self.call(api, body, channel)

    def info(self) -> dict[str, str]:
        return dict(self.says)

    def close(self) -> None:
        pass


class Rig:
    """Agent, sequences and robot on one clock; the dead-man beats by itself unless told not to."""

    def __init__(self, **config: Any) -> None:
        self.robot = FakeRobot()
        self.log = SafetyLog()
        settings = AgentConfig(stand_up_s=0.15, settle_s=0.05, ramp_s=0.2, realtime=False, **config)
        self.agent = Agent(settings, self.robot, self.log, self.robot.now, False, self.wall)
        self.agent.meet(self.robot.info())
        self.agent.enter(AgentState.CONNECTED)
        self.sequences = Sequences(self.agent, self.wait)
        self.deadman_lives = True

    def wall(self) -> float:
        return WALL_S + self.robot.now_s

    def tick(self, seconds: float = 0.002) -> None:
        """Time goes on by one frame (or by a stall of `seconds`)."""
        self.robot.now_s += seconds
        self.robot.publish()
        if self.deadman_lives:
            self.agent.deadman.beat()
        self.agent.tick()

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.002)):
            self.tick()

    def wait(self, condition: Any, seconds: float) -> bool:
        for _ in range(max(1, round(seconds / 0.002))):
            if condition():
                return True
            self.tick()
        return condition()

    def send(
        self, q: np.ndarray, velocity: tuple[float, float, float] = (0.0, 0.0, 0.0), damping: bool = False
    ) -> None:
        self.agent.target(q, np.full(2, 0.03), np.array(velocity), damping)

    def into(self, rung: str) -> None:
        self.sequences.prepare()
        getattr(self.sequences, rung)()

    def close(self) -> None:
        self.agent.close()

    @property
    def breaches(self) -> dict[str, int]:
        return dict(self.robot.inspector.counts)
