"""Watches what a client sends for breaches of the protocol; each is an event that fails tests."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from core.robot.sim.firmware import Firmware
from core.robot.wire import MOTOR_COMMAND, CommandType, LowCommand, Mode, Sample
from core.t1.model import ARMS, EFFORT_LIMIT, LEGS, LOWER_LIMIT, NUM_JOINTS, UPPER_LIMIT, VELOCITY_LIMIT

GRACE_S = 0.1
"""Frames on their way while the mode changes are no breach."""
SPEED_FACTOR = 1.5
"""A target may move this much faster than the joint's rated speed, which leaves room for jitter of the clock."""
JUMP_RAD = 0.15
"""A first frame may be this far from the measured joints."""
SILENCE_S = 0.1
"""After this long without frames the next one is a first frame."""
POSITION_MARGIN_RAD = 0.65
"""Targets of legs may lie beyond the limits by 0.6 rad (a spring needs the distance), others by rounding only."""
ARM_MARGIN_RAD = 0.01
_NOT_ARMS = np.setdiff1d(np.arange(NUM_JOINTS), ARMS)


@dataclass(frozen=True)
class Violation:
    """One breach."""

    kind: str
    text: str
    time_s: float


class Inspector:
    """Keeps the last frame of each writer. Only the first breach of a kind is told in full; the rest is counted."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.first: dict[str, Violation] = {}
        self.max_gap_s = 0.0
        "longest time between two frames of one writer in custom mode"
        self._last: dict[int, tuple[np.ndarray, float]] = {}
        "targets and time of the last stiff frame of each writer: damping frames of another one are no beginning"
        self._last_source_ns: dict[int, int] = {}
        self._holding_writer: tuple[int, float] = (0, -1e9)

    def report(self, kind: str, text: str, now_s: float) -> None:
        """Count a breach."""
        self.counts[kind] += 1
        self.first.setdefault(kind, Violation(kind, text, now_s))

    def check(self, command: LowCommand, sample: Sample, firmware: Firmware, q: np.ndarray, now_s: float) -> bool:
        """Whether the frame is one that the motors can take; breaches are reported."""
        self._check_order(sample, now_s)
        if len(command.motors) != NUM_JOINTS:
            self.report("joint_count", f"{len(command.motors)} motors, this robot has {NUM_JOINTS}", now_s)
            return False
        if not np.isfinite(_floats(command.motors)).all():
            self.report("not_finite", "NaN or infinity in a frame", now_s)
            return False
        motors = command.motors
        if not motors["kp"].any():
            self._last.pop(sample.writer, None)
            self._check_mode(motors, firmware, now_s)
            return True
        if command.kind != CommandType.SERIAL:
            self.report(
                "command_type", f"type {command.kind}; only SERIAL ({CommandType.SERIAL}) has these joints", now_s
            )
            return False
        self._check_writer(sample, now_s)
        self._check_motion(motors, q, firmware, sample.writer, now_s)
        self._check_mode(motors, firmware, now_s)
        return True

    def check_custom(self, firmware: Firmware, q: np.ndarray, now_s: float) -> None:
        """Custom mode was asked for: frames that hold the measured joints must already flow."""
        if firmware.command is None or now_s - firmware.command_s > SILENCE_S:
            self.report("custom_without_frames", "custom mode was asked for before low-level frames were sent", now_s)
        elif np.abs(firmware.command.q - q).max() > JUMP_RAD:
            far = float(np.abs(firmware.command.q - q).max())
            self.report("custom_jump", f"custom mode was asked for with a target {far:.2f} rad from the joints", now_s)

    def _check_order(self, sample: Sample, now_s: float) -> None:
        last = self._last_source_ns.get(sample.writer)
        if last is not None and sample.source_time_ns < last:
            self.report("order", "a frame came after one that was written later", now_s)
        self._last_source_ns[sample.writer] = sample.source_time_ns

    def _check_writer(self, sample: Sample, now_s: float) -> None:
        writer, seen_s = self._holding_writer
        if writer != sample.writer and now_s - seen_s < GRACE_S:
            self.report("two_writers", "two programs send gains at once", now_s)
        self._holding_writer = (sample.writer, now_s)

    def _check_motion(self, motors: np.ndarray, q: np.ndarray, firmware: Firmware, writer: int, now_s: float) -> None:
        target, held = motors["q"].astype(float), motors["kp"] > 0
        last_q, last_s = self._last.get(writer, (None, -1e9))
        gap_s = now_s - last_s
        self._last[writer] = (target, now_s)
        if firmware.mode == Mode.CUSTOM and now_s - firmware.mode_since_s > gap_s:
            self.max_gap_s = max(self.max_gap_s, gap_s)
        if last_q is None or gap_s > SILENCE_S:
            jump = np.where(held, np.abs(target - q), 0.0)
            if jump.max() > JUMP_RAD:
                self.report("jump", f"a first frame is {jump.max():.2f} rad from joint {int(jump.argmax())}", now_s)
        else:
            # frames may queue up behind a late tick: the step between two is judged by their own period at least
            step = np.where(held, np.abs(target - last_q), 0.0) / (VELOCITY_LIMIT * max(gap_s, 0.002))
            if step.max() > SPEED_FACTOR:
                joint = int(step.argmax())
                self.report("step", f"joint {joint} was asked to move at {step[joint]:.1f} times its speed", now_s)
        margin = np.full(NUM_JOINTS, ARM_MARGIN_RAD)
        margin[LEGS] = POSITION_MARGIN_RAD
        outside = np.where(held, np.maximum(LOWER_LIMIT - target, target - UPPER_LIMIT) - margin, -1.0)
        if outside.max() > 0:
            self.report("position", f"joint {int(outside.argmax())} was asked beyond its limits", now_s)
        if (np.abs(motors["tau"]) > EFFORT_LIMIT).any():
            self.report("torque", "a torque beyond the limit was asked for", now_s)

    def _check_mode(self, motors: np.ndarray, firmware: Firmware, now_s: float) -> None:
        gains = (motors["kp"] != 0) | (motors["kd"] != 0)
        if not gains.any() or now_s - firmware.mode_since_s < GRACE_S:
            return
        if firmware.mode == Mode.WALKING and gains[_NOT_ARMS].any():
            self.report("legs_while_walking", "gains on head, waist or legs while the firmware balances", now_s)
        elif firmware.mode == Mode.WALKING and self._arms_are_firmwares(firmware, now_s) and motors["kp"].any():
            self.report("arms_not_ours", "gains on arms without upper-body control", now_s)
        elif firmware.mode == Mode.DAMPING and motors["kp"].any():
            self.report("gains_in_damping", "gains while the robot is in damping", now_s)

    @staticmethod
    def _arms_are_firmwares(firmware: Firmware, now_s: float) -> bool:
        return not firmware.upper_body and now_s - firmware.upper_body_since_s > GRACE_S


def _floats(motors: np.ndarray) -> np.ndarray:
    names = [name for name in MOTOR_COMMAND.names or () if MOTOR_COMMAND[name] == np.dtype("<f4")]
    return np.stack([motors[name] for name in names])
