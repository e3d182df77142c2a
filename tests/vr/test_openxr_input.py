"""The input process against Monado: poses to the last digit, every button, and every way of losing the runtime."""

import math
import os
import signal
import time
from dataclasses import replace

import pytest
from input_probe import PATIENCE_S, Input, wait_until
from monado import Controller, Monado, RemoteOperator

from core.teleop.poses import Pose, angle_between, distance
from core.teleop.samples import ZERO
from core.teleop.xr_input import Patience
from core.teleop.xr_joints import JOINT_NAMES
from core.teleop.xr_link import Pulse
from core.teleop.xr_sample import NO_BUTTON, Button, Flag


def trajectory(k: int) -> tuple[Pose, Pose, Pose]:
    """Head, left and right hand of step k: they move and turn about every axis."""
    t = 0.01 * k
    s, c = math.sin(t), math.cos(t)
    quat = (c / math.sqrt(2), s / math.sqrt(2), c / math.sqrt(2), -s / math.sqrt(2))
    head = Pose((0.05 * s, 0.04 * c, 1.6 + 0.02 * s), (math.cos(t / 2), 0.0, 0.0, math.sin(t / 2)))
    return (
        head,
        Pose((0.4 + 0.1 * s, 0.2 + 0.1 * c, 1.2 - 0.1 * s), quat),
        Pose((0.4 - 0.1 * c, -0.2, 1.1 + 0.1 * s), quat),
    )


