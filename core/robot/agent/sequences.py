"""The ways from one state to another: each step is confirmed by the robot's own word before the next."""

from collections.abc import Callable

import numpy as np

from core.control.stop import StopLevel
from core.robot.agent.core import Agent
from core.robot.agent.gate import WATCHED_S
from core.robot.agent.state import AgentState, RefusedError
from core.robot.agent.stream import ARMS_ONLY, WHOLE_BODY
from core.robot.agent.usage import Session
from core.robot.agent.watchdog import ready_to_move
from core.robot.gains import PREPARE_KD, PREPARE_KP
from core.robot.ladder_evidence import BodyMode, rung_of
from core.robot.preflight import Confirmed
from core.robot.wire import Api, Code, Mode, mode_name
from core.t1.model import DEFAULT_JOINT_POS, JOINT_NAMES, KD, KP, NUM_JOINTS

CONFIRM_S = 3.0
"""How long the robot may take to say that a mode was entered."""
DEADMAN_S = 5.0
"""How long the dead-man may take to find the robot."""
HOLD_S = 0.1
"""Frames that hold the robot flow this long before a mode that obeys them is asked for."""
STILL_RAD_S, REST_S = 0.5, 5.0
"""A robot is at rest below this joint speed, which it may take so long to reach."""
MAX_MOVED_RAD = 0.05
"""With the next line less than what a joint may jump when custom mode begins to obey the frames (0.15 rad)."""
MAX_OFFSET_RAD = 0.1
"""How far a held target may be from the joints to carry the load that they carry now."""
ARM_POSE_RAMPS = 2.0
"""Arms go from where the firmware has them to the controller's first pose in so many ramp times, at 0.6 rad/s: from the
firmware's pose inverse kinematics would lift the elbows sideways, where they hit the table."""
MAX_LAG_RAD = 0.35
"""An arm that is this far from its target after the ramp does not follow: somebody or something holds it."""

Wait = Callable[[Callable[[], bool], float], bool]
"""wait(condition, seconds): true as soon as the condition holds, false after the time."""


