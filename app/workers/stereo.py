"""Keeps the picture process of the headset: starts it, sends it the scene and the newest telemetry, ends it."""

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping
from multiprocessing.connection import Connection, Pipe
from pathlib import Path

from app.stereo.eyes import Stand
from trainer.session.frames import MessageError
from trainer.session.messages import LogLine, SceneChanged, Telemetry, decode, encode

LINES_KEPT = 20


class StereoPicture:
    """One process. A thread sends: a slow picture never makes the window wait, it skips."""

    def __init__(
        self,
        stand: Stand = "head",
        resolution: float = 1.0,
        environment: Mapping[str, str] | None = None,
        snapshots: Path | None = None,
    ) -> None:
        """resolution: share of the runtime's recommended size. environment: of the process, default this one's."""
        ours, theirs = Pipe()
        env = dict(os.environ if environment is None else environment)
        # before anything loads OpenGL: PyOpenGL and MuJoCo shall use EGL, which needs no display
        env |= {"PYOPENGL_PLATFORM": "egl", "MUJOCO_GL": "egl"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "app.stereo.process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=env,
            pass_fds=(theirs.fileno(),),
            start_new_session=True,
        )
        assert self._process.stdin is not None
        told = {"socket": theirs.fileno(), "stand": stand, "resolution": resolution}
        told |= {"snapshots": str(snapshots)} if snapshots is not None else {}
        with contextlib.suppress(BrokenPipeError):  # died at once: told by its end
            self._process.stdin.write(json.dumps(told).encode() + b"\n")
            self._process.stdin.close()
        theirs.close()
        self._connection: Connection = ours
        self._ready = threading.Condition()
        self._scene: SceneChanged | None = None
        self._telemetry: Telemetry | None = None
        self._closing = False
        self.lines: deque[str] = deque(maxlen=LINES_KEPT)
        "what the process said, and at its end what it printed"
        self._threads = [
            threading.Thread(target=target, name=f"stereo-{target.__name__.strip('_')}", daemon=True)
            for target in (self._send, self._receive, self._read_errors)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def show(self, telemetry: Telemetry) -> None:
        """Draw this state; one that was not sent yet is replaced."""
        with self._ready:
            self._telemetry = telemetry
            self._ready.notify()

    def show_scene(self, scene: SceneChanged) -> None:
        """Draw this scene."""
        with self._ready:
            self._scene = scene
            self._ready.notify()

    def close(self, timeout_s: float = 2.0) -> None:
        """End the process. Safe to call twice."""
        with self._ready:
            self._closing = True
            self._ready.notify()
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout_s)
        if self.alive:
            self._process.kill()
        self._process.wait()
        for thread in self._threads:
            thread.join(timeout_s)
        self._connection.close()

    def _send(self) -> None:
        while True:
            with self._ready:
                self._ready.wait_for(lambda: self._closing or self._scene or self._telemetry)
                if self._closing:
                    return
                waiting = [message for message in (self._scene, self._telemetry) if message is not None]
                self._scene = self._telemetry = None
            with contextlib.suppress(OSError):  # its end is seen by who reads
                for message in waiting:
                    self._connection.send_bytes(encode(message))

    def _receive(self) -> None:
        with contextlib.suppress(EOFError, OSError, MessageError):
            while True:
                message = decode(self._connection.recv_bytes())
                if isinstance(message, LogLine):
                    self.lines.append(message.text)

    def _read_errors(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as lines:
            for line in lines:
                self.lines.append(line.decode(errors="replace").rstrip())