def test_that_a_trajectory_is_read_back_exactly(xr_input: Input, operator: RemoteOperator, record_property):
    """Each packet carries its number; every sample is compared with the packet that it shows."""
    sent, sent_s = [trajectory(0)], [0.0]
    first = len(xr_input.samples)

    def shown() -> set[int]:
        return {round(-sample.left.linear_m_s[0]) for sample in xr_input.samples[first:]}  # OpenXR's z is our -x

    until = time.monotonic() + PATIENCE_S
    while len(shown()) < 150 and time.monotonic() < until:
        k = len(sent)
        sent.append(trajectory(k))
        operator.head = sent[k][0]
        operator.left, operator.right = Controller(sent[k][1], mark=float(k)), Controller(sent[k][2], mark=float(k))
        sent_s.append(time.monotonic())
        operator.send()
        time.sleep(0.004)
    worst_m, worst_rad, ages = 0.0, 0.0, []
    for sample, received_s in zip(xr_input.samples[first:], xr_input.received_s[first:]):
        for side, hand in ((1, sample.left), (2, sample.right)):  # between the hands a new packet may come
            k = round(-hand.linear_m_s[0])
            if k < 1:
                continue
            ages.append(1e3 * (received_s - sent_s[k]))
            worst_m = max(worst_m, distance(sent[k][side].pos, hand.grip.pos))
            worst_rad = max(worst_rad, angle_between(sent[k][side].quat, hand.grip.quat))
    ages.sort()
    record_property("pose_error_m", worst_m)
    record_property("packet_to_parent_median_ms", ages[len(ages) // 2])
    print(f"{len(shown())} packets seen; error {worst_m:.1e} m {worst_rad:.1e} rad; from the packet to the parent "
          f"median {ages[len(ages) // 2]:.2f} ms, p99 {ages[int(0.99 * len(ages))]:.2f} ms")  # fmt: skip
    assert len(shown()) >= 100
    assert worst_m < 1e-5
    assert worst_rad < 1e-3  # float32 quaternions: the angle of two equal ones is only known to 5e-4


def test_that_the_head_is_read_back(xr_input: Input, operator: RemoteOperator):
    operator.head = trajectory(70)[0]
    operator.send()
    sample = xr_input.wait_for(lambda s: distance(s.head.pos, operator.head.pos) < 1e-5, "the head")
    assert angle_between(sample.head.quat, operator.head.quat) < 1e-3
    assert sample.head_flags == Flag.VALID | Flag.TRACKED


@pytest.mark.parametrize("button", list(Button), ids=lambda button: button.name)
def test_that_every_button_of_either_hand_arrives_alone(xr_input: Input, operator: RemoteOperator, button: Button):
    for side in ("left", "right"):
        if (side, button) == ("right", Button.MENU):
            continue  # there is none on the right
        setattr(operator, side, replace(getattr(operator, side), buttons=button))
        operator.send()
        sample = xr_input.wait_for(lambda s: getattr(s, side).buttons == button, f"{button!r} of the {side} hand")  # noqa: B023
        assert (sample.right if side == "left" else sample.left).buttons == NO_BUTTON
        operator.both(buttons=NO_BUTTON)
        xr_input.wait_for(lambda s: s.left.buttons == s.right.buttons == NO_BUTTON, "release")


def test_that_triggers_grips_and_sticks_arrive(xr_input: Input, operator: RemoteOperator):
    operator.left = replace(operator.left, trigger=0.25, squeeze=0.5, stick=(0.75, -0.5))
    operator.right = replace(operator.right, trigger=1.0, squeeze=0.0, stick=(-1.0, 0.25))
    operator.send()
    sample = xr_input.wait_for(lambda s: s.right.trigger == 1.0, "the trigger")
    assert (sample.left.trigger, sample.left.squeeze, sample.left.stick) == (0.25, 0.5, (0.75, -0.5))
    assert (sample.right.squeeze, sample.right.stick) == (0.0, (-1.0, 0.25))


def test_that_finger_joints_are_read_where_the_runtime_has_them(xr_input: Input, operator: RemoteOperator):
    assert xr_input.source.status().joints

    def spread(curl: float) -> float:
        """From the palm to the tip of the left middle finger, m."""
        operator.left = replace(operator.left, curl=curl)
        operator.send()
        xr_input.joints.clear()
        wait_until(lambda: len(xr_input.joints) > 5 and xr_input.joints[-1].left is not None, "the left fingers")
        seen = xr_input.joints[-1]
        assert seen.left is not None
        palm, tip = (seen.left[JOINT_NAMES.index(name)].pos for name in ("palm", "middle_tip"))
        assert distance(palm, operator.left.pose.pos) < 0.15
        return distance(palm, tip)

    straight, closed = spread(0.05), spread(0.95)
    assert 0.05 < straight < 0.2
    assert closed < 0.8 * straight


def test_that_lost_tracking_is_told(xr_input: Input, operator: RemoteOperator):
    operator.left = replace(operator.left, active=False)
    operator.send()
    sample = xr_input.wait_for(lambda s: not s.left.tracked, "the loss")
    assert sample.right.tracked
    operator.both(active=True)
    xr_input.wait_for(lambda s: s.left.tracked, "tracking again")


def test_that_a_recentre_is_told(xr_input: Input, monado: Monado):
    before = xr_input.newest.recentres
    monado.control("-c")
    xr_input.wait_for(lambda s: s.recentres == before + 1, "the recentre")


def test_that_input_that_is_withdrawn_and_given_back_is_told(xr_input: Input, monado: Monado):
    mine = [line for line in monado.control().splitlines() if f"pid: {xr_input.source.pid}" in line]
    client = mine[0].split("id:")[1].split()[0]
    monado.control("-i", client)
    sample = xr_input.wait_for(lambda s: not s.left.tracked and not s.right.tracked, "the withdrawal")
    assert (sample.left.squeeze, sample.left.stick, sample.left.grip.pos) == (0.0, (0.0, 0.0), ZERO)
    monado.control("-i", client)
    xr_input.wait_for(lambda s: s.left.tracked and s.right.tracked, "the input")


def test_that_vibration_reaches_the_controllers(xr_input: Input, monado: Monado):
    before = monado.pulses()
    xr_input.source.pulse(Pulse("left", 0.5, 0.02, count=2))
    xr_input.source.pulse(Pulse("right", 1.0, 0.02))
    wait_until(lambda: monado.pulses() >= before + 3, "three pulses")


def test_that_it_says_what_it_found(xr_input: Input):
    status = xr_input.source.status()
    assert "Monado" in status.runtime
    assert status.headset == "Monado: Remote HMD"
    wait_until(lambda: xr_input.source.status().controllers == ("Valve Index", "Valve Index"), "the controllers")
    assert status.headless


def test_that_a_killed_runtime_is_told_and_found_again(monado_files):
    """Its own service: the others of this module go on."""
    service = Monado(monado_files)
    service.start()
    remote = RemoteOperator(service.port)
    made = Input(service)
    try:
        made.wait_for_state("running")
        made.wait_for(lambda s: s.left.tracked, "a controller")
        remote.close()
        service.kill()
        made.wait_for_state("lost")
        assert made.source.status().remedy != ""
        pid = made.source.pid
        service.start()
        remote = RemoteOperator(service.port)
        made.wait_for_state("running")
        before = made.newest.time_s
        made.wait_for(lambda s: s.time_s > before and s.left.tracked, "a controller again")
        assert made.source.pid == pid, "the process outlived the runtime"
    finally:
        made.source.close()
        remote.close()
        service.close()


@pytest.fixture
def own_service(monado_files):
    """A service that a test may hang; the others of this module go on."""
    service = Monado(monado_files)
    service.start()
    remote = RemoteOperator(service.port)
    yield service
    service.wake()
    remote.close()
    service.close()


def test_that_a_runtime_that_hangs_is_told_and_goes_on_by_itself(own_service: Monado):
    made = Input(own_service)
    try:
        made.wait_for_state("running")
        made.wait_for(lambda s: s.left.tracked, "a controller")
        pid = made.source.pid
        own_service.hang()
        made.wait_for_state("lost")
        assert "has not answered" in made.source.status().text
        assert made.source.status().remedy != ""
        before = made.newest.time_s
        own_service.wake()
        made.wait_for(lambda s: s.time_s > before and s.left.tracked, "a controller again")
        made.wait_for_state("running")
        assert made.source.pid == pid, "short hangs cost no process"
    finally:
        made.source.close()


def test_that_a_process_whose_runtime_hangs_for_long_is_replaced(own_service: Monado):
    made = Input(own_service, patience=Patience(silent_s=0.5, hung_s=1.5))
    try:
        made.wait_for_state("running")
        pid = made.source.pid
        own_service.hang()
        wait_until(lambda: made.source.pid != pid, "another process")
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        made.wait_for_state("no_answer")  # the next one waits for the same runtime, and says so
        own_service.kill()
        own_service.start()  # the remedy
        made.wait_for_state("running")
    finally:
        made.source.close()


def test_that_a_killed_input_process_is_noticed_at_once_and_replaced(xr_input: Input):
    pid = xr_input.source.pid
    assert pid is not None
    killed_s = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: xr_input.source.status().state == "lost", "the death")
    print(f"noticed after {1e3 * (xr_input.source.died_s - killed_s):.1f} ms")
    assert "killed by signal 9" in xr_input.source.status().text
    xr_input.wait_for_state("running")
    assert xr_input.source.pid != pid


def test_that_nothing_is_left_after_closing(monado: Monado, operator: RemoteOperator):
    made = Input(monado)
    made.wait_for_state("running")
    pid = made.source.pid
    assert pid is not None
    made.source.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert made.source.status().state == "off"


def test_that_a_runtime_without_headless_sessions_gets_a_minimal_opengl_one(monado: Monado, operator: RemoteOperator):
    made = Input(monado, headless=False)
    try:
        made.wait_for_state("running")
        assert not made.source.status().headless
        sample = made.wait_for(lambda s: s.left.tracked, "a controller")
        assert distance(sample.left.grip.pos, operator.left.pose.pos) < 1e-5
    finally:
        made.source.close()