class Sequences:
    """Runs in a thread of its own; a stop ends every sequence at its next step."""

    def __init__(self, agent: Agent, wait: Wait) -> None:
        self._agent, self._wait = agent, wait

    def prepare(self) -> None:
        """Stand up in the firmware's prepare mode. Raises RefusedError saying what is wrong."""
        agent = self._agent
        if agent.state == AgentState.PREPARE:
            return
        if agent.state not in (AgentState.CONNECTED, AgentState.UPPER_BODY, AgentState.CUSTOM):
            raise RefusedError(f"cannot prepare in state {agent.state}: clear the stop or connect anew")
        self._check_stop()
        if agent.state == AgentState.CONNECTED:
            self._pass_gate("upper_body", stop_tested=False)  # the rung of the mode that follows is judged there
        if agent.state == AgentState.UPPER_BODY:
            self._give_arms_back()
        agent.say("asking for prepare mode: the robot stands up")
        self._change_mode(Mode.PREPARE, leaving=agent.state == AgentState.CUSTOM)
        self._end_stream()
        self._pause(agent.config.stand_up_s)
        self._require(agent.link.view.mode == Mode.PREPARE, "the robot left prepare mode by itself")
        agent.enter(AgentState.PREPARE, "the robot stands")

    def custom(self) -> None:
        """Whole body: hold the joints where they are, take the mode over, go to the controller's first pose."""
        agent, now = self._agent, self._agent.now
        self._ready(AgentState.PREPARE)
        self._pass_gate("custom")
        self._open_record("custom")
        agent.say("holding every joint where it is")
        self._come_to_rest()
        held = agent.link.view.low.q.copy()
        agent.stream.begin(self._carrying(PREPARE_KP), PREPARE_KP, PREPARE_KD, WHOLE_BODY, now())
        try:
            self._pause(HOLD_S)
            moved, joint = _furthest(agent.link.view.low.q - held)
            self._require(moved < MAX_MOVED_RAD, f"the robot moved by itself: {joint} by {moved:.2f} rad")
            agent.say("asking for custom mode")
            self._change_mode(Mode.CUSTOM)
            agent.say("moving to the first pose of the controller")
            agent.stream.go_to(DEFAULT_JOINT_POS, agent.config.ramp_s, now())
            self._pause(agent.config.ramp_s + HOLD_S)
        except RefusedError as error:
            self._abandon(str(error))
            raise
        agent.enter(AgentState.CUSTOM, "whole body: every joint follows the controller")

    def upper_body(self) -> None:
        """The firmware balances; the arms become ours where they are, with growing gains, and take their first pose."""
        agent, now = self._agent, self._agent.now
        self._ready(AgentState.PREPARE)
        self._pass_gate("upper_body")
        agent.say("asking for walking mode: the firmware keeps the balance")
        self._change_mode(Mode.WALKING)
        self._pause(agent.config.settle_s)
        self._open_record("upper_body")
        zero = np.zeros(NUM_JOINTS)
        agent.stream.begin(agent.link.view.low.q, zero, zero, ARMS_ONLY, now())
        try:
            self._pause(HOLD_S)
            agent.say("taking over the arms")
            agent.stream.begin(self._carrying(PREPARE_KP), zero, zero, ARMS_ONLY, now())
            self._call(Api.UPPER_BODY_CUSTOM_CONTROL, {"start": True}, "upper-body control")
            agent.stream.change_gains(KP, KD, 0.2 * agent.config.ramp_s, now())
            self._pause(agent.config.ramp_s)
            self._require(self._mode_is(Mode.WALKING), "the robot left walking mode by itself")
            lag = float(np.abs(agent.stream.q - agent.link.view.low.q)[ARMS_ONLY].max())
            self._require(lag < MAX_LAG_RAD, f"an arm does not follow: it is {lag:.2f} rad from its target")
            agent.say("moving the arms to the first pose of the controller")
            agent.stream.go_to(DEFAULT_JOINT_POS, ARM_POSE_RAMPS * agent.config.ramp_s, now())
            self._pause(ARM_POSE_RAMPS * agent.config.ramp_s)
        except RefusedError as error:
            self._give_arms_back()
            if agent.stop.level != StopLevel.HARD:
                agent.enter(AgentState.CONNECTED, str(error))
            raise
        agent.enter(AgentState.UPPER_BODY, "upper body: the arms follow the controller, the firmware balances")

    def shadow(self, mode: BodyMode = "upper_body") -> None:
        """The controller runs on what the robot measures; nothing is sent, whatever the robot does."""
        agent, now = self._agent, self._agent.now
        if not agent.shadow:
            raise RefusedError("this session may send to the robot, it is no shadow: set it up with hang 'shadow'")
        if agent.state != AgentState.CONNECTED:
            raise RefusedError(f"a shadow begins in state connected, the agent is in {agent.state}")
        self._check_stop()
        self._pass_gate(mode)
        self._open_record(mode)
        joints = ARMS_ONLY if mode == "upper_body" else WHOLE_BODY
        agent.stream.begin(agent.link.view.low.q, KP, KD, joints, now())
        agent.enter(AgentState.SHADOW, "shadow: the controller runs, nothing is sent to the robot")

    def stop_test(self) -> None:
        """A hard stop on purpose: in the gantry from standing, on its own feet only of a robot that lies or hangs."""
        agent = self._agent
        if agent.shadow:
            raise RefusedError("a shadow sends nothing: there is no stop to test")
        if agent.state not in (AgentState.CONNECTED, AgentState.PREPARE):
            raise RefusedError(f"a stop is tested before the robot is taken over, the agent is in {agent.state}: pause")
        if agent.config.hang == "gantry":
            self.prepare()
        elif agent.link.view.mode != Mode.DAMPING:
            raise RefusedError(
                f"the robot is in mode {mode_name(agent.link.view.mode)} on its own feet: a stop test would make it "
                "fall; hang it in the gantry (hang 'gantry'), or put it into damping by the remote first"
            )
        agent.say("testing the hard stop")
        agent.testing, presses = True, agent.presses
        try:
            pressed_s = agent.now()
            agent.stop.request(StopLevel.HARD, "stop test", pressed_s, by_person=True)
            self._wait(lambda: bool(agent.stop.record.confirmed_s), CONFIRM_S)
            record = agent.stop.record
            self._require(bool(record.confirmed_s), f"the stop test failed: {record.words}")
            self._wait(lambda: agent.gate.stop_test is not None, CONFIRM_S)
            self._require(agent.presses == presses, "somebody pressed a stop during the test: it stays")
            self.clear()
        finally:
            agent.testing = False
        agent.say(f"stop test: the robot confirmed after {1e3 * (record.confirmed_s - pressed_s):.1f} ms")

    def leave(self) -> None:
        """Give the robot back: whole body to prepare, upper body to the firmware's walking mode."""
        agent = self._agent
        if agent.state == AgentState.SHADOW:
            agent.stream.off()
            agent.enter(AgentState.CONNECTED, "the shadow ended; nothing was sent")
        elif agent.state == AgentState.CUSTOM:
            self.prepare()
        elif agent.state == AgentState.UPPER_BODY:
            self._give_arms_back()
            agent.enter(AgentState.CONNECTED, "the firmware has the arms again")

    def clear(self) -> None:
        """Release a latched stop or a take-over. Nothing moves by itself: prepare comes next."""
        agent = self._agent
        if why := agent.stop.clear():
            raise RefusedError(f"the stop stays: {why}")
        if agent.state in (AgentState.STOPPED, AgentState.TAKEN_OVER):
            self._end_stream()
            agent.enter(AgentState.CONNECTED, "cleared")

    # ------------------------------------------------------------------ steps

    def _ready(self, state: AgentState) -> None:
        agent = self._agent
        if agent.state != state:
            raise RefusedError(f"this needs state {state}, the agent is in {agent.state}")
        self._check_stop()
        if agent.config.require_deadman:  # it connects to the robot by itself, and may be later than the agent
            self._wait(lambda: agent.deadman.age_s() <= agent.config.deadman_timeout_s, DEADMAN_S)
        why = ready_to_move(agent.config, agent.link.view, agent.now(), agent.deadman.age_s())
        if why:
            raise RefusedError(f"the robot must not be moved: {why}")

    def _pass_gate(self, mode: BodyMode, stop_tested: bool = True) -> None:
        """Ladder and pre-flight check, of the robot that answers now. Raises RefusedError."""
        agent = self._agent
        if agent.shadow and (agent.state != AgentState.CONNECTED or not stop_tested):
            raise RefusedError("this session is a shadow: nothing is sent; set it up with hang 'gantry' to move")
        self._wait(lambda: agent.gate.seen, WATCHED_S)
        info = agent.link.info()
        if not info:
            raise RefusedError("the robot does not answer who it is: restart its service, or the robot")
        if info != agent.info:
            was = agent.gate.robot.title
            agent.meet(info)
            raise RefusedError(f"another robot answers now: {agent.gate.robot.title}, it was {was}; look, then start")
        agent.gate.check(mode, stop_tested)

    def _open_record(self, mode: BodyMode) -> None:
        """Nothing moves that leaves no trace. Raises RefusedError when the evidence cannot be written."""
        agent = self._agent
        gate, confirmed = agent.gate, agent.gate.confirmed
        session = Session(
            rung_of(agent.config.hang, mode), gate.robot, gate.subject,
            confirmed.get("gantry", Confirmed()), confirmed.get("remote", Confirmed()),
        )  # fmt: skip
        try:
            agent.usage.begin(session)
        except OSError as error:
            raise RefusedError(
                f"the evidence of this session cannot be written ({error}): free space for {gate.store.path}"
            ) from None

    def _come_to_rest(self) -> None:
        """Holding joints where they were a moment ago would jerk a robot that moves. Raises RefusedError."""
        low = lambda: self._agent.link.view.low  # noqa: E731
        still = self._wait(lambda: _furthest(low().dq)[0] < STILL_RAD_S, REST_S)
        self._check_stop()
        speed, joint = _furthest(low().dq)
        self._require(
            still, f"the robot does not come to rest: {joint} moves at {speed:.1f} rad/s; steady it, try again"
        )

    def _carrying(self, kp: np.ndarray) -> np.ndarray:
        """Targets at the measured joints, off by what makes the springs carry the present load."""
        low = self._agent.link.view.low
        offset = np.divide(low.tau, kp, out=np.zeros(NUM_JOINTS), where=kp > 0)
        return low.q + np.clip(offset, -MAX_OFFSET_RAD, MAX_OFFSET_RAD)

    def _change_mode(self, mode: Mode, leaving: bool = False) -> None:
        agent = self._agent
        if leaving:  # the watchdog of the state that is left would take the new mode for a take-over
            agent.enter(AgentState.CONNECTED, "leaving whole-body mode")
        asked_s = agent.now()
        self._call(Api.CHANGE_MODE, {"mode": int(mode)}, f"mode {mode.name.lower()}")
        view = agent.link.view
        confirmed = self._wait(lambda: self._mode_is(mode) and view.mode_s > asked_s, CONFIRM_S)
        self._check_stop()
        self._require(confirmed, f"the robot did not go to {mode.name.lower()} within {CONFIRM_S} s")

    def _call(self, api: Api, body: dict, what: str) -> None:
        """A timeout does not say whether the robot obeyed: whether it did is for the robot's own word to tell."""
        code = self._agent.link.call(api, body)
        self._check_stop()
        if code not in (Code.OK, Code.TIMEOUT):
            raise RefusedError(f"the robot refused {what}: code {int(code)} ({code.name.lower()})")
        if code == Code.TIMEOUT and api != Api.CHANGE_MODE:
            raise RefusedError(f"the robot did not answer {what}")

    def _give_arms_back(self) -> None:
        agent = self._agent
        agent.link.call(Api.MOVE, {"vx": 0.0, "vy": 0.0, "vyaw": 0.0})
        agent.link.call(Api.UPPER_BODY_CUSTOM_CONTROL, {"start": False})
        self._end_stream()

    def _end_stream(self) -> None:
        """A frame without stiffness is the last: a robot that joins late would be given it again."""
        agent = self._agent
        if agent.stream.phase == "off" or (agent.stop.level == StopLevel.HARD and not agent.stop.record.confirmed_s):
            return  # a stop that waits for the robot needs its frames
        agent.stream.damp(np.zeros(NUM_JOINTS, dtype=bool))
        self._wait(lambda: False, 0.02)
        agent.stream.off()

    def _abandon(self, reason: str) -> None:
        """Something went wrong on the way into whole-body mode."""
        agent = self._agent
        if self._mode_is(Mode.PREPARE) and agent.stop.level == StopLevel.NONE:
            self._end_stream()
            agent.enter(AgentState.PREPARE, reason)
        else:
            agent.stop.request(StopLevel.HARD, reason)

    def _mode_is(self, mode: Mode) -> bool:
        return self._agent.link.view.mode == mode

    def _pause(self, seconds: float) -> None:
        self._wait(lambda: self._agent.stop.level != StopLevel.NONE, seconds)
        self._check_stop()

    def _check_stop(self) -> None:
        if self._agent.stop.level != StopLevel.NONE:
            raise RefusedError(f"stopped: {self._agent.stop.record.words}; clear the stop first")

    @staticmethod
    def _require(condition: bool, message: str) -> None:
        if not condition:
            raise RefusedError(message)


def _furthest(values: np.ndarray) -> tuple[float, str]:
    """Largest magnitude of one value a joint, and that joint."""
    i = int(np.abs(values).argmax())
    return float(abs(values[i])), JOINT_NAMES[i]
