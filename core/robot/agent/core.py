"""The agent put together: one tick of the 500 Hz loop, and what clients may ask for. Time and robot are injected."""

import os
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from core.control.stop import StopLevel
from core.robot.agent.config import AgentConfig
from core.robot.agent.grippers import Grippers
from core.robot.agent.log import SafetyLog
from core.robot.agent.state import EXPECTED_MODE, MOVING, AgentState, RefusedError
from core.robot.agent.stop import AgentStop
from core.robot.agent.stream import ARMS_ONLY, WHOLE_BODY, Stream
from core.robot.agent.watchdog import OK, Finding, Watched, judge
from core.robot.heartbeats import Alive
from core.robot.view import Link
from core.robot.wire import Api
from core.t1.model import JOINT_NAMES, KD, KP, NUM_JOINTS

MOVE_PERIOD_S = 0.1
GAIN_BLEND_S = 0.2
"""From the gains of the entry to those of the controller, once its first target is there."""
DAMPING_AFTER_S = 0.2
"""Damping frames go on this long after the robot confirmed."""


class Agent:
    """State of the agent. `tick` belongs to the command loop; everything else may come from any thread."""

    def __init__(
        self, config: AgentConfig, link: Link, log: SafetyLog, now: Callable[[], float] = time.monotonic,
        start_threads: bool = True,
    ) -> None:  # fmt: skip
        self.config, self.link, self.log, self.now = config, link, log, now
        self.state = AgentState.DISCONNECTED
        self.detail = ""
        "what the agent is doing or why it stopped, for people"
        self.entered_s = float("-inf")
        self.info: dict[str, str] = {}
        self.stream = Stream(config.arm_speed_rad_s)
        self.wake = threading.Event()
        self.stop = AgentStop(link, log, config.confirm_s, self.wake.set, now)
        self.grippers = Grippers(link, now, start=start_threads)
        self.deadman = Alive(now)
        self.finding: Finding = OK
        self.frames_sent = 0
        self.late_frames = 0
        self.velocity = np.zeros(3)
        self.targets = 0
        self._target_s = float("-inf")
        self._lock = threading.RLock()
        self._move_due_s = float("-inf")
        self._moving = False
        self._obeyed = StopLevel.NONE

    # ------------------------------------------------------------------ state

    def enter(self, state: AgentState, detail: str = "") -> None:
        """Be in a state; logged."""
        with self._lock:
            self.state, self.detail, self.entered_s = state, detail, self.now()
            self.targets, self._target_s = 0, float("-inf")
        self.log.add("state", state=state.value, detail=detail)

    def say(self, detail: str) -> None:
        """What is going on within a state."""
        self.detail = detail
        self.log.add("step", detail=detail)

    @property
    def moving(self) -> bool:
        """Whether joints are ours."""
        return self.state in MOVING

    @property
    def armed(self) -> bool:
        """Whether the robot would go on by itself if this process died: the dead-man guards it then."""
        unsafe = self.stop.level == StopLevel.HARD and not self.stop.record.confirmed_s
        return self.stream.phase == "hold" or unsafe

    # ------------------------------------------------------------------ clients

    def target(self, position: np.ndarray, gripper: np.ndarray, velocity: np.ndarray, damping: bool) -> None:
        """A 50 Hz target: (29,) rad, (2,) m, (3,) m/s and rad/s. Anything not finite stops the robot hard."""
        if damping:
            self.stop.request(StopLevel.HARD, "the control loop asked for damping")
            return
        if position.shape != (NUM_JOINTS,) or velocity.shape != (3,) or gripper.shape != (2,):
            raise RefusedError(f"a target has 29 joints, 2 grippers, 3 velocities; got {position.shape}")
        if not self.moving or self.stop.level == StopLevel.HARD:
            return
        if not (np.isfinite(position[self.stream.joints]).all() and np.isfinite(velocity).all()):
            self.stop.request(StopLevel.HARD, "a joint target was not a number")
            return
        with self._lock:
            now_s = self.now()
            first = self.targets == 0
            self.targets, self._target_s = self.targets + 1, now_s
            self.velocity = velocity
            if self.stop.level == StopLevel.NONE or self.state == AgentState.CUSTOM:
                # in whole-body mode the controller's targets are the balance: a soft stop comes from its commands
                wanted = np.where(self.stream.joints, position, self.stream.q)
                self.stream.go_to(wanted, self.config.blend_s, now_s)
            if first:
                self.stream.start_slowly(self.config.ramp_s, now_s)
                if self.state == AgentState.CUSTOM:
                    self.stream.change_gains(KP, KD, GAIN_BLEND_S, now_s)
        if self.stop.level == StopLevel.NONE:
            self.grippers.wish(gripper)

    # ------------------------------------------------------------------ the loop

    def tick(self) -> None:
        """One frame: watch, decide, send."""
        now_s = self.now()
        self._watch(now_s)
        self._follow_stop(now_s)
        with self._lock:
            frame = self.stream.frame(now_s)
        if frame is None:
            return
        self.link.write(frame)
        self.frames_sent += 1
        if self.stream.phase == "damping":
            self.stop.framed()

    def send_moves(self) -> None:
        """Velocity of the upper-body mode, 10 Hz; a lasting zero once the targets stop. Called from its own thread."""
        now_s = self.now()
        if self.state != AgentState.UPPER_BODY or now_s < self._move_due_s:
            return
        self._move_due_s = now_s + MOVE_PERIOD_S
        going = self.finding.action == "none" and self.stop.level == StopLevel.NONE and self.targets > 0
        velocity = self.velocity if going else np.zeros(3)
        if velocity.any() or self._moving:
            self.link.fire(Api.MOVE, _move(velocity), "move")
        self._moving = bool(velocity.any())

    def _watch(self, now_s: float) -> None:
        if not self.moving:
            self.finding = OK
            return
        age_s = now_s - self._target_s if self.targets else 0.0
        watched = Watched(
            now_s, EXPECTED_MODE[self.state], self.entered_s, age_s, self.state == AgentState.CUSTOM,
            self.deadman.age_s(),
        )  # fmt: skip
        finding = judge(self.config, self.link.view, watched)
        if finding == self.finding:
            return
        self.finding = finding
        match finding.action:
            case "let_go":
                self._let_go(finding.reason)
            case "hard":
                self.stop.request(StopLevel.HARD, finding.reason)
            case "soft":
                self.stop.request(StopLevel.SOFT, finding.reason)
            case "hold":
                self.log.add("hold", reason=finding.reason)
        if finding.action == "hold" and self.state == AgentState.UPPER_BODY:
            with self._lock:
                self.stream.freeze(now_s)

    def _let_go(self, reason: str) -> None:
        with self._lock:
            if self.stop.level == StopLevel.HARD:
                return  # it was us
            self.stream.off()
            self.enter(AgentState.TAKEN_OVER, reason)

    def _follow_stop(self, now_s: float) -> None:
        record = self.stop.record
        if record.level != self._obeyed:
            self._obeyed = record.level
            if record.level == StopLevel.SOFT and self.state == AgentState.UPPER_BODY:
                with self._lock:
                    self.stream.freeze(now_s)
        if record.level != StopLevel.HARD:
            return
        with self._lock:
            if self.stream.phase == "hold":
                arms_only = self.state == AgentState.UPPER_BODY or self.stream.joints is ARMS_ONLY
                self.stream.damp(ARMS_ONLY if arms_only else WHOLE_BODY)
            if self.state not in (AgentState.STOPPED, AgentState.DISCONNECTED):
                self.enter(AgentState.STOPPED, record.reason)
            if self.stream.phase == "damping" and record.confirmed_s and now_s > record.confirmed_s + DAMPING_AFTER_S:
                self.stream.off()

    # ------------------------------------------------------------------ what clients see

    def report(self, sensors: bool) -> dict[str, Any]:
        """State for a client; with `sensors` also what the robot measures."""
        view, record, now_s = self.link.view, self.stop.record, self.now()
        report: dict[str, Any] = {
            "state": self.state.value,
            "detail": self.detail,
            "stop": int(record.level),
            "stop_words": record.words,
            "stop_overdue": record.overdue,
            "stop_times": [record.pressed_s, record.latched_s, record.asked_s, record.framed_s, record.confirmed_s],
            "holding": self.finding.reason if self.finding.action == "hold" else "",
            "mode": view.mode,
            "state_age_s": now_s - view.low.received_s,
            "deadman_age_s": self.deadman.age_s(),
            "frames": self.frames_sent,
            "late_frames": self.late_frames,
            "limited_speed": self.stream.limited_speed,
            "limited_position": self.stream.limited_position,
            "grippers_refused": self.grippers.refused,
            "log": self.log.path,
            "log_failures": self.log.failures,
            "pid": os.getpid(),
            "battery_percent": view.battery_percent,
            "info": self.info,
        }
        if sensors:
            low = view.low
            report |= {name: getattr(low, name).tolist() for name in ("q", "dq", "tau", "rpy", "gyro", "acc")}
            report |= {"received_s": low.received_s, "taken_s": low.taken_s}
            report |= {"odometry": list(view.odometry), "sent_q": self.stream.q.tolist()}
            report["hottest_c"] = float(low.temperature_c.max())
            report["hottest_joint"] = JOINT_NAMES[int(low.temperature_c.argmax())]
            report["lost_states"] = view.lost_states
        return report

    def close(self) -> None:
        """End the threads. The caller has left the moving states."""
        self.stop.close()
        self.grippers.close()
        self.log.close()


def _move(velocity: np.ndarray) -> dict[str, float]:
    return dict(zip(("vx", "vy", "vyaw"), velocity.tolist()))
