from dataclasses import replace

import pytest
import torch
from rehearsal import hand, rehearsal, turned_about_origin

from core.control.arm_chain import ARM_JOINTS, forward_kinematics
from core.teleop.poses import Pose, about_z
from core.teleop.reach import ROBOT_REACH_M, ReachError, reach_scale
from core.teleop.xr_sample import NOTHING, TRACKED, Button, XrSample


def arms(left: float, right: float, yaw: float = 0.0) -> XrSample:
    def held(pos):
        return replace(hand(pos), grip=turned_about_origin(Pose(pos), yaw))

    head = Pose((0.0, 0.0, 1.6), about_z(yaw))
    return XrSample(1, 1.0, True, 0, TRACKED, head, held((left, 0.2, 1.35)), held((right, -0.2, 1.35)))


def test_that_the_robot_reach_is_that_of_the_straight_arm():
    pose = forward_kinematics(torch.zeros(1, 7))
    pitch, roll = (torch.tensor(ARM_JOINTS[i].pos) for i in (0, 1))
    assert float((pose.pos[0] - pitch - roll).norm()) == pytest.approx(ROBOT_REACH_M, abs=0.002)


@pytest.mark.parametrize("yaw", [0.0, 2.0, -3.0])
def test_that_the_scale_is_robot_over_operator_whichever_way_one_faces(yaw):
    assert reach_scale(arms(0.68, 0.72, yaw)) == pytest.approx(ROBOT_REACH_M / 0.70)


@pytest.mark.parametrize(
    ("sample", "words"),
    [
        (arms(0.30, 0.70), "the left fist is 0.30 m in front"),
        (arms(0.60, 0.80), "left 0.60 m, right 0.80 m: hold both arms equally far forward"),
        (replace(arms(0.7, 0.7), head_flags=NOTHING), "the head not tracked"),
        (replace(arms(0.7, 0.7), right=replace(arms(0.7, 0.7).right, flags=NOTHING)), "right not tracked"),
    ],
)
def test_that_it_says_what_is_wrong(sample, words):
    with pytest.raises(ReachError, match=words):
        reach_scale(sample)


def test_that_a_long_press_calibrates_and_a_refusal_changes_nothing():
    person = rehearsal()
    person.left = replace(person.left, buttons=Button.PRIMARY)
    assert [h.kind for h in person.step(80)] == ["refused"]
    assert person.operator.scale == 1.0
    person = rehearsal()
    person.left, person.right = hand((0.7, 0.2, 1.35), buttons=Button.PRIMARY), hand((0.7, -0.2, 1.35))
    assert [h.kind for h in person.step(80)] == ["calibrated"]
    assert person.operator.scale == pytest.approx(ROBOT_REACH_M / 0.70, abs=1e-3)
