"""What is believed, what holds the robot, what stops it, and the settings in one line."""

import math

import pytest

from core.mocap.check import check_mocap
from core.mocap.clock_sync import ArrivalClock, EchoClock
from core.mocap.frame import MocapFrame, RigidBody
from core.mocap.receiver import HOLD_AFTER_S, STOP_AFTER_S, MocapReceiver
from core.mocap.settings import MocapSettings
from core.mocap.track import Track

IDENTITY = (1.0, 0.0, 0.0, 0.0)


class Lab:
    """A receiver whose frames and time are the test's."""

    def __init__(self) -> None:
        self.time_s = 50.0
        self.number = 0
        settings = MocapSettings("natnet", "lab")
        self.receiver = MocapReceiver(settings, lambda settings, hear: self, now=lambda: self.time_s)

    def close(self) -> None:
        pass

    def frame(self, *bodies: RigidBody, period_s: float = 0.01, delay_s: float = 0.005) -> None:
        self.time_s += period_s
        self.number += 1
        self.receiver.hear(MocapFrame(self.number, self.time_s - delay_s, self.time_s, bodies))


def body(name: str = "box", pos=(1.0, 0.0, 0.5), quat=IDENTITY, tracked: bool = True) -> RigidBody:
    return RigidBody(name, pos, quat, tracked)


@pytest.fixture
def lab() -> Lab:
    return Lab()


def test_that_a_body_that_was_never_seen_stops(lab: Lab) -> None:
    lab.frame(body("trunk"))
    verdict = lab.receiver.judge(["trunk", "box"])

    assert (verdict.level, verdict.reason) == ("stop", "motion capture has not seen 'box'")


@pytest.mark.parametrize("how", ["hidden", "left out", "not a number", "jumped"])
def test_that_a_body_that_is_lost_holds_and_then_stops(lab: Lab, how: str) -> None:
    for _ in range(20):
        lab.frame(body("trunk"), body())
    fine = lab.receiver.judge(["trunk", "box"])
    lost = {
        "hidden": (body("trunk"), body(tracked=False)),
        "left out": (body("trunk"),),
        "not a number": (body("trunk"), body(pos=(math.nan, 0.0, 0.0))),
        "jumped": (body("trunk"), body(pos=(1.5, 0.0, 0.5))),
    }[how]
    levels = []
    for _ in range(110):
        lab.frame(*lost)
        levels.append(lab.receiver.judge(["trunk", "box"]).level)

    assert fine.level == "ok"
    at_once = how in ("not a number", "jumped")
    assert levels[0] == ("hold" if at_once else "ok")
    assert levels[round(100 * HOLD_AFTER_S) + 1] == "hold"
    assert levels[round(100 * STOP_AFTER_S) - 3] == "hold"
    assert levels[-1] == "stop"
    assert lab.receiver.judge(["trunk"]).level == "ok"


def test_that_a_body_that_jumped_far_is_refused_until_it_was_stopped_and_cleared(lab: Lab) -> None:
    for _ in range(20):
        lab.frame(body())
    for _ in range(110):
        lab.frame(body(pos=(5.0, 0.0, 0.5)))
    stopped = lab.receiver.judge(["box"])
    lab.receiver.forget()
    lab.frame(body(pos=(5.0, 0.0, 0.5)))

    assert stopped.level == "stop"
    assert "jumped" in stopped.reason
    assert lab.receiver.judge(["box"]).level == "ok"
    found = lab.receiver.estimate("box", lab.time_s)
    assert found is not None
    assert found.pos_w[0] == 5.0


def test_that_a_silent_stream_holds_and_then_stops(lab: Lab) -> None:
    for _ in range(20):
        lab.frame(body())
    lab.time_s += HOLD_AFTER_S + 0.01
    held = lab.receiver.judge(["box"])
    lab.time_s += STOP_AFTER_S

    assert (held.level, "silent" in held.reason) == ("hold", True)
    assert lab.receiver.judge(["box"]).level == "stop"


def test_that_frames_that_come_late_hold(lab: Lab) -> None:
    for _ in range(20):
        lab.frame(body(), delay_s=0.15)
    assert lab.receiver.judge(["box"]).reason == "motion capture: 'box' is late, last good pose 150 ms ago"


def test_that_a_body_that_turned_over_in_one_frame_is_refused() -> None:
    track = Track()
    for tick in range(20):
        assert track.add(0.01 * tick, body())
    assert not track.add(0.2, body(quat=(0.7071, 0.0, 0.0, 0.7071)))
    assert track.refusal == "jumped"
    assert track.add(0.21, body(quat=(-1.0, 0.0, 0.0, 0.0))), "the same rotation with the other sign"


