"""The agent's states, sequences, watchdogs and stops on an injected clock, against the simulated firmware."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from fake_link import FakeRobot, Rig

from core.control.stop import StopLevel
from core.robot.agent.grippers import Grippers
from core.robot.agent.state import AgentState, RefusedError
from core.robot.wire import Api, FallState, Mode
from core.t1.model import ARMS, DEFAULT_JOINT_POS, KP, LEGS, NUM_JOINTS


@pytest.fixture
def rig() -> Iterator[Rig]:
    made = Rig()
    yield made
    made.close()


def drive(rig: Rig, seconds: float, q: np.ndarray = DEFAULT_JOINT_POS, **more: object) -> None:
    """50 Hz targets for a while."""
    for _ in range(round(seconds / 0.02)):
        rig.send(q, **more)
        rig.run(0.02)


def test_that_the_whole_body_is_taken_over_without_a_breach(rig: Rig) -> None:
    rig.into("custom")
    drive(rig, 1.0)

    assert rig.agent.state == AgentState.CUSTOM
    assert rig.robot.firmware.mode == Mode.CUSTOM
    assert rig.breaches == {}
    np.testing.assert_allclose(rig.robot.q[LEGS], DEFAULT_JOINT_POS[LEGS], atol=1e-6)
    np.testing.assert_allclose(rig.robot.frames[-1].kp, KP)


def test_that_the_first_frame_holds_the_joints_where_they_are(rig: Rig) -> None:
    rig.sequences.prepare()
    rig.robot.q = rig.robot.q + 0.05
    rig.robot.publish()
    measured = rig.robot.q.copy()

    rig.sequences.custom()

    np.testing.assert_allclose(rig.robot.frames[0].q, measured, atol=1e-9)


def test_that_a_robot_that_swings_is_not_held_before_it_rests(rig: Rig) -> None:
    rig.sequences.prepare()
    rig.robot.low = replace(rig.robot.low, dq=np.full(NUM_JOINTS, 0.8))
    rig.robot.publish()
    with pytest.raises(RefusedError, match=r"does not come to rest: .* moves at 0\.8 rad/s; steady it"):
        rig.sequences.custom()
    assert rig.robot.firmware.mode == Mode.PREPARE
    assert not rig.robot.frames


def test_that_a_robot_that_moves_while_it_is_held_is_not_taken_over(rig: Rig) -> None:
    rig.sequences.prepare()
    began_s = rig.robot.now_s
    rig.agent.stream.begin, begin = lambda *held: (begin(*held), pull())[0], rig.agent.stream.begin

    def pull() -> None:
        rig.robot.q = rig.robot.q + 0.08

    with pytest.raises(RefusedError, match=r"the robot moved by itself: .* by 0\.08 rad"):
        rig.sequences.custom()
    assert rig.robot.now_s - began_s < 1.0
    assert rig.robot.firmware.mode == Mode.PREPARE
    assert rig.breaches == {}


def test_that_the_arms_are_taken_over_while_the_firmware_balances(rig: Rig) -> None:
    rig.into("upper_body")
    drive(rig, 0.7, velocity=(0.1, 0.0, 0.0))
    rig.agent.send_moves()

    assert rig.breaches == {}
    assert rig.robot.firmware.upper_body
    assert all(not frame.kp[LEGS].any() and not frame.kd[LEGS].any() for frame in rig.robot.frames)
    np.testing.assert_allclose(rig.robot.firmware.velocity, (0.1, 0.0, 0.0))
    np.testing.assert_allclose(rig.robot.q[ARMS], DEFAULT_JOINT_POS[ARMS], atol=1e-6)


def test_that_the_upper_body_is_given_back_to_the_firmware(rig: Rig) -> None:
    rig.into("upper_body")
    drive(rig, 0.1)

    rig.sequences.leave()
    rig.run(0.1)

    assert rig.agent.state == AgentState.CONNECTED
    assert not rig.robot.firmware.upper_body
    assert rig.robot.firmware.mode == Mode.WALKING
    assert rig.breaches == {}


def test_that_the_last_frame_has_no_stiffness(rig: Rig) -> None:
    rig.into("custom")
    drive(rig, 0.1)

    rig.sequences.leave()

    assert rig.agent.state == AgentState.PREPARE
    assert not rig.robot.frames[-1].kp.any()
    assert rig.breaches == {}


def test_that_a_refused_transition_leaves_the_robot_where_it_was(rig: Rig) -> None:
    rig.sequences.prepare()
    rig.robot.faults.refuse = True

    with pytest.raises(RefusedError, match="refused mode custom: code 502"):
        rig.sequences.custom()

    assert rig.agent.state == AgentState.PREPARE
    assert rig.agent.stream.phase == "off"


def test_that_a_call_without_an_answer_is_believed_only_from_the_robots_word(rig: Rig) -> None:
    rig.agent.gate.check = lambda *_, **__: None  # calls die after the pre-flight check, which asks by them
    rig.robot.faults.drop_rpc = 1.0

    with pytest.raises(RefusedError, match="did not go to prepare"):
        rig.sequences.prepare()

    assert rig.agent.state == AgentState.CONNECTED


def test_that_nothing_moves_without_the_dead_man(rig: Rig) -> None:
    rig.sequences.prepare()
    rig.deadman_lives = False
    rig.run(1.0)

    with pytest.raises(RefusedError, match="dead-man"):
        rig.sequences.custom()


def test_that_whole_body_is_only_entered_from_prepare(rig: Rig) -> None:
    with pytest.raises(RefusedError, match="needs state prepare"):
        rig.sequences.custom()


def fall(rig: Rig) -> None:
    rig.robot.view.fall = FallState.FALLING


def tilt(rig: Rig) -> None:
    rig.robot.low = replace(rig.robot.low, rpy=np.array([0.0, 1.1, 0.0]))


def heat(rig: Rig) -> None:
    rig.robot.low = replace(rig.robot.low, temperature_c=np.full(NUM_JOINTS, 95.0))


def break_state(rig: Rig) -> None:
    rig.robot.low = replace(rig.robot.low, dq=np.full(NUM_JOINTS, np.nan))


def fewer_joints(rig: Rig) -> None:
    rig.robot.low = replace(rig.robot.low, joints=23)


def be_silent(rig: Rig) -> None:
    rig.robot.faults.silent = True


def stop_targets(rig: Rig) -> None:
    rig.send = lambda *_, **__: None


def bad_target(rig: Rig) -> None:
    rig.send(np.full(NUM_JOINTS, np.nan))


def damping_target(rig: Rig) -> None:
    rig.send(DEFAULT_JOINT_POS, damping=True)


HARD: dict[str, Callable[[Rig], None]] = {
    "reports a fall": fall,
    "tilts by 1.10 rad": tilt,
    "has 95 °C": heat,
    "NaN or another number": break_state,
    "another number of joints": fewer_joints,
    "no state of the robot for 100 ms": be_silent,
    "no joint targets for 100 ms": stop_targets,
    "a joint target was not a number": bad_target,
    "the control loop asked for damping": damping_target,
}


@pytest.mark.parametrize("reason", HARD)
def test_that_each_danger_damps_the_whole_body(rig: Rig, reason: str) -> None:
    rig.into("custom")
    drive(rig, 0.2)

    HARD[reason](rig)
    drive(rig, 0.3)

    assert rig.agent.stop.level == StopLevel.HARD
    assert reason in rig.agent.stop.record.reason
    assert rig.agent.state == AgentState.STOPPED
    assert not rig.robot.frames[-1].kp.any()


def test_that_a_warm_motor_only_stops_the_motion(rig: Rig) -> None:
    rig.into("custom")
    drive(rig, 0.2)
    rig.robot.low = replace(rig.robot.low, temperature_c=np.full(NUM_JOINTS, 80.0))
    drive(rig, 0.2)

    assert rig.agent.stop.level == StopLevel.SOFT
    assert rig.agent.state == AgentState.CUSTOM
    assert rig.robot.frames[-1].kp.all()


def test_that_late_targets_only_hold_the_upper_body(rig: Rig) -> None:
    rig.into("upper_body")
    drive(rig, 0.7, velocity=(0.1, 0.0, 0.0))
    rig.agent.send_moves()
    rig.run(0.2)
    rig.agent.send_moves()
    held = rig.robot.q.copy()
    holding = rig.agent.finding.action

    drive(rig, 0.2, q=DEFAULT_JOINT_POS + 0.01)

    assert holding == "hold"
    np.testing.assert_array_equal(rig.robot.firmware.velocity, np.zeros(3))
    np.testing.assert_allclose(rig.robot.q[ARMS], held[ARMS] + 0.01, atol=1e-6)
    assert rig.agent.stop.level == StopLevel.NONE
    assert rig.breaches == {}


def test_that_a_take_over_by_the_remote_ends_the_stream_for_good(rig: Rig) -> None:
    rig.into("custom")
    drive(rig, 0.2)
    sent = len(rig.robot.frames)
    rig.robot.firmware.enter(Mode.PREPARE, rig.robot.now_s, rig.robot.q)
    drive(rig, 0.5)

    assert rig.agent.state == AgentState.TAKEN_OVER
    assert len(rig.robot.frames) <= sent + 2
    assert rig.agent.stop.level == StopLevel.NONE
    with pytest.raises(RefusedError, match="taken_over"):
        rig.sequences.prepare()
    rig.sequences.clear()
    assert rig.agent.state == AgentState.CONNECTED


def test_that_a_robot_that_restarts_in_damping_is_let_go(rig: Rig) -> None:
    rig.into("custom")
    drive(rig, 0.2)
    rig.robot.firmware.enter(Mode.DAMPING, rig.robot.now_s, rig.robot.q)
    drive(rig, 0.3)

    assert rig.agent.state == AgentState.TAKEN_OVER


def test_that_a_hard_stop_damps_by_frames_when_calls_are_dead(rig: Rig) -> None:
    rig.into("custom")
    drive(rig, 0.2)
    rig.robot.faults.drop_rpc = 1.0
    rig.agent.stop.request(StopLevel.HARD, "test")
    rig.tick()

    assert rig.robot.firmware.mode == Mode.CUSTOM
    assert rig.robot.firmware.drive(rig.robot.now_s, None).limp


def test_that_a_stop_wins_over_a_running_sequence(rig: Rig) -> None:
    rig.sequences.prepare()
    usual = rig.wait

    def press_soon(condition: Callable[[], bool], seconds: float) -> bool:
        if rig.agent.stream.phase == "off":  # still looking whether the robot rests
            return usual(condition, seconds)
        rig.agent.stop.request(StopLevel.HARD, "pressed")
        return usual(condition, seconds)

    rig.sequences._wait = press_soon
    with pytest.raises(RefusedError, match="pressed"):
        rig.sequences.custom()
    rig.run(0.05)

    assert rig.agent.state == AgentState.STOPPED
    assert not rig.robot.frames[-1].kp.any()


def test_that_a_soft_stop_halts_the_walk_and_holds_the_arms(rig: Rig) -> None:
    rig.into("upper_body")
    drive(rig, 0.3, velocity=(0.1, 0.0, 0.0))
    rig.agent.send_moves()
    held = rig.robot.q.copy()
    rig.agent.stop.request(StopLevel.SOFT, "test")

    drive(rig, 0.3, q=DEFAULT_JOINT_POS + 0.3, velocity=(0.2, 0.0, 0.0))
    rig.agent.send_moves()

    np.testing.assert_array_equal(rig.robot.firmware.velocity, np.zeros(3))
    np.testing.assert_allclose(rig.robot.q, held, atol=1e-6)
    assert rig.robot.firmware.mode == Mode.WALKING


def test_that_a_target_of_another_size_is_refused(rig: Rig) -> None:
    with pytest.raises(RefusedError, match="29 joints"):
        rig.send(np.zeros(23))


def test_that_grippers_are_asked_on_change_and_at_ten_hertz() -> None:
    robot = FakeRobot()
    grippers = Grippers(robot, robot.now, start=False)

    for _ in range(100):  # 1 s of a closing hand
        grippers.wish(np.array([0.077 - 0.077 * (robot.now_s - 100.0), 0.05]))
        grippers.send_due()
        robot.now_s += 0.01

    hands = [body["hand_index"] for api, body in robot.calls if api == Api.CONTROL_GRIPPER]
    assert hands.count(1) == 1
    assert 9 <= hands.count(0) <= 11
    assert robot.inspector.counts == {}
