"""The real T1 (or `refine-dp t1-sim`) behind the border: 50 Hz targets to the hardware agent, its measurements back.

Nothing moves before `engage`. What the robot does not measure is estimated or assumed, see `read_state`.
"""

import time
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from core.backends.base import BackendDescription, InitialState, Physics, StepReport, Trouble
from core.backends.initial import default_initial_state
from core.clock import Rate
from core.control.stop import StopLevel
from core.mocap.receiver import MocapReceiver
from core.rigid import quat_from_rpy, quat_from_yaw, quat_mul, quat_rotate, yaw_of
from core.robot.agent.config import AgentConfig
from core.robot.ladder_evidence import BodyMode
from core.robot.leg_odometry import LegOdometry
from core.robot.realtime import ask_for_realtime
from core.robot.session import RobotSession
from core.robot.sight import Sight
from core.robot.status import RobotStatus
from core.robot.wire import FRAME_PERIOD_S
from core.t1.model import GRIPPER_MAX_OPENING_M, JOINT_NAMES, TOTAL_MASS_KG
from core.tasks.scene import Scene
from core.types import CONTROL_PERIOD_S, BodyState, JointTarget, WorldState

GRIPPER_SPEED_M_S = 0.15
"""Openings are not measured: they are assumed to follow the commands at this speed."""
MAX_PERIOD_S = 0.06
"""Leg odometry does not bridge longer gaps, such as a take-over: the robot is then taken to have stood."""


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
        self._scene, self._now = scene, now
        self.sight = Sight(mocap, [item.name for item in scene.free_objects], now, sleep) if mocap is not None else None
        self.mocap_check = self.sight.check if self.sight is not None else None
        "whether motion capture is good enough to move by, None without it"
        try:
            self.session = RobotSession(agent, rung)
        except ConnectionError:
            if self.sight is not None:
                self.sight.close()
            raise
        self.guard = self.session.guard
        "ladder and pre-flight check"
        self._odometry = LegOdometry()
        self._gripper = torch.full((1, 2), GRIPPER_MAX_OPENING_M)
        self._initial = default_initial_state(scene, 1)
        self._objects: dict[str, BodyState] = self._initial.objects
        self._yaw_offset = 0.0
        self._since_s = 0.0
        self._last_s = float(self.session.report["taken_s"])
        self._anchor()

    @property
    def engaged(self) -> bool:
        """Whether targets reach the joints."""
        return self.session.engaged

    def describe(self) -> BackendDescription:
        """What is recorded with every episode."""
        info = self.session.report["info"]
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
                "rung": self.session.rung,
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
            self.session.send(
                position=target.position[0].tolist(),
                gripper=target.gripper_opening[0].tolist(),
                velocity=velocity,
                damping=bool(target.damping[0]),
            )
            if self.session.rung == "shadow":
                target = replace(target, gripper_opening=self._gripper)  # nothing was sent: they do not move
            reach = GRIPPER_SPEED_M_S * CONTROL_PERIOD_S
            self._gripper = self._gripper + (target.gripper_opening - self._gripper).clamp(-reach, reach)
        self.rate.wait()
        self.session.measure()
        self._stop_when_blind()
        return StepReport(torch.zeros(1, dtype=torch.bool))

    def read_state(self) -> WorldState:
        """Time: the robot's own ticks. Joints, torques, gyroscope: measured. Base: IMU and leg odometry, corrected by
        motion capture where there is one. Objects: by motion capture, else assumed. Grippers: assumed.

        Contact forces are not measured: the feet get the robot's weight by which sole is lower, the hands nothing.
        """
        report = self.session.report
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
        self.session.close()

    # ------------------------------------------------------------------ a person's wishes

    def take_over(self, tell: Callable[[str], None] = lambda _: None) -> None:
        """Stand up and take the robot over by the chosen rung. Raises RuntimeError with the reason against it."""
        self._look()
        self.session.take_over(tell)
        self._look()  # it was lifted and swung on the way

    def engage(self) -> None:
        """Targets reach the joints from now on. Raises RuntimeError when the robot is not taken over."""
        self.session.engage()
        self._anchor()  # it was lifted and swung on the way
        self.rate.restart()

    def disengage(self) -> None:
        """Give the robot back to its firmware: it stands."""
        self.session.disengage()

    def request_stop(self, level: StopLevel, pressed_s: float | None = None) -> None:
        """At once, from any thread, past the loop."""
        self.session.stop(level, "asked by the session", pressed_s)

    def clear_stop(self) -> str:
        """Release the agent's latch: why it cannot be, '' when it was."""
        if self.sight is not None and self.sight.judge().level != "ok" and (blind := self.sight.refind()):
            return blind
        return self.session.clear_stop()

    def note(self, hand_error_m: float | None, interventions: int = 0, breach: str = "") -> None:
        """What the loop measured, for the evidence; travels with the next targets."""
        self.session.note(hand_error_m, interventions, breach)

    def beat(self, owner_age_s: float) -> None:
        """The window lives, and was last busy this long ago."""
        self.session.beat(owner_age_s)

    def trouble(self) -> Trouble | None:
        """What the agent decided by itself, None while all is well."""
        report = self.session.report
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
        self.session.measure()
        if self.sight is not None and not self.engaged:
            self.sight.rest()

    def status(self) -> RobotStatus:
        """See `LiveBackend`."""
        return replace(self.session.status(), mocap=self.sight.words() if self.sight is not None else "")

    # ------------------------------------------------------------------ details

    def _anchor(self) -> None:
        """Time and place begin here."""
        report = self.session.report
        self._since_s = float(report["taken_s"])
        measured = quat_from_rpy(_row(report["rpy"]))
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
        if self.sight is None or not self.engaged or self.session.report["stop"] != StopLevel.NONE:
            return
        verdict = self.sight.judge()
        if verdict.level == "stop":
            self.session.stop(StopLevel.SOFT, verdict.reason)


def _row(values: list[float]) -> Tensor:
    return torch.tensor([values], dtype=torch.float32)
