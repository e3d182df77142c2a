"""The picture process, `python -m app.stereo.process`: what the window shows, for both eyes, in the headset.

Told the scene and telemetry by its parent over a socket that has no name; draws the newest, again and again. A runtime
that is absent or lost is tried again every second. Its end is the end of either process.
"""

import contextlib
import json
import signal
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from app.scene_pose import ScenePose, pose_of_telemetry
from app.stereo.eyes import EyeCamera, Fov, Stand, anchor, between, eye_camera
from core.tasks.scene import Scene
from core.teleop.poses import Pose
from trainer.session.messages import LogLine, SceneChanged, Telemetry, decode, encode

if TYPE_CHECKING:
    from app.stereo.headset import HeadsetPicture

RETRY_S = 1.0
SAY_PERIOD_S = 2.0
FIRST_FRAMES = 5
SNAPSHOT_FRAME = 3


class FrameMeter:
    """Frames a second, now and then."""

    def __init__(self) -> None:
        self.frames = 0
        self._since = (time.monotonic(), 0)

    def frame(self) -> float | None:
        """A frame was drawn; the rate when it is time to say it."""
        self.frames += 1
        began_s, before = self._since
        now = time.monotonic()
        if self.frames < FIRST_FRAMES or (self.frames > FIRST_FRAMES and now - began_s < SAY_PERIOD_S):
            return None
        self._since = now, self.frames
        return (self.frames - before) / max(now - began_s, 1e-6)


class HeadPlace:
    """Where the operator's head was when the picture began or was recentred: there it is the robot's."""

    def __init__(self) -> None:
        self._left = Pose()
        self._reference: Pose | None = None

    def reference(self, index: int, eye: Pose, picture: "HeadsetPicture") -> Pose:
        """For an eye of this frame. The first frame after a recentre still has the old one for its left eye."""
        if index == 0:
            self._left = eye
        elif picture.recentred:
            picture.recentred = False
            self._reference = between(self._left, eye)
        return self._reference or eye


class PictureProcess:
    """Newest scene, newest pose, a headset to draw them in."""

    def __init__(self, connection: Connection, stand: Stand, resolution: float, snapshots: Path | None) -> None:
        """snapshots: folder for the first picture of each eye after a pose came (npy), None for none."""
        self._connection = connection
        self._stand: Stand = stand
        self._resolution = resolution
        self._snapshots = snapshots
        self._scene: Scene | None = None
        self._pose: ScenePose | None = None
        self._began: Pose | None = None
        self._said = ""

    def run(self) -> None:
        """Until the parent is gone."""
        import xr

        while True:
            try:
                self._show()
            except (xr.exception.XrException, RuntimeError) as error:
                self._say(f"no picture in the headset: {error}; it is tried again every second")
            self._listen(RETRY_S)

    def _show(self) -> None:
        """One life of the runtime."""
        from app.stereo.headset import HeadsetPicture

        picture = HeadsetPicture(self._resolution)
        try:
            while True:
                self._frames(picture)
        finally:
            picture.close()

    def _frames(self, picture: "HeadsetPicture") -> None:
        """Draw one scene, until another comes."""
        from app.stereo.painter import Painter

        while self._scene is None or self._pose is None:
            picture.poll()
            self._listen(0.02)
        scene = self._scene
        painter = Painter(scene, picture.width, picture.height)
        meter, place = FrameMeter(), HeadPlace()

        def draw(index: int, eye: Pose, fov: Fov, texture: int) -> None:
            painter.draw(self._camera(eye, place.reference(index, eye, picture), fov))
            painter.copy_to(texture)
            if self._snapshots is not None and meter.frames == SNAPSHOT_FRAME:
                np.save(self._snapshots / f"eye{index}.npy", painter.pixels())

        try:
            while self._scene is scene:
                picture.poll()
                self._listen(0.0)
                painter.show(self._pose)
                if not picture.frame(draw):
                    self._listen(0.02)
                elif (rate_hz := meter.frame()) is not None:
                    self._say(f"picture in the headset: {picture.width} x {picture.height} an eye, {rate_hz:.0f} Hz")
        finally:
            painter.close()

    def _camera(self, eye: Pose, reference: Pose, fov: Fov) -> EyeCamera:
        assert self._pose is not None
        assert self._began is not None
        return eye_camera(eye, reference, anchor(_base(self._pose), self._began, self._stand), fov)

    def _listen(self, timeout_s: float) -> None:
        """Take everything that the parent says; only the newest counts. A parent that is gone raises EOFError."""
        while self._connection.poll(timeout_s):
            timeout_s = 0.0
            message = decode(self._connection.recv_bytes())
            if isinstance(message, SceneChanged):
                self._scene = message.scene
            elif isinstance(message, Telemetry):
                self._pose = pose_of_telemetry(message)
                self._began = self._began or _base(self._pose)

    def _say(self, text: str) -> None:
        if text != self._said:
            self._said = text
            self._connection.send_bytes(encode(LogLine(text)))


def _base(pose: ScenePose) -> Pose:
    x, y, z = (float(v) for v in pose.base_pos_w)
    w, qx, qy, qz = (float(v) for v in pose.base_quat_w)
    return Pose((x, y, z), (w, qx, qy, qz))


def main() -> int:
    """Options as one JSON line on stdin, among them the socket that was inherited."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in the terminal is the parent's business
    try:
        told = json.loads(sys.stdin.readline())
        connection = Connection(int(told["socket"]))
        stand, resolution = told["stand"], float(told["resolution"])
        snapshots = Path(told["snapshots"]) if told.get("snapshots") else None
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise ValueError(f"the picture process is started by the window, which passes it a socket ({error})") from error
    with contextlib.suppress(EOFError, ConnectionError):
        PictureProcess(connection, stand, resolution, snapshots).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
