"""The real T1 (or `refine-dp t1-sim`) behind the border: 50 Hz targets to the hardware agent, its measurements back.

Nothing moves before `engage`. What the robot does not measure is estimated or assumed, see `read_state`.
"""

import contextlib
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from core.backends.base import BackendDescription, InitialState, Physics, StepReport, Trouble
from core.backends.initial import default_initial_state
from core.clock import Rate
from core.control.stop import StopLevel
from core.mocap.check import check_mocap
from core.mocap.receiver import MocapReceiver
from core.mocap.settings import TRUNK
from core.rigid import quat_from_rpy, quat_from_yaw, quat_mul, quat_rotate, yaw_of
from core.robot.agent.config import AgentConfig
from core.robot.agent.process import DEADMAN_BEATS
from core.robot.client import AgentClient, AgentError, AgentGoneError
from core.robot.guard import RobotGuard
from core.robot.heartbeats import BeatSocket
from core.robot.ladder_evidence import BodyMode
from core.robot.launch import RobotProcesses
from core.robot.leg_odometry import LegOdometry
from core.robot.realtime import ask_for_realtime
from core.robot.sight import Sight
from core.robot.status import RobotStatus, status_of
from core.robot.wire import FRAME_PERIOD_S
from core.t1.model import GRIPPER_MAX_OPENING_M, JOINT_NAMES, TOTAL_MASS_KG
from core.tasks.scene import Scene
from core.types import CONTROL_PERIOD_S, BodyState, JointTarget, WorldState

CONNECT_S = 20.0
ENGAGE_S = 40.0
GRIPPER_SPEED_M_S = 0.15
"""Openings are not measured: they are assumed to follow the commands at this speed."""
MAX_PERIOD_S = 0.06
"""Leg odometry does not bridge longer gaps, such as a take-over: the robot is then taken to have stood."""
WINDOW_BEATS = "window.beat"


