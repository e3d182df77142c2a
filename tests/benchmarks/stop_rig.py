"""A robot session for measuring stops: robot, agent and dead-man as processes, targets and beats from here."""

import contextlib
import os
import signal
import threading
import time
from typing import Any

from core.robot.agent.config import AgentConfig
from core.robot.agent.process import DEADMAN_BEATS
from core.robot.client import AgentError, AgentGoneError
from core.robot.heartbeats import BeatSocket
from core.robot.launch import RobotProcesses
from core.robot.realtime import ask_for_realtime
from core.t1.model import DEFAULT_JOINT_POS
from trainer.jobs.t1_sim import Config
from trainer.t1_sim_process import SimProcess

BEAT_PERIOD_S = 0.1
TARGET_PERIOD_S = 0.02


class TooEarlyError(RuntimeError):
    """The robot was limp before the cause of the trial."""


def limp_after(robot: SimProcess, since_s: float, timeout_s: float = 5.0) -> float:
    """Seconds from a moment until the robot's motors went limp. Raises TooEarlyError, TimeoutError."""
    status = robot.wait_for(lambda status: status["limp_s"] is not None, timeout_s)
    if status["limp_s"] >= since_s:
        return status["limp_s"] - since_s
    raise TooEarlyError(f"limp {since_s - status['limp_s']:.3f} s before the cause")


class StopRig:
    """Bring the robot into whole-body mode, break something, ask the robot when it went limp."""

    def __init__(self, log_path: str = "") -> None:
        ask_for_realtime()
        self.robot = SimProcess(Config(task="box_pickup", balance=False, stand_up_s=0.3))
        self.config = AgentConfig(
            domain=self.robot.domain, interface="127.0.0.1", stand_up_s=0.9, ramp_s=0.1, log_path=log_path
        )
        self.processes: RobotProcesses | None = None
        self.targets = threading.Event()
        "while set, targets flow at 50 Hz"
        self.beats = threading.Event()
        "while set, the window beats at 10 Hz"
        self._closing = threading.Event()
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._send_targets, self._send_beats)]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """End everything."""
        self._closing.set()
        for thread in self._threads:
            thread.join()
        if self.processes is not None:
            self.processes.close()
        self.robot.close()

    def engage(self) -> None:
        """Whole-body mode with targets and beats flowing; starts or repairs what an earlier trial broke."""
        if self.processes is not None and None in (self.processes.agent.poll(), self.processes.deadman.poll()):
            if self.processes.agent.poll() is not None or self.processes.deadman.poll() is not None:
                self.processes.close()
                self.processes = None
        elif self.processes is not None:
            self.processes.close()
            self.processes = None
        if self.processes is None:
            self.processes = RobotProcesses(self.config)
        client = self.processes.client
        self._until_cleared()
        self._prepare()
        self.beats.set()
        client.ask("custom")
        self.processes.wait_for("custom")
        self.targets.set()
        time.sleep(0.15)

    def limp_after(self, since_s: float) -> float:
        """Seconds from a moment until the robot's motors went limp."""
        return limp_after(self.robot, since_s)

    def rest(self) -> None:
        """Between trials: nothing flows, everything is mended."""
        self.targets.clear()
        self.beats.clear()
        for fault in ("silent", "cut", "drop_rpc"):
            self.robot.ask(f"fault {fault} off")

    def report(self) -> dict[str, Any]:
        """The agent's."""
        assert self.processes is not None
        return self.processes.client.ask("state", sensors=False)

    def press(self) -> float:
        """A hard stop over the socket; when it was pressed."""
        assert self.processes is not None
        pressed_s = time.monotonic()
        self.processes.client.stop("hard", "benchmark", pressed_s)
        return pressed_s

    def kill_agent(self) -> float:
        """SIGKILL; when."""
        assert self.processes is not None
        killed_s = time.monotonic()
        os.kill(self.processes.agent.pid, signal.SIGKILL)
        return killed_s

    def _until_cleared(self) -> None:
        assert self.processes is not None
        deadline = time.monotonic() + 30.0
        while time.monotonic() < deadline:
            with contextlib.suppress(AgentError):
                self.processes.client.ask("clear")
            report = self.report()
            if report["state"] in ("connected", "prepare") and not report["stop"]:
                return
            time.sleep(0.05)
        raise TimeoutError(f"the agent did not come back: {report}")

    def _prepare(self) -> None:
        """Stand up. The pre-flight check looks back: traffic that was cut a moment ago is still red; and a robot that
        held its last command without anybody's balance hangs askew."""
        assert self.processes is not None
        self.robot.ask("place 0")
        deadline = time.monotonic() + 10.0
        while True:
            self.processes.client.ask("prepare")
            try:
                self.processes.wait_for("prepare")
                return
            except AgentError as error:
                if "network" not in str(error) or time.monotonic() > deadline:
                    raise
            time.sleep(0.2)

    def _send_targets(self) -> None:
        client, owner = None, None
        while not self._closing.is_set():
            if not self.targets.wait(0.05) or self.processes is None:
                continue
            if client is not None and owner is not self.processes:
                client.close()
            if client is None or owner is not self.processes:
                client, owner = self.processes.new_client(), self.processes
            with contextlib.suppress(AgentError, AgentGoneError):
                client.ask(
                    "step", position=DEFAULT_JOINT_POS.tolist(), gripper=[0.05, 0.05], velocity=[0, 0, 0],
                    damping=False,
                )  # fmt: skip
            self._closing.wait(TARGET_PERIOD_S)
        if client is not None:
            client.close()

    def _send_beats(self) -> None:
        socket, owner = None, None
        while not self._closing.is_set():
            if not self.beats.wait(0.05) or self.processes is None:
                continue
            if socket is None or owner is not self.processes:
                if socket is not None:
                    socket.close()
                owner = self.processes
                socket = BeatSocket(owner.folder / "window.beat", owner.key)
            socket.send(owner.folder / DEADMAN_BEATS, who="window", owner_age_s=0.0)
            self._closing.wait(BEAT_PERIOD_S)
        if socket is not None:
            socket.close()
