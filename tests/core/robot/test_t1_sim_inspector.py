"""Every breach of the protocol is found, and correct traffic has none."""

from collections.abc import Callable

import numpy as np
import pytest

from core.robot import wire
from core.robot.gains import PREPARE_KD, PREPARE_KP
from core.robot.sim.body import Drive
from core.robot.sim.firmware import Firmware, FirmwareConfig
from core.robot.sim.inspector import Inspector
from core.robot.sim.no_gait import NoGait
from core.robot.wire import MOTOR_COMMAND, CommandType, LowCommand, Mode, Sample
from core.t1.model import ARMS, NUM_JOINTS, VELOCITY_LIMIT

Q = np.zeros(NUM_JOINTS)


class Wire:
    """A client's frames, 2 ms apart, to a robot in a mode."""

    def __init__(self, mode: Mode) -> None:
        self.inspector = Inspector()
        self.firmware = Firmware(NoGait(), FirmwareConfig(stand_up_s=0.0))
        self.firmware.enter(mode, 0.0, Q)
        self.now_s = 10.0

    def send(self, q: np.ndarray = Q, kind: int = CommandType.SERIAL, later_s: float = 0.002, **fields: object) -> bool:
        self.now_s += later_s
        motors = np.zeros(len(q), MOTOR_COMMAND)
        motors["q"], motors["kp"][:NUM_JOINTS], motors["kd"] = q, PREPARE_KP[: len(q)], PREPARE_KD[: len(q)]
        for name, value in fields.items():
            motors[name] = value
        sample = Sample(b"", round(self.now_s * 1e9), 1)
        return self.inspector.check(LowCommand(kind, motors), sample, self.firmware, Q, self.now_s)

    @property
    def found(self) -> set[str]:
        return set(self.inspector.counts)


def test_that_a_smooth_motion_is_no_breach() -> None:
    wire_ = Wire(Mode.CUSTOM)

    for frame in range(100):
        assert wire_.send(q=np.full(NUM_JOINTS, 0.001) * frame)

    assert wire_.found == set()


def arms_only() -> np.ndarray:
    gains = np.zeros(NUM_JOINTS)
    gains[ARMS] = 30.0
    return gains


BREACHES: dict[str, tuple[Mode, Callable[[Wire], object]]] = {
    "joint_count": (Mode.CUSTOM, lambda w: w.send(q=np.zeros(23))),
    "not_finite": (Mode.CUSTOM, lambda w: w.send(q=np.full(NUM_JOINTS, np.nan))),
    "command_type": (Mode.CUSTOM, lambda w: w.send(kind=CommandType.PARALLEL)),
    "jump": (Mode.CUSTOM, lambda w: w.send(q=np.full(NUM_JOINTS, 0.2))),
    "step": (Mode.CUSTOM, lambda w: (w.send(), w.send(q=VELOCITY_LIMIT * 0.002 * 1.6))),
    "position": (Mode.CUSTOM, lambda w: [w.send(q=np.full(NUM_JOINTS, 0.03) * i) for i in range(60)]),
    "torque": (Mode.CUSTOM, lambda w: w.send(tau=200.0)),
    "order": (Mode.CUSTOM, lambda w: (w.send(), w.send(later_s=-0.004))),
    "legs_while_walking": (Mode.WALKING, lambda w: w.send()),
    "arms_not_ours": (Mode.WALKING, lambda w: w.send(kp=arms_only(), kd=arms_only() * 0.1)),
    "gains_in_damping": (Mode.DAMPING, lambda w: w.send()),
}


@pytest.mark.parametrize("kind", BREACHES)
def test_that_each_breach_is_found(kind: str) -> None:
    mode, act = BREACHES[kind]
    wire_ = Wire(mode)

    act(wire_)

    assert kind in wire_.found


def test_that_frames_with_wrong_joints_or_nan_never_reach_the_motors() -> None:
    wire_ = Wire(Mode.CUSTOM)

    assert not wire_.send(q=np.zeros(23))
    assert not wire_.send(q=np.full(NUM_JOINTS, np.inf))


def test_that_damping_frames_are_welcome_in_every_mode() -> None:
    for mode in (Mode.DAMPING, Mode.PREPARE, Mode.CUSTOM):
        wire_ = Wire(mode)
        assert wire_.send(kp=0.0, q=np.full(NUM_JOINTS, 1.0))
        assert wire_.found == set()


def test_that_two_programs_that_send_gains_at_once_are_found() -> None:
    wire_ = Wire(Mode.CUSTOM)
    wire_.send()
    motors = np.zeros(NUM_JOINTS, MOTOR_COMMAND)
    motors["kp"] = 1.0
    other = Sample(b"", round(wire_.now_s * 1e9) + 1, 2)

    wire_.inspector.check(LowCommand(CommandType.SERIAL, motors), other, wire_.firmware, Q, wire_.now_s + 0.001)

    assert wire_.found == {"two_writers"}


def test_that_custom_mode_without_frames_is_found() -> None:
    wire_ = Wire(Mode.PREPARE)
    wire_.inspector.check_custom(wire_.firmware, Q, 10.0)
    assert wire_.found == {"custom_without_frames"}


def test_that_custom_mode_far_from_the_joints_is_found() -> None:
    wire_ = Wire(Mode.PREPARE)
    wire_.firmware.take_command(Drive(q=np.full(NUM_JOINTS, 1.0)), 10.0)
    wire_.inspector.check_custom(wire_.firmware, Q, 10.0)
    assert wire_.found == {"custom_jump"}


def test_that_low_commands_survive_the_wire() -> None:
    motors = np.zeros(NUM_JOINTS, MOTOR_COMMAND)
    motors["q"], motors["kp"] = np.arange(NUM_JOINTS), 7.0

    back = wire.decode_low_command(wire.encode_low_command(1, motors))

    assert back.kind == 1
    np.testing.assert_array_equal(back.motors, motors)


@pytest.mark.parametrize("sample", [b"", b"\x00\x01\x00\x00", b"\x00\x01\x00\x00\x01\x00\x00\x00\x1d\x00\x00\x00abc"])
def test_that_bytes_that_are_no_command_are_refused(sample: bytes) -> None:
    with pytest.raises(ValueError, match=r"bytes"):
        wire.decode_low_command(sample)


@pytest.mark.parametrize(("header", "body"), [("", ""), ("[]", ""), ('{"api_id":"x"}', ""), ('{"api_id":1}', "{")])
def test_that_texts_that_are_no_request_are_refused(header: str, body: str) -> None:
    with pytest.raises(ValueError, match="the request's"):
        wire.decode_request("id", header, body)
