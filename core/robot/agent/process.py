"""The agent's process: `python -m core.robot.agent.process`, told where and how by one JSON line on stdin."""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.clock import Rate
from core.control.stop import StopLevel
from core.robot.agent.config import AgentConfig
from core.robot.agent.core import Agent
from core.robot.agent.gate import WATCHED_S
from core.robot.agent.log import SafetyLog
from core.robot.agent.sequences import Sequences
from core.robot.agent.server import Server
from core.robot.agent.state import DRIVING, AgentState, RefusedError
from core.robot.agent.stop_key import watch_stop_key
from core.robot.heartbeats import BEAT_PERIOD_S, BeatSocket
from core.robot.ladder_evidence import Subject
from core.robot.realtime import ask_for_realtime
from core.robot.sdk import ConnectError, SdkLink
from core.robot.wire import FRAME_PERIOD_S

AGENT_SOCKET, AGENT_BEATS, DEADMAN_BEATS = "agent.sock", "agent.beat", "deadman.beat"
ORPHAN_S = 30.0
"""Without a request of any client for this long the robot is given back and the process ends."""
NO_ROBOT = "no robot: "
"""Begin of the detail while connecting fails; the reason follows."""
LEVELS = {"soft": StopLevel.SOFT, "hard": StopLevel.HARD}


@dataclass(frozen=True)
class Instructions:
    """What a process of the robot's session is told on stdin."""

    folder: Path
    "private folder (0700) of the sockets"
    key: str
    config: AgentConfig

    @classmethod
    def read(cls) -> "Instructions":
        """From one line on stdin. Raises ValueError when that line is not there."""
        line = sys.stdin.readline()
        try:
            data = json.loads(line)
            return cls(Path(data["folder"]), data["key"], AgentConfig(**data["config"]))
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"this process is started by the program, which writes its settings on stdin ({error})"
            ) from None

    def to_line(self) -> str:
        """The line that `read` reads."""
        return json.dumps({"folder": str(self.folder), "key": self.key, "config": vars(self.config)}) + "\n"


