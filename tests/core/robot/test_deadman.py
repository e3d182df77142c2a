"""The dead-man on an injected clock: whose silence stops the robot, and how."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from fake_link import FakeRobot

from core.robot.agent.log import SafetyLog
from core.robot.deadman import HALTS, SILENCE_S, Deadman
from core.robot.sim.body import Drive
from core.robot.wire import Mode
from core.t1.model import KP, NUM_JOINTS


class Watch:
    """A dead-man and what it hears."""

    def __init__(self) -> None:
        self.robot = FakeRobot()
        self.told: list[dict[str, Any]] = []
        self.log = SafetyLog()
        self.deadman = Deadman(self.robot, self.log, lambda **message: self.told.append(message), self.robot.now)

    def enter(self, mode: Mode) -> None:
        self.robot.firmware.enter(mode, self.robot.now_s, self.robot.q)
        self.robot.publish()

    def agent(self, armed: bool = True, **more: Any) -> None:
        self.deadman.hear({"who": "agent", "armed": armed, "sent_s": self.robot.now_s, **more})

    def window(self, owner_age_s: float = 0.0, **more: Any) -> None:
        self.deadman.hear({"who": "window", "owner_age_s": owner_age_s, "sent_s": self.robot.now_s, **more})

    def run(self, seconds: float, agent: bool = True, window: bool = True) -> None:
        for _ in range(round(seconds / 0.01)):
            self.robot.now_s += 0.01
            self.robot.publish()
            if agent:
                self.agent()
            if window:
                self.window()
            self.deadman.tick()


@pytest.fixture
def watch() -> Iterator[Watch]:
    made = Watch()
    yield made
    made.log.close()


def test_that_a_silent_agent_damps_a_robot_in_custom_mode(watch: Watch) -> None:
    watch.enter(Mode.CUSTOM)
    watch.robot.firmware.take_command(Drive(kp=KP.copy()), watch.robot.now_s)
    watch.run(1.0)
    assert watch.robot.calls == []

    watch.run(SILENCE_S - 0.02, agent=False)
    before = watch.robot.firmware.mode
    watch.run(0.05, agent=False)

    assert before == Mode.CUSTOM
    assert watch.robot.firmware.mode == Mode.DAMPING
    assert watch.deadman.triggered == "the hardware agent is silent"


def test_that_a_silent_window_stops_a_robot_whose_agent_lives(watch: Watch) -> None:
    watch.enter(Mode.CUSTOM)
    watch.run(1.0)

    watch.run(SILENCE_S + 0.03, window=False)

    assert watch.robot.firmware.mode == Mode.DAMPING
    assert watch.told[0] == {"triggered": "the window is silent", "level": 2}


def test_that_a_window_that_beats_but_does_nothing_is_silent(watch: Watch) -> None:
    """The beats of a frozen window go on for a while: they say how long it has been frozen."""
    watch.enter(Mode.CUSTOM)
    watch.run(0.5)
    for frozen in range(30):
        watch.robot.now_s += 0.01
        watch.agent()
        watch.window(owner_age_s=0.01 * frozen)
        watch.deadman.tick()

    assert watch.deadman.triggered == "the window is silent"


def test_that_nobody_waits_for_a_window_that_never_was_or_said_goodbye(watch: Watch) -> None:
    watch.enter(Mode.CUSTOM)
    watch.run(1.0, window=False)
    watch.window()
    watch.window(bye=True)
    watch.run(1.0, window=False)

    assert watch.deadman.triggered == ""


def test_that_a_walking_robot_is_halted_and_keeps_its_balance(watch: Watch) -> None:
    watch.enter(Mode.WALKING)
    watch.robot.firmware.set_upper_body(True, watch.robot.now_s)
    watch.robot.firmware.velocity = np.array([0.2, 0.0, 0.0])
    watch.run(0.5)

    watch.run(SILENCE_S + 0.3, agent=False)

    assert watch.robot.firmware.mode == Mode.WALKING
    assert not watch.robot.firmware.upper_body
    np.testing.assert_array_equal(watch.robot.firmware.velocity, np.zeros(3))
    assert sum(api == 2001 for api, _ in watch.robot.calls) == HALTS


def test_that_damping_is_repeated_until_the_robot_says_so(watch: Watch) -> None:
    watch.enter(Mode.CUSTOM)
    watch.run(0.5)
    watch.robot.faults.drop_rpc = 1.0

    watch.run(1.0, agent=False)
    asked = len(watch.robot.calls)
    limp = watch.robot.firmware.drive(watch.robot.now_s, None).limp
    watch.robot.faults.drop_rpc = 0.0
    watch.run(0.1, agent=False)
    done = len(watch.robot.calls)
    watch.run(0.5, agent=False)

    assert asked > 20
    assert limp, "frames without stiffness must come beside the calls"
    assert watch.robot.firmware.mode == Mode.DAMPING
    assert len(watch.robot.calls) == done


def test_that_silence_is_harmless_while_the_agent_drives_nothing(watch: Watch) -> None:
    watch.enter(Mode.PREPARE)
    watch.agent(armed=False)
    watch.run(2.0, agent=False, window=False)

    assert watch.robot.calls == []
    assert watch.robot.frames == []


def test_that_a_goodbye_is_no_silence(watch: Watch) -> None:
    watch.enter(Mode.CUSTOM)
    watch.run(0.5)
    watch.agent(armed=True, bye=True)
    watch.run(1.0, agent=False)

    assert watch.deadman.triggered == ""


def test_that_frames_of_the_dead_man_move_no_joint(watch: Watch) -> None:
    watch.enter(Mode.CUSTOM)
    watch.run(0.5)
    watch.robot.faults.drop_rpc = 1.0
    watch.run(0.5, agent=False)

    assert watch.robot.frames
    assert all(frame.kp.shape == (NUM_JOINTS,) and not frame.kp.any() for frame in watch.robot.frames)
