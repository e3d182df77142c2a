"""Faults of the runtime while a hand follows, with a session on top: the robot's hands stay where they are."""

import contextlib
import time
from dataclasses import replace

import numpy as np
import pytest
from input_probe import wait_until
from monado import Monado, RemoteOperator

from core.teleop.poses import Pose
from core.teleop.xr_input import Patience, XrInput
from trainer.session.live import LiveSession
from trainer.session.messages import Configure, Control, Telemetry, WorkerEvent


class Scene:
    """A service of its own, somebody who holds a grip squeezed, and a session that runs."""

    def __init__(self, files: dict[str, str]) -> None:
        self.service = Monado(files)
        self.service.start()
        self.remote = RemoteOperator(self.service.port)
        self.heard: list[WorkerEvent] = []
        patience = Patience(silent_s=0.5, hung_s=60.0)
        self.session = LiveSession(
            self.heard.append,
            make_input=lambda take, _: XrInput(take, environment=self.service.environment(), patience=patience),
        )
        self.session.receive(Configure(source="vr", backend="fake"))
        self.session.tick()
        self.session.receive(Control("start"))

    def look(self) -> Telemetry:
        """The hand wanders by less than a millimetre; one control period."""
        wander = 1e-5 * (time.monotonic_ns() // 20_000_000 % 50)
        self.remote.left = replace(self.remote.left, pose=Pose((0.3 + wander, 0.2, 1.2)))
        self.remote.right = replace(self.remote.right, pose=Pose((0.3 + wander, -0.2, 1.2)))
        with contextlib.suppress(OSError):  # the service is gone
            self.remote.send()
        self.session.tick()
        told = self.session.telemetry()
        assert told is not None
        assert told.vr is not None
        return told

    def squeeze(self, value: float) -> None:
        self.remote.left, self.remote.right = (
            replace(one, squeeze=value) for one in (self.remote.left, self.remote.right)
        )

    def engage(self) -> Telemetry:
        """Let go, then squeeze, as often as a busy computer drops the hands."""

        def taken() -> bool:
            hands = self.look().vr.hands  # type: ignore[union-attr]
            self.squeeze(0.0 if "release" in hands else 1.0)
            return hands == ("engaged", "engaged")

        wait_until(taken, lambda: f"engaged: {self.look().vr}")
        return self.look()

    def close(self) -> None:
        self.session.close()
        self.remote.close()
        self.service.close()


@pytest.fixture
def scene(monado_files):
    made = Scene(monado_files)
    yield made
    made.close()


def kill_and_start_again(scene: Scene) -> None:
    scene.service.kill()
    wait_until(lambda: scene.look().vr.state == "lost", "the loss")  # type: ignore[union-attr]
    scene.service.start()
    scene.remote.close()
    squeezed = scene.remote.left.squeeze
    scene.remote = RemoteOperator(scene.service.port)
    scene.squeeze(squeezed)


def hang_and_wake(scene: Scene) -> None:
    scene.service.hang()
    wait_until(lambda: scene.look().vr.state == "lost", "the silence")  # type: ignore[union-attr]
    scene.service.wake()


@pytest.mark.parametrize("fault", [kill_and_start_again, hang_and_wake], ids=lambda fault: fault.__name__)
def test_that_hands_stay_through_a_fault_of_the_runtime_and_need_a_release_afterwards(scene: Scene, fault):
    before = scene.engage().command_hand_poses_w
    fault(scene)
    wait_until(lambda: scene.look().vr.state == "running", lambda: f"running again: {scene.look().vr}")  # type: ignore[union-attr]
    wait_until(lambda: scene.look().vr.squeezes == (1.0, 1.0), "the grips, squeezed all the time")  # type: ignore[union-attr]
    for _ in range(25):
        told = scene.look()
        assert told.vr is not None
        assert told.vr.hands == ("release", "release")
    assert np.abs(told.command_hand_poses_w - before).max() < 2e-3
    scene.engage()
