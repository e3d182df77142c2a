"""The agent put together: one tick of the 500 Hz loop, and what clients may ask for. Time and robot are injected."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from core.control.stop import StopLevel
from core.robot.agent.config import AgentConfig
from core.robot.agent.gate import Gate
from core.robot.agent.grippers import Grippers
from core.robot.agent.log import SafetyLog
from core.robot.agent.report import report_of, sensors_of
from core.robot.agent.state import DRIVING, EXPECTED_MODE, MOVING, AgentState, RefusedError
from core.robot.agent.stop import AgentStop, StopRecord
from core.robot.agent.stream import ARMS_ONLY, WHOLE_BODY, Stream
from core.robot.agent.usage import Usage
from core.robot.agent.watchdog import OK, Finding, Watched, judge, judge_shadow
from core.robot.heartbeats import Alive
from core.robot.ladder_store import LadderStore
from core.robot.view import Link
from core.robot.wire import Api
from core.t1.model import KD, KP, NUM_JOINTS

MOVE_PERIOD_S = 0.1
GAIN_BLEND_S = 0.2
"""From the gains of the entry to those of the controller, once its first target is there."""
DAMPING_AFTER_S = 0.2
"""Damping frames go on this long after the robot confirmed."""


class Agent:
    """State of the agent. `tick` belongs to the command loop; everything else may come from any thread."""

    def __init__(
        self, config: AgentConfig, link: Link, log: SafetyLog, now: Callable[[], float] = time.monotonic,
        start_threads: bool = True, wall: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        self.config, self.link, self.log, self.now = config, link, log, now
        self.shadow = config.hang == "shadow"
        "nothing is ever sent: the controller runs on what the robot measures"
        store = LadderStore(Path(config.ladder_path) if config.ladder_path else None)
        self.usage = Usage(config, store, log, wall)
        self.gate = Gate(config, link, log, store, now, wall, self.usage.pending)
        self.state = AgentState.DISCONNECTED
        self.detail = ""
        "what the agent is doing or why it stopped, for people"
        self.entered_s = float("-inf")
        self.info: dict[str, str] = {}
        self.stream = Stream(config.arm_speed_rad_s)
        self.wake = threading.Event()
        self.stop = AgentStop(link, log, config.confirm_s, self.wake.set, now, self.shadow)
        self.stop.confirmed = self._stop_confirmed
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
        self.presses = 0
        "stops that persons asked for"
        self.testing = False
        "the stop is being tested: what it does is no trouble"
        self.limited_walk = 0
        "targets whose velocity was shortened to the limit of hardware"
        log.add("limits", walk_m_s=config.walk_speed_m_s, hand_m_s=config.hand_speed_m_s,
                loosened_by=config.loosened_by, hang=config.hang)  # fmt: skip

    # ------------------------------------------------------------------ state

    def enter(self, state: AgentState, detail: str = "") -> None:
        """Be in a state; logged."""
        with self._lock:
            self.state, self.detail, self.entered_s = state, detail, self.now()
            self.targets, self._target_s = 0, float("-inf")
        if state not in DRIVING:
            self.usage.end()
        self.log.add("state", state=state.value, detail=detail)

    def meet(self, info: dict[str, str]) -> None:
        """The robot said who it is."""
        self.info = info
        self.gate.met(info)

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
        return not self.shadow and (self.stream.phase == "hold" or unsafe)

    # ------------------------------------------------------------------ clients

    def target(self, position: np.ndarray, gripper: np.ndarray, velocity: np.ndarray, damping: bool) -> None:
        """A 50 Hz target: (29,) rad, (2,) m, (3,) m/s and rad/s. Anything not finite stops the robot hard."""
        if damping:
            if self.stop.level != StopLevel.HARD:
                self.usage.stopped(hard=True)
            self.stop.request(StopLevel.HARD, "the control loop asked for damping")
            return
        if position.shape != (NUM_JOINTS,) or velocity.shape != (3,) or gripper.shape != (2,):
            raise RefusedError(f"a target has 29 joints, 2 grippers, 3 velocities; got {position.shape}")
        if self.state not in DRIVING or self.stop.level == StopLevel.HARD:
            return
        if not (np.isfinite(position[self.stream.joints]).all() and np.isfinite(velocity).all()):
            self._breach("a joint target was not a number")
            return
        velocity = self._within_limit(velocity)
        self.usage.target(self.now())
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
        if self.stop.level == StopLevel.NONE and not self.shadow:
            self.grippers.wish(gripper)

    def press(self, level: StopLevel, reason: str, pressed_s: float | None = None) -> None:
        """A person stops the robot."""
        self.presses += 1
        if level > self.stop.level:
            self.usage.stopped(level == StopLevel.HARD)
        self.stop.request(level, reason, pressed_s, by_person=True)

    def deadman_triggered(self, level: StopLevel, reason: str) -> None:
        """The dead-man process acted."""
        self.usage.breach(f"dead-man: {reason}")
        self.stop.request(level, f"dead-man: {reason}")

    def _breach(self, reason: str) -> None:
        self.usage.breach(reason)
        self.stop.request(StopLevel.HARD, reason)

    def _stop_confirmed(self, record: StopRecord) -> None:
        if record.by_person:
            self.gate.tested(1e3 * (record.confirmed_s - record.pressed_s), record.from_mode)

    def _within_limit(self, velocity: np.ndarray) -> np.ndarray:
        """The second clamp of the walking speed (B112): the safety filter of the loop is the first."""
        speed, limit = float(np.hypot(*velocity[:2])), self.config.walk_speed_m_s
        if speed <= limit * (1 + 1e-4):
            return velocity
        self.limited_walk += 1
        return np.append(velocity[:2] * (limit / speed), velocity[2])

    # ------------------------------------------------------------------ the loop

    def tick(self) -> None:
        """One frame: watch, decide, send."""
        now_s = self.now()
        self.gate.monitor.look(self.link.view.low, now_s)
        self._watch(now_s)
        self._follow_stop(now_s)
        with self._lock:
            frame = self.stream.frame(now_s)
        if frame is None or self.shadow:
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
        if self.state not in DRIVING:
            self.finding = OK
            return
        age_s = now_s - self._target_s if self.targets else 0.0
        if self.state == AgentState.SHADOW:
            self._watch_shadow(judge_shadow(self.config, self.link.view, now_s, age_s))
            return
        low = self.link.view.low
        self.usage.tilt(float(max(abs(low.rpy[0]), abs(low.rpy[1]))))
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
                self._breach(finding.reason)
            case "soft":
                self.usage.hold()
                self.stop.request(StopLevel.SOFT, finding.reason)
            case "hold":
                self.usage.hold()
                self.log.add("hold", reason=finding.reason)
        if finding.action == "hold" and self.state == AgentState.UPPER_BODY:
            with self._lock:
                self.stream.freeze(now_s)

    def _watch_shadow(self, finding: Finding) -> None:
        """Nothing is ours to stop: findings are noted, as they would have stopped the robot."""
        if finding == self.finding:
            return
        self.finding = finding
        if finding.action != "none":
            self.log.add("shadow_finding", would_be=finding.action, reason=finding.reason)
        if finding.action == "hard":
            self.usage.breach(finding.reason)
        elif finding.action == "hold":
            self.usage.hold()

    def _let_go(self, reason: str) -> None:
        with self._lock:
            if self.stop.level == StopLevel.HARD:
                return  # it was us
            self.usage.taken_over()
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
        return {**report_of(self), **(sensors_of(self) if sensors else {})}

    def close(self) -> None:
        """End the threads. The caller has left the moving states."""
        self.stop.close()
        self.usage.close()
        self.grippers.close()
        self.log.close()


def _move(velocity: np.ndarray) -> dict[str, float]:
    return dict(zip(("vx", "vy", "vyaw"), velocity.tolist()))
