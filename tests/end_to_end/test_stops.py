"""The stops in MuJoCo with the trained controllers: balance is kept where it is promised, and given up where not."""

import numpy as np
import pytest
import torch

from trainer.session.live import LiveSession
from trainer.session.messages import Configure, Control, EpisodeFinished, Heartbeat, Hello, Stop, Telemetry, WorkerEvent


class Robot:
    """The heuristic at work, as fast as it goes."""

    def __init__(self, seed: int = 0) -> None:
        torch.set_num_threads(1)
        self.heard: list[WorkerEvent] = []
        self.session = LiveSession(self.heard.append)
        self.session.receive(Configure(seed=seed, realtime=False, auto_next=False))
        self.session.tick()
        self.session.receive(Control("start"))
        self.session.tick()

    def run(self, seconds: float) -> list[Telemetry]:
        """Let simulated time pass."""
        seen = []
        for _ in range(round(50 * seconds)):
            self.session.tick()
            telemetry = self.session.telemetry()
            assert telemetry is not None
            seen.append(telemetry)
        return seen


@pytest.fixture
def robot():
    robot = Robot()
    yield robot
    robot.session.close()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_that_a_soft_stop_in_mid_walk_keeps_the_balance_and_the_robot_goes_on_afterwards(robot):
    walking = robot.run(2.5)[-1]
    assert walking.velocity_actual[0] > 0.1
    robot.session.receive(Stop("soft_stop"))
    stopped = robot.run(6.0)
    assert stopped[0].holding
    assert all(t.base_pose_w[2] > 0.58 for t in stopped)  # it stands
    travelled = stopped[-1].base_pose_w[:2] - stopped[100].base_pose_w[:2]
    assert float(np.linalg.norm(travelled)) < 0.03  # after two seconds it is at rest
    robot.session.receive(Stop("clear_stop"))
    robot.run(31.0)
    ends = [event for event in robot.heard if isinstance(event, EpisodeFinished)]
    assert [end.success for end in ends] == [True]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_that_a_dead_window_leaves_a_standing_robot(robot):
    robot.session.receive(Hello("client"))
    robot.session.receive(Heartbeat())
    robot.run(2.0)
    robot.session.heartbeat._last_s = 0.0  # type: ignore[assignment]  # the last heartbeat is long ago
    held = robot.run(8.0)
    assert held[0].hold_reason == "no heartbeat"
    assert all(t.base_pose_w[2] > 0.58 for t in held)
    assert abs(held[-1].velocity_command).max() == 0.0


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_that_a_hard_stop_lets_the_robot_sink_and_a_clear_puts_it_back(robot):
    robot.run(2.5)
    robot.session.receive(Stop("hard_stop"))
    sinking = robot.run(4.0)
    assert sinking[0].stop == "hard"
    assert sinking[-1].base_pose_w[2] < 0.45
    assert float(abs(sinking[-1].velocity_actual).max()) < 0.1  # at rest on the floor, nothing drives it
    robot.session.receive(Stop("clear_stop"))
    robot.session.tick()
    robot.session.tick()
    robot.session.receive(Control("start"))
    assert all(t.base_pose_w[2] > 0.58 for t in robot.run(3.0))
