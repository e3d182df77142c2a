"""The dead-man process: stops the robot by its own connection when the agent or the window falls silent.

`python -m core.robot.deadman`, told where and how by one JSON line on stdin. It is small on purpose, shares nothing
with the agent but a socket, and judges only after it has read every heartbeat that waits: a stall of its own is no
silence of others.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from core.control.stop import StopLevel
from core.robot.agent.log import SafetyLog
from core.robot.agent.process import AGENT_BEATS, DEADMAN_BEATS, Instructions
from core.robot.gains import DAMPING_KD
from core.robot.heartbeats import Alive, BeatSocket
from core.robot.realtime import ask_for_realtime
from core.robot.sdk import ConnectError, SdkLink
from core.robot.view import Frame, Link
from core.robot.wire import Api, Mode
from core.t1.model import NUM_JOINTS

SILENCE_S = 0.25
"""A heartbeat that is missing for this long stops the robot."""
TICK_S = 0.002
REPEAT_S = 0.02
OWN_BEAT_S = 0.05
ROBOT_SEEN_S = 0.5
HALTS = 5
"""While the firmware balances, the motion is stopped by this many calls: none of them is sure to arrive."""
ORPHAN_S = 20.0
"""Without any heartbeat for this long, and with nothing to guard, the process ends."""


class Deadman:
    """What was heard, and what to do about silence. Time, robot and messages are injected."""

    def __init__(
        self, link: Link, log: SafetyLog, tell_agent: Callable[..., None], now: Callable[[], float] = time.monotonic
    ) -> None:
        self.link, self.log, self.now = link, log, now
        self.agent, self.window = Alive(now), Alive(now)
        self.armed = False
        "the agent drives joints: silence is dangerous"
        self.triggered = ""
        "why the robot was stopped, until the agent says that it drives nothing"
        self.triggered_s = 0.0
        self._tell_agent = tell_agent
        self._halts = 0
        self._due_s = float("-inf")
        self._done = False

    def hear(self, message: dict[str, Any]) -> None:
        """A heartbeat: of the agent (with what it does) or of the window (with how long it has been idle)."""
        age_s = max(0.0, self.now() - float(message.get("sent_s", 0.0)))
        match message.get("who"):
            case "agent":
                self.agent.beat(age_s)
                self.armed = bool(message.get("armed")) and not message.get("bye")
                if not self.armed:
                    self.triggered, self._done = "", False
                if message.get("bye"):
                    self.agent.seen_s = float("-inf")
            case "window":
                if message.get("bye"):
                    self.window.seen_s = float("-inf")
                else:
                    self.window.beat(age_s + float(message.get("owner_age_s", 0.0)))

    def silence(self) -> str:
        """Who is silent, '' while all is well or nothing moves."""
        if not self.armed:
            return ""
        if self.agent.age_s() > SILENCE_S:
            return "the hardware agent is silent"
        if SILENCE_S < self.window.age_s() < float("inf"):
            return "the window is silent"
        return ""

    def tick(self) -> None:
        """Judge, and act until the robot is safe."""
        reason = self.silence()
        if reason and not self.triggered:
            self.triggered, self.triggered_s, self._done, self._halts = reason, self.now(), False, 0
            self.log.add("deadman", reason=reason, mode=self.link.view.mode)
        if self.triggered and not self._done and self.now() >= self._due_s:
            self._due_s = self.now() + REPEAT_S
            self._act()

    def _act(self) -> None:
        """By what the robot says that it does: whole body is damped, walking is halted, the rest is safe already."""
        mode = self.link.view.mode
        agent_lives = self.agent.age_s() <= SILENCE_S
        if mode == Mode.WALKING:
            self._halt(agent_lives)
        elif mode == Mode.DAMPING:
            self._finish(agent_lives, StopLevel.HARD)
        elif mode == Mode.PREPARE:
            self._finish(agent_lives, StopLevel.SOFT)
        else:  # custom, or a mode that nobody knows
            self.link.fire(Api.CHANGE_MODE, {"mode": int(Mode.DAMPING)}, "stop")
            self.link.write(Frame(np.zeros(NUM_JOINTS), np.zeros(NUM_JOINTS), DAMPING_KD))
            self._tell(agent_lives, StopLevel.HARD)

    def _halt(self, agent_lives: bool) -> None:
        """Zero velocity; arms go back to the firmware where the agent cannot hold them."""
        self.link.fire(Api.MOVE, {"vx": 0.0, "vy": 0.0, "vyaw": 0.0}, "stop")
        if not agent_lives:
            self.link.fire(Api.UPPER_BODY_CUSTOM_CONTROL, {"start": False}, "stop")
        self._halts += 1
        self._tell(agent_lives, StopLevel.SOFT)
        if self._halts >= HALTS:
            self._finish(agent_lives, StopLevel.SOFT)

    def _finish(self, agent_lives: bool, level: StopLevel) -> None:
        self._tell(agent_lives, level)
        self._done = True
        self.log.add("deadman_done", ms=1e3 * (self.now() - self.triggered_s))

    def _tell(self, agent_lives: bool, level: StopLevel) -> None:
        if agent_lives:
            self._tell_agent(triggered=self.triggered, level=int(level))


def run(told: Instructions) -> None:
    """Guard until the agent says goodbye or nobody is left."""
    log = SafetyLog(told.config.log_path, "dead-man")
    log.add("deadman_began", pid=os.getpid(), priority=ask_for_realtime() if told.config.realtime else "ordinary")
    beats = BeatSocket(told.folder / DEADMAN_BEATS, told.key)
    link = SdkLink(told.config.domain, told.config.interface, listens_only=told.config.hang == "shadow")
    agent_path = told.folder / AGENT_BEATS
    print("ready", flush=True)
    while True:  # it guards only once it could stop the robot
        try:
            link.connect()
            break
        except ConnectError as error:
            log.add("no_robot", reason=str(error))
            if not agent_path.exists():
                return
    deadman = Deadman(link, log, lambda **message: beats.send(agent_path, who="deadman", robot_seen=True, **message))
    next_beat_s, heard_s = 0.0, time.monotonic()
    while True:
        message = beats.receive(TICK_S)
        while message is not None:
            heard_s = time.monotonic()
            deadman.hear(message)
            if message.get("bye") and message.get("who") == "agent":
                log.close()
                return
            message = beats.receive(0.0)
        deadman.tick()
        now_s = time.monotonic()
        if now_s >= next_beat_s:
            seen = now_s - link.view.low.received_s < ROBOT_SEEN_S
            beats.send(agent_path, who="deadman", robot_seen=seen)
            next_beat_s = now_s + OWN_BEAT_S
        if not deadman.armed and now_s - heard_s > ORPHAN_S:
            return


def main() -> int:
    """Run until the agent is gone for good."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        run(Instructions.read())
    except (ValueError, ImportError, ConnectError, OSError) as error:
        print(f"dead-man: {error}", flush=True)
        return 2
    return 0


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)  # the SDK's threads would take seconds to end