def test_that_a_moving_body_is_followed_and_extrapolated() -> None:
    track = Track()
    for tick in range(100):
        track.add(0.01 * tick, body(pos=(0.5 * 0.01 * tick, 0.0, 0.0)))
    assert track.at(0.99 + 0.02).pos_w[0] == pytest.approx(0.5 * 1.01, abs=1e-3)
    assert track.at(0.99 + 5.0).pos_w[0] == pytest.approx(0.5 * (0.99 + 0.1), abs=1e-3), "no further than 0.1 s"


def test_that_overtaken_frames_do_not_turn_back_time() -> None:
    track = Track()
    track.add(1.0, body(pos=(0.0, 0.0, 0.0)))
    track.add(1.02, body(pos=(0.01, 0.0, 0.0)))
    assert not track.add(1.01, body(pos=(0.005, 0.0, 0.0)))
    assert track.last_s == 1.02


def test_that_the_check_says_what_is_wrong_and_what_to_do(lab: Lab) -> None:
    receiver, needed = lab.receiver, ("trunk", "box")
    silent = check_mocap(receiver, needed)
    for _ in range(200):
        lab.frame(body("trunk"))
    missing = check_mocap(receiver, needed)
    noise = 0.0
    for tick in range(200):
        noise = 0.02 * (-1) ** tick
        lab.frame(body("trunk"), body(pos=(1.0 + noise, 0.0, 0.5)))
    noisy = check_mocap(receiver, needed)
    for _ in range(200):
        lab.frame(body("trunk"), body(), period_s=0.03)
    slow = check_mocap(receiver, needed)
    for tick in range(200):
        lab.frame(body("trunk"), body(tracked=tick % 4 > 0))
    covered = check_mocap(receiver, needed)
    for _ in range(200):
        lab.frame(body("trunk"), body())
    fine = check_mocap(receiver, needed)

    assert silent == (False, "no frame from lab", "switch streaming on; check host, network and firewall")
    assert missing.reason == "no body box in the stream; there are: trunk"
    assert noisy.reason.startswith("box: noise 1")
    assert slow.reason == "trunk: 33 Hz; needed: 60"
    assert covered.reason == "box: seen in 75% of the frames"
    assert fine == (True, "trunk, box: motion capture 100 Hz, 5 ms old, noise 0.0 mm", "")
    assert all(found.remedy for found in (missing, noisy, slow, covered))


def test_that_samples_are_handed_out_once(lab: Lab) -> None:
    lab.frame(body())
    lab.frame(body(tracked=False))
    lab.frame(body())

    assert [sample.time_s for sample in lab.receiver.take_samples("box")] == pytest.approx([50.005, 50.025])
    assert lab.receiver.take_samples("box") == []


def test_that_the_quickest_echo_tells_the_clock_and_old_ones_are_forgotten() -> None:
    clock = EchoClock(window_s=10.0)
    assert not clock.ready
    clock.add(1.0, 101.08, 1.1)
    clock.add(2.0, 102.0005, 2.001)
    clock.add(3.0, 103.5, 3.9)

    assert clock.offset_s == pytest.approx(-100.0)
    assert clock.error_s == pytest.approx(0.0005)
    clock.add(12.5, 112.7, 12.6)
    assert clock.offset_s == pytest.approx(-100.15), "only the last one is young enough"


def test_that_without_echoes_the_least_delayed_arrival_tells_the_clock() -> None:
    clock = ArrivalClock(window_s=2.5)
    for tick, delay_s in enumerate((0.02, 0.005, 0.03, 0.04)):
        clock.add(10.0 + tick, 110.0 + tick + delay_s)

    assert clock.offset_s == pytest.approx(100.005)


def test_that_settings_are_one_line() -> None:
    chosen = MocapSettings.parse("natnet:192.168.1.5:1600, trunk=T1, box=Crate, up=y")

    assert chosen == MocapSettings("natnet", "192.168.1.5", 1600, "y", {"trunk": "T1", "box": "Crate"})
    assert (chosen.theirs("box"), chosen.ours("Crate"), chosen.ours("other")) == ("Crate", "box", "other")
    assert MocapSettings.parse("vicon:tracker").system == "vicon"
    for text in ("", "natnet", "motive:1.2.3.4", "natnet:a:b", "natnet:a,box", "natnet:a,up=x", "natnet:a:99999"):
        with pytest.raises(ValueError, match=r"natnet:192|up must be|port must be"):
            MocapSettings.parse(text)
