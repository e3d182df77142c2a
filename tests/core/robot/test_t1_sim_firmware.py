"""The simulated robot's mode machine, calls and body, without network or clock."""

import numpy as np
import pytest

from core.robot.gains import PREPARE_POSE
from core.robot.sim.body import Body, Drive
from core.robot.sim.faults import Faults
from core.robot.sim.firmware import Firmware, FirmwareConfig
from core.robot.sim.inspector import Inspector
from core.robot.sim.no_gait import NoGait
from core.robot.sim.service import Service
from core.robot.wire import Api, Code, Mode, Request
from core.t1.model import ARMS, KD, KP, LEGS, NUM_JOINTS
from core.tasks.scene import Scene

Q = np.zeros(NUM_JOINTS)


def firmware(**config: float) -> Firmware:
    return Firmware(NoGait(), FirmwareConfig(**config))


def in_custom() -> Firmware:
    robot = firmware()
    robot.request_mode(Mode.PREPARE, 0.0, Q)
    assert robot.request_mode(Mode.CUSTOM, 5.0, Q) == Code.OK
    return robot


@pytest.mark.parametrize("mode", [Mode.WALKING, Mode.CUSTOM])
def test_that_nothing_moves_a_damped_robot_before_it_stood_up(mode: Mode) -> None:
    robot = firmware(stand_up_s=2.0)

    from_damping = robot.request_mode(mode, 0.0, Q)
    robot.request_mode(Mode.PREPARE, 0.0, Q)
    too_early = robot.request_mode(mode, 1.9, Q)

    assert from_damping == too_early == Code.TRANSITION_FAILED
    assert robot.request_mode(mode, 2.1, Q) == Code.OK


def test_that_damping_is_always_granted_and_leaves_no_stiffness() -> None:
    robot = in_custom()
    robot.take_command(Drive(kp=KP.copy(), kd=KD.copy()), 5.0)

    assert robot.request_mode(Mode.DAMPING, 6.0, Q) == Code.OK

    drive = robot.drive(6.0, None)
    assert drive.limp
    assert (drive.kd > 0).all()


def test_that_the_last_command_is_held_for_ever_by_default() -> None:
    robot = in_custom()
    command = Drive(q=PREPARE_POSE.copy(), kp=KP.copy(), kd=KD.copy())
    robot.take_command(command, 5.1)

    assert robot.drive(3600.0, None) is command


def test_that_a_firmware_with_a_watchdog_damps_when_frames_stop() -> None:
    robot = Firmware(NoGait(), FirmwareConfig(hold_last_command_s=0.1))
    robot.request_mode(Mode.PREPARE, 0.0, Q)
    robot.request_mode(Mode.CUSTOM, 5.0, Q)
    robot.take_command(Drive(kp=KP.copy()), 5.1)

    assert not robot.drive(5.15, None).limp
    assert robot.drive(5.25, None).limp


def test_that_frames_sent_while_walking_reach_the_arms_only_with_upper_body_control() -> None:
    body = Body(Scene("empty"))
    robot = firmware(stand_up_s=0.0)
    robot.request_mode(Mode.PREPARE, 0.0, body.q)
    robot.request_mode(Mode.WALKING, 1.0, body.q)
    robot.take_command(Drive(q=np.full(NUM_JOINTS, 0.3), kp=np.full(NUM_JOINTS, 11.0)), 1.0)

    before = robot.drive(3.0, body.world_state())
    assert robot.set_upper_body(True, 3.0) == Code.OK
    after = robot.drive(3.002, body.world_state())

    assert (before.kp[ARMS] != 11.0).all()
    assert (after.kp[ARMS] == 11.0).all()
    assert (after.kp[LEGS] == KP[LEGS]).all()


def test_that_a_damped_robot_sinks_and_its_harness_catches_it() -> None:
    body = Body(Scene("empty"))
    body.hoisted = False
    standing = body.pos[2]

    for _ in range(1500):
        body.step(Drive(kd=KD.copy()), np.zeros(2))

    assert 0.05 < standing - body.pos[2] < 0.2
    assert abs(body.quat[0]) > 0.95


def test_that_damping_lets_a_robot_fall_without_a_harness() -> None:
    body = Body(Scene("empty"), gantry=False)

    for _ in range(1500):
        body.step(Drive(kd=KD.copy()), np.zeros(2))

    assert body.pos[2] < 0.45


def test_that_prepare_makes_the_robot_stand_by_itself() -> None:
    body, robot = Body(Scene("empty")), firmware(stand_up_s=1.0)
    robot.request_mode(Mode.PREPARE, 0.0, body.q)

    for frame in range(1500):
        body.hoisted = frame < 500
        body.step(robot.drive(frame * 0.002, None), np.zeros(2))

    assert body.pos[2] == pytest.approx(0.685, abs=0.01)
    np.testing.assert_allclose(body.q[LEGS], PREPARE_POSE[LEGS], atol=0.05)


def call(service: Service, api: int, body: dict, now_s: float = 10.0) -> Code:
    return service.answer(Request("id", api, 0, body), now_s, Q)[0]


def test_that_the_service_answers_what_it_knows_and_refuses_the_rest() -> None:
    robot = firmware(stand_up_s=0.0)
    service = Service(robot, Inspector(), lambda: False)

    codes = {
        "prepare": call(service, Api.CHANGE_MODE, {"mode": 1}),
        "move in prepare": call(service, Api.MOVE, {"vx": 0.1, "vy": 0.0, "vyaw": 0.0}),
        "no mode": call(service, Api.CHANGE_MODE, {}),
        "mode 17": call(service, Api.CHANGE_MODE, {"mode": 17}),
        "dance": call(service, 2016, {}),
    }

    assert codes == {
        "prepare": Code.OK,
        "move in prepare": Code.CONFLICT,
        "no mode": Code.BAD_REQUEST,
        "mode 17": Code.BAD_REQUEST,
        "dance": Code.REFUSED,
    }
    assert service.answer(Request("id", Api.GET_MODE, 0, {}), 10.0, Q) == (Code.OK, {"mode": 1})


def test_that_grippers_refuse_commands_that_come_too_fast() -> None:
    inspector = Inspector()
    service = Service(firmware(), inspector, lambda: False)
    body = {"hand_index": 0, "mode": 0, "motion_param": {"position": 500, "force": 200, "speed": 500}}

    codes = [call(service, Api.CONTROL_GRIPPER, body, now_s) for now_s in (10.0, 10.01, 10.06)]

    assert codes == [Code.OK, Code.TOO_FREQUENT, Code.OK]
    assert inspector.counts == {"gripper_rate": 1}


def test_that_refused_transitions_leave_damping_open() -> None:
    service = Service(firmware(), Inspector(), lambda: True)

    assert call(service, Api.CHANGE_MODE, {"mode": 1}) == Code.TRANSITION_FAILED
    assert call(service, Api.CHANGE_MODE, {"mode": 0}) == Code.OK


def test_that_an_unknown_fault_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="known: silent, cut, slow"):
        Faults().set("flood", "1")
