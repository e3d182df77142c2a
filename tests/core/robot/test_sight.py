"""What motion capture tells of a robot's world, without a robot: base, objects, and looking anew."""

import math

import pytest
import torch

from core.mocap.frame import MocapFrame, RigidBody
from core.mocap.receiver import MocapReceiver
from core.mocap.settings import MocapSettings
from core.rigid import quat_from_yaw, yaw_of
from core.robot.leg_odometry import BaseEstimate
from core.robot.sight import Sight

STILL = BaseEstimate(torch.zeros(1, 3), torch.zeros(1, 3), torch.full((1, 2), 0.5))
IMU_YAW = -0.4


class Lab:
    """A motion capture system whose frames and time are the test's."""

    def __init__(self) -> None:
        self.time_s, self.number = 20.0, 0
        self.box = (1.4, 0.0, 0.6)
        self.sees_box = True
        settings = MocapSettings("natnet", "lab")
        self.receiver = MocapReceiver(settings, lambda settings, hear: self, now=lambda: self.time_s)
        self.sight = Sight(self.receiver, ["box"], lambda: self.time_s, self.run)

    def close(self) -> None:
        pass

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.01)):
            self.time_s += 0.01
            self.number += 1
            turn = (math.cos(0.1), 0.0, 0.0, math.sin(0.1))  # 0.2 rad about the vertical
            bodies = [RigidBody("trunk", (0.3, 0.1, 0.65), turn)]
            bodies += [RigidBody("box", self.box, (1.0, 0.0, 0.0, 0.0))] if self.sees_box else []
            self.receiver.hear(MocapFrame(self.number, self.time_s - 0.01, self.time_s, tuple(bodies)))

    def base(self, periods: int = 100) -> BaseEstimate:
        imu, found = quat_from_yaw(torch.tensor([IMU_YAW])), STILL
        for _ in range(periods):
            self.run(0.02)
            found = self.sight.base(self.time_s, STILL, imu)
        return found


@pytest.fixture
def lab() -> Lab:
    lab = Lab()
    lab.run(0.5)
    return lab


def test_that_the_base_is_where_it_is_seen_whatever_the_imu_says_of_its_heading(lab: Lab) -> None:
    imu = quat_from_yaw(torch.tensor([IMU_YAW]))
    lab.sight.begin(imu)
    at_once = float(yaw_of(lab.sight.upright(imu)))
    found = lab.base()

    assert at_once == pytest.approx(0.2, abs=1e-4)
    torch.testing.assert_close(found.pos_w, torch.tensor([[0.3, 0.1, 0.65]]), atol=1e-3, rtol=0)
    assert float(yaw_of(lab.sight.upright(imu))) == pytest.approx(0.2, abs=1e-3)
    assert float(found.lin_vel_b.norm()) < 1e-3


def test_that_objects_are_where_they_are_seen_and_stay_known_while_they_are_looked_for(lab: Lab) -> None:
    seen = lab.sight.bodies(lab.time_s)["box"]
    lab.sees_box = False
    lab.sight.look_anew()
    lab.run(0.1)

    torch.testing.assert_close(seen.pos_w, torch.tensor([lab.box]), atol=1e-3, rtol=0)
    torch.testing.assert_close(lab.sight.bodies(lab.time_s)["box"].pos_w, seen.pos_w)


def test_that_things_that_people_moved_are_found_again(lab: Lab) -> None:
    lab.box = (3.0, 1.0, 0.6)
    lab.run(0.2)
    refused = lab.sight.judge()
    found = lab.sight.refind()

    assert (refused.level, "jumped" in refused.reason) == ("hold", True)
    assert found == ""
    torch.testing.assert_close(lab.sight.bodies(lab.time_s)["box"].pos_w, torch.tensor([lab.box]), atol=1e-3, rtol=0)


def test_that_a_body_that_is_not_there_is_named(lab: Lab) -> None:
    lab.sees_box = False
    assert lab.sight.refind() == "motion capture has not seen 'box'"
    assert lab.sight.check().reason == "motion capture has not seen 'box'"


def test_that_one_line_says_how_it_is(lab: Lab) -> None:
    lab.run(1.0)
    fine = lab.sight.words()
    lab.sees_box = False
    lab.run(0.3)

    assert fine == "motion capture 100 Hz, 10 ms old, noise 0.0 mm"
    assert lab.sight.words().startswith("motion capture: 'box' not seen")


def test_that_what_people_carried_away_at_rest_is_believed_again_by_itself(lab: Lab) -> None:
    lab.box = (3.4, 1.0, 0.6)
    lab.run(3.0)
    assert "'box' jumped" in lab.sight.judge().reason, "while a robot is driven it stays distrusted"
    lab.sight.rest()
    lab.run(0.1)
    assert lab.sight.judge().level == "ok"
    assert lab.sight.bodies(lab.time_s)["box"].pos_w[0].tolist() == pytest.approx([3.4, 1.0, 0.6], abs=1e-3)


def test_that_a_body_that_is_hidden_at_rest_is_still_missed(lab: Lab) -> None:
    lab.sees_box = False
    for _ in range(100):
        lab.run(0.02)
        lab.sight.rest()
    assert lab.sight.judge().level == "stop"