class T1Backend:
    """One robot. Implements `core.backends.base.LiveBackend`."""

    def __init__(
        self,
        scene: Scene,
        agent: AgentConfig,
        rung: BodyMode = "upper_body",
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        mocap: MocapReceiver | None = None,
    ) -> None:
        """Start the agent and the dead-man and wait for the robot. Raises ConnectionError saying what is missing.

        mocap: tells where trunk and objects are (and is closed with this backend); without it that is assumed.
        """
        ask_for_realtime()  # late targets stop the robot
        self.rate = Rate(CONTROL_PERIOD_S, now, sleep)
        self.rung: str = "shadow" if agent.hang == "shadow" else rung
        "state of the agent in which targets are taken"
        self.engaged = False
        self._scene, self._now = scene, now
        bodies = (TRUNK, *(item.name for item in scene.free_objects))
        self.mocap_check = (lambda: check_mocap(mocap, bodies)) if mocap is not None else None
        "whether motion capture is good enough to move by, None without it"
        self.sight = Sight(mocap, [item.name for item in scene.free_objects], now, sleep) if mocap is not None else None
        self._processes: RobotProcesses | None = None
        try:
            self._processes = RobotProcesses(agent)
            self._processes.wait_for("connected", timeout_s=CONNECT_S)
            self._urgent = self._processes.new_client()
            self.guard = RobotGuard(self._processes.new_client(), rung, agent.hang != "shadow")
            "ladder and pre-flight check"
        except (RuntimeError, TimeoutError) as error:
            self.close()
            raise ConnectionError(f"no session with the robot: {error}") from None
        self._client: AgentClient = self._processes.client
        self._beats = BeatSocket(self._processes.folder / WINDOW_BEATS, self._processes.key)
        self._deadman: Path = self._processes.folder / DEADMAN_BEATS
        self._window_seen = False
        self._odometry = LegOdometry()
        self._report: dict[str, Any] = self._client.ask("state")
        self._gripper = torch.full((1, 2), GRIPPER_MAX_OPENING_M)
        self._initial = default_initial_state(scene, 1)
        self._objects: dict[str, BodyState] = self._initial.objects
        self._note: dict[str, Any] | None = None
        self._yaw_offset = 0.0
        self._since_s = 0.0
        self._last_s = float(self._report["taken_s"])
        self._anchor()

    def describe(self) -> BackendDescription:
        """What is recorded with every episode."""
        info = self._report["info"]
        return BackendDescription(
            name="booster",
            version=info.get("version", ""),
            num_worlds=1,
            control_period_s=CONTROL_PERIOD_S,
            physics_timestep_s=FRAME_PERIOD_S,
            joint_names=JOINT_NAMES,
            scene=self._scene,
            simulated=False,
            settings={
                "serial_number": info.get("serial_number", ""),
                "rung": self.rung,
                "motion_capture": str(self.sight.receiver.settings) if self.sight is not None else "",
            },
        )

    # ------------------------------------------------------------------ the border

    def reset(self, worlds: Tensor, initial: InitialState, physics: Physics | None = None) -> None:
        """Time begins anew. Nothing moves: a robot and its objects are put somewhere by people.

        Motion capture tells where. Without it the robot's place now is called the initial base pose, and objects are
        assumed to stay where the initial state says.
        """
        if len(worlds) == 0:
            return
        self._initial = initial.clone()
        self._objects = {name: body.clone() for name, body in initial.objects.items()}
        if self.sight is not None:
            self.sight.look_anew()
        self._anchor()

    def step(self, target: JointTarget) -> StepReport:
        """Send the targets, wait for the end of the control period, take the newest measurements."""
        if self.engaged:
            velocity = target.base_velocity[0].tolist() if target.base_velocity is not None else [0.0, 0.0, 0.0]
            self._ask(
                "step",
                position=target.position[0].tolist(),
                gripper=target.gripper_opening[0].tolist(),
                velocity=velocity,
                damping=bool(target.damping[0]),
                note=self._note,
            )
            self._note = None
            if self.rung == "shadow":
                target = replace(target, gripper_opening=self._gripper)  # nothing was sent: they do not move
            reach = GRIPPER_SPEED_M_S * CONTROL_PERIOD_S
            self._gripper = self._gripper + (target.gripper_opening - self._gripper).clamp(-reach, reach)
        self.rate.wait()
        self._report = self._ask("state")
        if self._report["state"] != self.rung:
            self.engaged = False
        self._stop_when_blind()
        return StepReport(torch.zeros(1, dtype=torch.bool))

    def read_state(self) -> WorldState:
        """Time: the robot's own ticks. Joints, torques, gyroscope: measured. Base: IMU and leg odometry, corrected by
        motion capture where there is one. Objects: by motion capture, else assumed. Grippers: assumed.

        Contact forces are not measured: the feet get the robot's weight by which sole is lower, the hands nothing.
        """
        report = self._report
        q, dq, tau, gyro, rpy = (_row(report[name]) for name in ("q", "dq", "tau", "gyro", "rpy"))
        imu = quat_from_rpy(rpy)
        quat = self._upright(imu)
        taken_s = float(report["taken_s"])
        period_s, self._last_s = min(taken_s - self._last_s, MAX_PERIOD_S), taken_s
        base, frames = self._odometry.update(q, dq, quat, gyro, period_s)
        if self.sight is not None:
            base, quat = self.sight.base(taken_s, base, imu), self.sight.upright(imu)
            self._objects |= self.sight.bodies(self._now())
        pairs = quat[:, None].expand(-1, 2, -1)
        force = torch.zeros(1, 2, 3)
        force[..., 2] = 9.81 * TOTAL_MASS_KG * base.stance
        return WorldState(
            time_s=torch.tensor([taken_s - self._since_s], dtype=torch.float32),
            base_pos_w=base.pos_w,
            base_quat_w=quat,
            base_lin_vel_b=base.lin_vel_b,
            base_ang_vel_b=gyro,
            joint_pos=q,
            joint_vel=dq,
            joint_torque=tau,
            gripper_opening=self._gripper.clone(),
            hand_pos_w=base.pos_w[:, None] + quat_rotate(pairs, frames.hand_pos),
            hand_quat_w=quat_mul(pairs, frames.hand_quat),
            foot_pos_w=base.pos_w[:, None] + quat_rotate(pairs, frames.foot_pos),
            foot_quat_w=quat_mul(pairs, frames.foot_quat),
            foot_force_w=force,
            hand_force_w=torch.zeros(1, 2, 3),
            objects={name: body.clone() for name, body in self._objects.items()},
        )

    def set_state(self, worlds: Tensor, state: InitialState) -> None:
        """Raises RuntimeError: a robot cannot be put into a state."""
        raise RuntimeError("the real robot cannot be put into a state; only simulators can")

    def close(self) -> None:
        """Give the robot back to its firmware and end the processes. Safe to call twice."""
        if self.sight is not None:
            self.sight.close()
        processes, self._processes = self._processes, None
        if processes is None:
            return
        if hasattr(self, "_beats"):
            self._beats.send(self._deadman, who="window", bye=True)
            self._beats.close()
            self._urgent.close()
            self.guard.close()
        processes.close()

    # ------------------------------------------------------------------ a person's wishes

    def take_over(self, tell: Callable[[str], None] = lambda _: None) -> None:
        """Stand up and take the robot over by the chosen rung. Raises RuntimeError with the reason against it."""
        self._look()
        try:
            self.guard.check()  # before the robot stands up
            if self.rung == "shadow":
                self._client.ask("shadow", mode=self.guard.mode)
                self._wait_for("shadow")
                return
            if self._client.ask("state", sensors=False)["state"] == "connected":
                self._client.ask("prepare")
                self._wait_for("prepare", tell=tell)
            if self._client.ask("state", sensors=False)["state"] != self.rung:
                self._client.ask(self.rung)
                self._wait_for(self.rung, tell=tell)
        except (AgentError, AgentGoneError, TimeoutError) as error:
            raise RuntimeError(f"the robot was not taken over: {error}") from None
        self._look()  # it was lifted and swung on the way

    def engage(self) -> None:
        """Targets reach the joints from now on. Raises RuntimeError when the robot is not taken over."""
        self._report = self._ask("state")
        if self._report["state"] != self.rung:
            detail = self._report["stop_words"] or self._report["detail"]
            raise RuntimeError(f"the robot was not taken over: it is {self._report['state']} ({detail})")
        self._anchor()  # it was lifted and swung on the way
        self.engaged = True
        self.rate.restart()

    def disengage(self) -> None:
        """Give the robot back to its firmware: it stands."""
        self.engaged = False
        with contextlib.suppress(AgentError, AgentGoneError, TimeoutError):
            if self._client.ask("state", sensors=False)["state"] in ("upper_body", "custom", "shadow"):
                self._client.ask("leave")
                self._wait_for("connected", "prepare")

    def request_stop(self, level: StopLevel, pressed_s: float | None = None) -> None:
        """At once, from any thread, past the loop."""
        if level == StopLevel.NONE or self._processes is None:
            return
        with contextlib.suppress(AgentError, AgentGoneError):
            self._urgent.stop("hard" if level == StopLevel.HARD else "soft", "asked by the session", pressed_s)

    def clear_stop(self) -> str:
        """Release the agent's latch: why it cannot be, '' when it was."""
        if self.sight is not None and self.sight.judge().level != "ok" and (blind := self.sight.refind()):
            return blind
        try:
            self._urgent.ask("clear")
            words = self._urgent.ask("state", sensors=False)
            return words["stop_words"] if words["stop"] else ""
        except (AgentError, AgentGoneError) as error:
            return str(error)

    def note(self, hand_error_m: float | None, interventions: int = 0, breach: str = "") -> None:
        """What the loop measured, for the evidence; travels with the next targets."""
        before = self._note or {"interventions": 0, "breach": ""}
        self._note = {
            "hand_error_m": hand_error_m,
            "interventions": before["interventions"] + interventions,
            "breach": before["breach"] or breach,
        }

    def beat(self, owner_age_s: float) -> None:
        """The window lives, and was last busy this long ago."""
        if self._processes is not None:
            self._beats.send(self._deadman, who="window", owner_age_s=owner_age_s)

    def trouble(self) -> Trouble | None:
        """What the agent decided by itself, None while all is well."""
        report = self._report
        if report["testing"]:
            return None
        state, level = report["state"], StopLevel(report["stop"])
        if state == "taken_over":
            return Trouble(StopLevel.SOFT, report["detail"], lost=True)
        if level != StopLevel.NONE:
            return Trouble(level, report["stop_words"], lost=level == StopLevel.HARD)
        return None

    def hold_reason(self) -> str:
        """Why nothing must move just now: a body that motion capture lost."""
        return self.sight.judge().reason if self.sight is not None else ""

    def refresh(self) -> None:
        """Measure without moving."""
        self._report = self._ask("state")
        if self._report["state"] != self.rung:
            self.engaged = False

    def status(self) -> RobotStatus:
        """See `LiveBackend`."""
        return replace(status_of(self._report), mocap=self.sight.words() if self.sight is not None else "")

    # ------------------------------------------------------------------ details

    def _anchor(self) -> None:
        """Time and place begin here."""
        self._since_s = float(self._report["taken_s"])
        measured = quat_from_rpy(_row(self._report["rpy"]))
        self._yaw_offset = float(yaw_of(self._initial.base_quat_w) - yaw_of(measured))
        if self.sight is not None:
            self.sight.begin(measured)
        self._odometry.reset(self._initial.base_pos_w[:, :2])

    def _upright(self, imu: Tensor) -> Tensor:
        """Rotation of the base (1, 4): roll and pitch of the IMU, heading as it is known."""
        if self.sight is not None:
            return self.sight.upright(imu)
        return quat_mul(quat_from_yaw(torch.tensor([self._yaw_offset])), imu)

    def _look(self) -> None:
        """Find every body anew. Raises RuntimeError when one is not to be trusted."""
        if self.sight is not None and (blind := self.sight.refind()):
            raise RuntimeError(f"the robot was not taken over: {blind}")

    def _stop_when_blind(self) -> None:
        """A body that stays lost stops the motion: the loop has been holding since it was lost."""
        if self.sight is None or not self.engaged or self._report["stop"] != StopLevel.NONE:
            return
        verdict = self.sight.judge()
        if verdict.level == "stop":
            with contextlib.suppress(AgentError, AgentGoneError):
                self._urgent.stop("soft", verdict.reason)

    def _wait_for(self, *states: str, tell: Callable[[str], None] = lambda _: None) -> None:
        if self._processes is None:
            raise RuntimeError("the session with the robot was closed")
        self._processes.wait_for(*states, timeout_s=ENGAGE_S, tell=tell)

    def _ask(self, do: str, **values: Any) -> dict[str, Any]:
        if self._processes is None:
            raise RuntimeError("this backend is closed: make a new one")
        return self._client.ask(do, timeout_s=1.0, **values)


def _row(values: list[float]) -> Tensor:
    return torch.tensor([values], dtype=torch.float32)
