"""The picture in the headset, drawn into Monado's swapchains by the processor; and the geometry of the eyes."""

import math
import os
from pathlib import Path

import numpy as np
import pytest
from input_probe import wait_until
from monado import Monado, RemoteOperator

from app.stereo.eyes import NEAR_M, ROBOT_EYES_M, STAND_M, Fov, anchor, eye_camera, frustum
from app.workers.stereo import StereoPicture
from core.teleop.poses import Pose, about_z
from trainer.session.live import LiveSession
from trainer.session.messages import Configure, SceneChanged, WorkerEvent


def test_that_the_frustum_is_as_asymmetric_as_the_lens():
    seen = frustum(Fov(-math.pi / 4, math.atan(0.5), 0.3, -0.4))
    assert (seen.center - seen.half_width, seen.center + seen.half_width) == pytest.approx((-NEAR_M, 0.5 * NEAR_M))
    assert (seen.bottom, seen.top) == pytest.approx((-NEAR_M * math.tan(0.4), NEAR_M * math.tan(0.3)))


def test_that_the_operators_head_is_the_robots_by_heading_whichever_way_one_faced():
    base = Pose((2.0, 1.0, 0.7), about_z(math.pi / 2))
    reference = Pose((0.3, 0.2, 1.6), about_z(-1.0))
    there = anchor(base, base, "head")
    same = eye_camera(reference, reference, there, Fov(-1, 1, 1, -1))
    assert same.pos == pytest.approx((2.0 - ROBOT_EYES_M[1], 1.0 + ROBOT_EYES_M[0], 0.7 + ROBOT_EYES_M[2]))
    assert same.forward == pytest.approx((0.0, 1.0, 0.0), abs=1e-9)
    ahead = Pose((0.3 + 0.1 * math.cos(-1.0), 0.2 + 0.1 * math.sin(-1.0), 1.6), reference.quat)
    moved = eye_camera(ahead, reference, there, Fov(-1, 1, 1, -1))
    assert np.subtract(moved.pos, same.pos) == pytest.approx((0.0, 0.1, 0.0), abs=1e-9)


def test_that_the_stand_stays_where_the_robot_began():
    began = Pose((0.0, 0.0, 0.7))
    for base in (began, Pose((5.0, 5.0, 0.7), about_z(1.0))):
        assert anchor(base, began, "stand").pos == pytest.approx(np.add(began.pos, STAND_M))


def test_that_both_eyes_see_the_scene_from_two_places(monado: Monado, operator: RemoteOperator, tmp_path: Path):
    heard: list[WorkerEvent] = []
    session = LiveSession(heard.append)
    session.receive(Configure(backend="fake"))
    session.tick()
    told = session.telemetry()
    session.close()
    scene = next(event for event in heard if isinstance(event, SceneChanged))
    assert told is not None
    picture = StereoPicture("head", 0.15, monado.environment(), snapshots=tmp_path)
    try:
        picture.show_scene(scene)
        picture.show(told)
        wait_until(lambda: any("picture in the headset" in line for line in picture.lines), lambda: str(picture.lines))
        assert picture.alive
        pid = picture._process.pid
    finally:
        picture.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    eyes = [np.load(tmp_path / f"eye{k}.npy").astype(float) for k in (0, 1)]
    for eye in eyes:
        assert eye.std() > 15, "an empty picture"
    assert np.abs(eyes[0] - eyes[1]).mean() > 0.5, "both eyes see the same picture"
