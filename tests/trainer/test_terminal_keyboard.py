"""The keyboard of a terminal: characters become keys that are down for a while, or deeds."""

import os
import threading

import pytest

from trainer.terminal_keyboard import FIRST_S, REPEAT_S, HeldKeys, TerminalKeyboard, keys_of


def test_that_a_key_is_down_long_enough_to_bridge_the_pause_before_repeats() -> None:
    keys = HeldKeys()
    keys.typed("w", 10.0)
    assert keys.down(10.0 + FIRST_S - 0.01) == ("w",)
    assert keys.down(10.0 + FIRST_S + 0.01) == ()


def test_that_letting_go_after_repeats_ends_it_soon() -> None:
    keys = HeldKeys()
    keys.typed("w", 10.0)
    for step in range(12):
        keys.typed("w", 10.5 + 0.033 * step)
    last_s = 10.5 + 0.033 * 11
    assert keys.down(last_s + REPEAT_S - 0.01) == ("w",)
    assert keys.down(last_s + REPEAT_S + 0.01) == ()


def test_that_two_keys_are_down_together() -> None:
    keys = HeldKeys()
    keys.typed("w", 10.0)
    keys.typed("q", 10.1)
    assert keys.down(10.2) == ("q", "w")


@pytest.mark.parametrize(
    ("data", "keys"),
    [
        (b"w", ["w"]),
        (b"W", ["shift", "w"]),
        (b"\x1b[A\x1b[6~", ["up", "page_down"]),
        (b"\x1b[24~", ["f12"]),
        (b" ", ["space"]),
        (b"\r", ["return"]),
        (b"\x7f", ["delete"]),
        (b"X", ["X"]),
        (b"\x1bw", ["escape", "w"]),
        (b"%\x00\xff", []),
    ],
)
def test_that_what_terminals_send_is_understood(data: bytes, keys: list[str]) -> None:
    assert keys_of(data) == (keys, b"")


def test_that_a_sequence_in_two_pieces_waits_for_its_rest() -> None:
    keys, rest = keys_of(b"w\x1b[")
    assert (keys, rest) == (["w"], b"\x1b[")
    assert keys_of(rest + b"5~") == (["page_up"], b"")


def test_that_a_terminal_drives_and_stops() -> None:
    master, slave = os.openpty()
    told: list[tuple[str, ...]] = []
    done: list[str] = []
    driven, stopped, lone = threading.Event(), threading.Event(), threading.Event()

    def tell(down: tuple[str, ...]) -> None:
        told.append(down)
        if down == ("w",):
            driven.set()

    def do(deed: str) -> None:
        done.append(deed)
        (stopped if deed == "hard_stop" else lone).set()

    try:
        with TerminalKeyboard(tell, do, slave):
            os.write(master, b"w")
            assert driven.wait(10)
            os.write(master, b"X")
            assert stopped.wait(10)
            os.write(master, b"\x1b")
            assert lone.wait(10)
    finally:
        os.close(master)
        os.close(slave)

    assert done == ["hard_stop", "soft_stop"]
    assert told[told.index(("w",)) :][-1] == ()  # a stop lets every key go


def test_that_without_a_terminal_it_says_so() -> None:
    reader, writer = os.pipe()
    with pytest.raises(ValueError, match="needs a terminal"):
        TerminalKeyboard(lambda _: None, lambda _: None, reader)
    os.close(reader)
    os.close(writer)
