import subprocess
import sys

import pytest

from core.teleop.keyboard import BINDINGS, KeyboardDevice
from core.teleop.samples import ZERO, OperatorSample


class Clock:
    def __init__(self) -> None:
        self.time_s = 10.0

    def __call__(self) -> float:
        return self.time_s


def sample(*keys: str) -> OperatorSample:
    device = KeyboardDevice(Clock())
    device.set_down(keys)
    return device.sample()


def test_that_opposite_keys_cancel():
    assert sample("w", "a", "e").base == (1.0, 1.0, -1.0)
    assert sample("w", "s").base == ZERO


def test_that_both_hands_move_alike_and_squeeze_towards_each_other():
    together = sample("home")
    assert together.left.linear == (0.0, -1.0, 0.0)
    assert together.right.linear == (0.0, 1.0, 0.0)
    forward = sample("up", "page_down")
    assert forward.left.linear == forward.right.linear == (1.0, 0.0, -1.0)


def test_that_rotations_of_the_two_hands_are_mirror_images():
    turned = sample("u", "j", "i")
    assert turned.left.angular == (-1.0, -1.0, 1.0)
    assert turned.right.angular == (1.0, -1.0, -1.0)


def test_that_a_selected_hand_moves_alone_until_another_is_selected():
    device = KeyboardDevice(Clock())
    device.set_down({"1"})
    device.set_down({"up", "g"})
    assert device.sample().left.linear == (1.0, 0.0, 0.0)
    assert device.sample().right.linear == ZERO
    assert (device.sample().left.grip, device.sample().right.grip) == (1.0, 0.0)
    device.set_down({"up", "2"})
    assert device.sample().left.linear == ZERO
    assert device.sample().right.linear == (1.0, 0.0, 0.0)


def test_that_a_held_key_grows_old_without_a_word_and_an_idle_keyboard_does_not():
    clock = Clock()
    device = KeyboardDevice(clock)
    device.set_down({"w"})
    clock.time_s += 1.0
    assert device.sample().time_s == 10.0
    device.set_down({"w"})
    assert device.sample().time_s == 11.0
    device.set_down({"shift"})
    clock.time_s += 1.0
    shifted = device.sample().time_s
    device.release_all()
    clock.time_s += 1.0
    assert (shifted, device.sample().time_s) == (11.0, 13.0)


def test_that_an_unknown_key_is_named():
    with pytest.raises(ValueError, match="key 'x' does nothing; known: w, s, a"):
        sample("x")


def test_that_every_motion_key_changes_the_sample_and_no_session_key_does():
    idle = sample()
    for binding in BINDINGS:
        changed = sample(binding.key) != idle
        selects = binding.group == "select"
        assert changed == (binding.group != "session" and not selects), binding


def test_that_the_window_can_list_the_keys_without_torch():
    script = "import sys, core.teleop.keyboard\nassert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