class AgentProcess:
    """Threads around the agent: command loop, moves, heartbeats, sequences, clients."""

    def __init__(self, told: Instructions) -> None:
        self.log = SafetyLog(told.config.log_path)
        self.priority = ask_for_realtime() if told.config.realtime else "ordinary priority"
        self.log.add("agent", pid=os.getpid(), domain=told.config.domain, priority=self.priority)
        self.link = SdkLink(told.config.domain, told.config.interface, listens_only=told.config.hang == "shadow")
        self.agent = Agent(told.config, self.link, self.log)
        self.sequences = Sequences(self.agent, self.wait)
        self.ending = threading.Event()
        self._told = told
        self._asked_s = time.monotonic()
        self._busy = threading.Lock()
        self._beats = BeatSocket(told.folder / AGENT_BEATS, told.key)
        self._deadman = told.folder / DEADMAN_BEATS
        self._server = Server(told.folder / AGENT_SOCKET, bytes.fromhex(told.key), self.answer)
        for target, name in ((self._hear_beats, "beats"), (self._send_moves, "moves"), (self._connect, "connect")):
            threading.Thread(target=target, name=name, daemon=True).start()
        for device, level in (
            (told.config.stop_key_device, StopLevel.HARD), (told.config.soft_stop_key_device, StopLevel.SOFT),
        ):  # fmt: skip
            if device:
                watch_stop_key(
                    device, lambda pressed_s, level=level: self._key_pressed(level, pressed_s), self._key_lost
                )

    def run(self) -> None:
        """The 500 Hz loop, until told to end. It also beats for the dead-man: if it hangs, the beats stop."""
        agent, rate = self.agent, Rate(FRAME_PERIOD_S, sleep=self._sleep)
        next_beat_s = 0.0
        while not self.ending.is_set():
            agent.tick()
            now_s = time.monotonic()
            if now_s >= next_beat_s:
                self._beats.send(self._deadman, who="agent", armed=agent.armed)
                next_beat_s = now_s + BEAT_PERIOD_S
            agent.late_frames += rate.wait()
        self._beats.send(self._deadman, who="agent", armed=False, bye=True)

    def close(self) -> None:
        """Leave the robot as it is, after the last frame."""
        self._server.close()
        self.agent.close()
        self.link.close()
        self._beats.close()

    def wait(self, condition: Callable[[], bool], seconds: float) -> bool:
        """For sequences: true as soon as the condition holds."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() >= deadline or self.ending.is_set():
                return False
            time.sleep(0.002)
        return True

    # ------------------------------------------------------------------ clients

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """One request of a client."""
        agent = self.agent
        self._asked_s = time.monotonic()
        match request["do"]:
            case "step":
                if (note := request.get("note")) is not None:
                    agent.usage.note(note.get("hand_error_m"), int(note.get("interventions", 0)))
                    if note.get("breach"):
                        agent.usage.breach(str(note["breach"]))
                agent.target(
                    np.array(request["position"], float), np.array(request["gripper"], float),
                    np.array(request["velocity"], float), bool(request["damping"]),
                )  # fmt: skip
                return agent.report(sensors=True)
            case "state":
                return agent.report(sensors=bool(request.get("sensors", True))) | {"busy": self._busy.locked()}
            case "stop":
                agent.press(LEVELS[request["level"]], str(request.get("reason", "")), request.get("pressed_s"))
                return agent.report(sensors=False)
            case "log":
                return {"entries": list(agent.log.entries)}
            case "prepare" | "custom" | "upper_body" | "leave" | "clear" | "stop_test" as name:
                return self._begin(name)
            case "shadow":
                return self._begin("shadow", mode=request.get("mode", "upper_body"))
            case "subject":
                return self._declare(Subject(**request["subject"]))
            case "confirm":
                agent.gate.confirm(request["what"], str(request.get("by", "")))
                return agent.report(sensors=False)
            case "preflight":
                if request.get("patient"):
                    self.wait(lambda: agent.gate.seen, WATCHED_S)
                return agent.gate.report(request.get("mode", "upper_body"))
            case "check":
                self.wait(lambda: agent.gate.seen, WATCHED_S)
                agent.gate.check(request.get("mode", "upper_body"))
                return agent.report(sensors=False)
            case "quit":
                if self._busy.locked():  # a robot that just stands up must not keep the process
                    agent.stop.request(StopLevel.SOFT, "the session ends")
                self._begin("leave", wait=True)
                self.ending.set()
                return agent.report(sensors=False)
        raise ValueError(f"request {request['do']!r} is not known")

    def _declare(self, subject: Subject) -> dict[str, Any]:
        """What will drive. While something drives it cannot become something else."""
        agent = self.agent
        if agent.state in DRIVING and subject != agent.gate.subject:
            raise RefusedError(
                f"{agent.gate.subject.title} drives the robot; to drive it by {subject.title}, pause first"
            )
        if subject != agent.gate.subject:
            agent.log.add("subject", subject=subject.title, key=subject.key)
        agent.gate.subject = subject
        return agent.report(sensors=False)

    def _begin(self, name: str, wait: bool = False, **values: Any) -> dict[str, Any]:
        """Start a sequence in a thread of its own (its progress is in the report), or run it now."""
        if not self._busy.acquire(timeout=2.0 if wait else 0.0):
            raise RefusedError(f"cannot {name} now: {self.agent.detail}")
        if self.agent.detail.startswith("refused:"):
            self.agent.detail = f"{name.replace('_', ' ')}: looking at the robot first"  # not what the last one said
        thread = threading.Thread(
            target=self._run_sequence, args=(name,), kwargs=values, name="sequence", daemon=True
        )  # fmt: skip
        thread.start()
        if wait or name == "clear":
            thread.join()
        return self.agent.report(sensors=False)

    def _run_unless_busy(self, name: str) -> None:
        if self._busy.acquire(blocking=False):
            self._run_sequence(name)

    def _run_sequence(self, name: str, **values: Any) -> None:
        try:
            getattr(self.sequences, name)(**values)
        except RefusedError as error:
            self.agent.log.add("refused", request=name, reason=str(error))
            self.agent.detail = f"refused: {error}"
        finally:
            self._busy.release()

    def _key_pressed(self, level: StopLevel, pressed_s: float) -> None:
        self.agent.press(level, "stop key", pressed_s)

    def _key_lost(self, reason: str) -> None:
        self.agent.stop.request(StopLevel.SOFT, reason)

    # ------------------------------------------------------------------ threads

    def _sleep(self, seconds: float) -> None:
        """Until the next frame, or until a stop wants its frame now."""
        if self.agent.wake.wait(seconds):
            self.agent.wake.clear()

    def _connect(self) -> None:
        agent = self.agent
        agent.detail = f"connecting on {self.link.address}, domain {self._told.config.domain}"
        while not self.ending.is_set():
            try:
                agent.meet(self.link.connect())
            except ConnectError as error:
                agent.detail = f"{NO_ROBOT}{error}"  # stays until the robot is there: people must be able to read it
                agent.log.add("no_robot", reason=str(error))
                self.ending.wait(0.5)
                continue
            agent.enter(AgentState.CONNECTED, f"connected to {agent.info.get('serial_number', '')}")
            return

    def _send_moves(self) -> None:
        while not self.ending.is_set():
            self.agent.send_moves()
            self.ending.wait(0.02)
            if time.monotonic() - self._asked_s > ORPHAN_S:
                self.log.add("orphaned", seconds=ORPHAN_S)
                self._run_unless_busy("leave")
                self.ending.set()

    def _hear_beats(self) -> None:
        while not self.ending.is_set():
            message = self._beats.receive(0.2)
            if message is None or message.get("who") != "deadman":
                continue
            if message.get("robot_seen"):
                self.agent.deadman.beat()
            if message.get("triggered"):
                self.agent.deadman_triggered(StopLevel(message["level"]), str(message["triggered"]))


def main() -> int:
    """Run until told to quit."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in the terminal is the window's business
    try:
        process = AgentProcess(Instructions.read())
    except (ValueError, ImportError, ConnectError, OSError) as error:
        print(f"hardware agent: {error}", flush=True)
        return 2
    print("ready", flush=True)
    process.run()
    process.close()
    return 0


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)  # the SDK's threads would take seconds to end
