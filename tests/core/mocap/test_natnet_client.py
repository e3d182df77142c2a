"""Client and emulator over real UDP packets on loopback: names, poses, clock, losses, restarts."""

import math

import numpy as np
import pytest
from mocap_rig import NAMES, Rig

from core.mocap.emulated_errors import PERFECT, MocapErrors
from core.mocap.emulator import MocapEmulator


@pytest.fixture
def rigs():
    made: list[Rig] = []

    def make(errors: MocapErrors = PERFECT, **options) -> Rig:
        made.append(Rig(errors, **options))
        return made[-1]

    yield make
    for rig in made:
        rig.close()


@pytest.mark.parametrize("version", ["3.0", "3.1", "4.0", "4.1", "4.2"])
@pytest.mark.parametrize("multicast", [False, True])
def test_that_poses_arrive_as_they_are(rigs, version: str, multicast: bool) -> None:
    rig = rigs(version=version, multicast=multicast)
    rig.run(1.0)

    box = rig.receiver.estimate("box", rig.time_s)
    trunk = rig.receiver.estimate("trunk", rig.time_s)

    assert rig.receiver.names == tuple(sorted(NAMES))
    assert box is not None
    assert trunk is not None
    np.testing.assert_allclose(box.pos_w, rig.poses()["box"][:3], atol=1e-5)
    np.testing.assert_allclose(box.quat_w, rig.poses()["box"][3:], atol=1e-5)
    np.testing.assert_allclose(trunk.pos_w, rig.poses()["trunk"][:3], atol=3e-3)
    assert trunk.lin_vel_w[0] == pytest.approx(0.2, abs=0.01)
    assert trunk.ang_vel_w[2] == pytest.approx(0.1, abs=0.01)
    assert rig.client.bad_packets == 0


def test_that_frames_are_put_on_our_clock_in_spite_of_delay_and_drift(rigs) -> None:
    rig = rigs(MocapErrors(noise_m=0.0, offset_m=0.0, moving_noise_s=0.0, delay_s=0.015, lost_share=0.0))
    rig.run(4.0)

    trunk = rig.receiver.estimate("trunk", rig.time_s)

    assert rig.receiver.delay().p50_ms == pytest.approx(20.0, abs=6.0)
    assert trunk is not None
    assert trunk.pos_w[0] == pytest.approx(0.2 * 4.0, abs=0.002), "a delay that is not seen would cost 3 mm"


def test_that_rate_noise_and_losses_are_measured(rigs) -> None:
    errors = MocapErrors(noise_m=0.002, noise_rad=0.01, moving_noise_s=0.0, lost_share=0.05, unseen_share=0.0)
    rig = rigs(errors)
    rig.run(3.0)

    box = rig.receiver.quality("box")

    assert box is not None
    assert box.rate_hz == pytest.approx(90 * 0.95, abs=6)
    assert box.noise_m == pytest.approx(0.002, rel=0.2)
    assert box.noise_rad == pytest.approx(0.01, rel=0.2)
    assert rig.receiver.dropped == pytest.approx(0.05 * rig.receiver.frames, rel=0.8)
    assert box.residual_m == pytest.approx(0.0006, rel=0.01)


def test_that_smoothing_halves_the_noise(rigs) -> None:
    rig = rigs(MocapErrors(noise_m=0.002, offset_m=0.0, moving_noise_s=0.0, delay_s=0.0))
    rig.run(1.0)
    misses = []
    for _ in range(100):
        rig.run(0.02)
        estimate = rig.receiver.estimate("box", rig.time_s)
        assert estimate is not None
        misses.append(np.subtract(estimate.pos_w, rig.poses()["box"][:3]))

    assert np.sqrt(np.mean(np.square(misses))) < 0.0014


def test_that_a_server_that_comes_back_is_found_again(rigs) -> None:
    rig = rigs()
    rig.run(1.0)
    port = rig.emulator.port
    rig.emulator.close()
    rig.time_s += 4.0
    rig.emulator = MocapEmulator((*NAMES[::-1],), port, PERFECT)  # the ids mean other bodies now
    rig.receiver.forget()
    rig.run(1.5)

    box = rig.receiver.estimate("box", rig.time_s)
    assert box is not None
    np.testing.assert_allclose(box.pos_w, rig.poses()["box"][:3], atol=1e-4)


def test_that_garbage_is_counted_and_survived(rigs) -> None:
    rig = rigs()
    rig.run(1.0)
    rig.emulator.faults.garbage = True
    rig.run(0.5)
    bad = rig.client.bad_packets
    rig.emulator.faults.garbage = False
    rig.run(0.5)

    assert bad > 10
    assert rig.client.last_bad
    assert rig.receiver.age_s("box") < 0.05


def test_that_names_and_axes_of_a_system_become_ours(rigs) -> None:
    rig = rigs(names={"torso": "trunk", "crate": "box"}, up="y")
    rig.run(1.0)
    pose = rig.poses()["box"]

    crate = rig.receiver.estimate("crate", rig.time_s)

    assert set(rig.receiver.names) == {"torso", "crate"}
    assert crate is not None
    np.testing.assert_allclose(crate.pos_w, (pose[0], -pose[2], pose[1]), atol=1e-5)


def test_that_bodies_are_hidden_broken_moved_and_swapped_on_request(rigs) -> None:
    rig = rigs()
    rig.run(1.0)
    for words in (["hide", "box"], ["nan", "box"], ["jump", "box"], ["swap", "box", "trunk"]):
        rig.emulator.faults.set(words, NAMES)
        rig.run(0.2)
        broken = rig.receiver.judge(["box"])
        rig.emulator.faults.set(["ok"], NAMES)
        rig.run(0.2)

        assert broken.level == "hold", words
        assert rig.receiver.judge(["box"]).level == "ok", words
    assert rig.receiver.refusals("box") == (pytest.approx(36, abs=4), pytest.approx(18, abs=2))

    with pytest.raises(ValueError, match="known: hide"):
        rig.emulator.faults.set(["dance"], NAMES)
    with pytest.raises(ValueError, match="takes 1 of trunk, box"):
        rig.emulator.faults.set(["hide", "table"], NAMES)


def test_that_the_offset_of_a_body_is_constant_and_as_large_as_stated(rigs) -> None:
    rig = rigs(MocapErrors(noise_m=0.0, noise_rad=0.0, moving_noise_s=0.0, offset_m=0.01, offset_rad=0.02))
    rig.run(2.0)
    box = rig.receiver.estimate("box", rig.time_s)

    assert box is not None
    assert math.dist(box.pos_w, rig.poses()["box"][:3]) == pytest.approx(0.01, abs=1e-4)
