"""The words that steer a simulated robot, one line each, and the loop that steps it in real time.

status                   print everything as one JSON line
fault NAME [VALUE|off]   break or mend something (core.robot.sim.faults)
remote MODE              take over with the remote control: damping, prepare, walking, custom
restart                  leave the network and come back
push NEWTON [SECONDS]    push the trunk forwards
fall                     take the gantry away and knock the robot over
gantry on|off            hang the robot in the harness or not
place SEED               put robot and objects where the task's episode of that seed begins; the robot is limp
mocap FAULT [BODY ...]   break motion capture: hide, nan, jump BODY; swap BODY BODY; silent; garbage; ok
quit
"""

import json
import queue
import threading
import time
from collections.abc import Callable
from typing import IO, Any

import numpy as np

from core.clock import Rate
from core.robot.sim.robot import SimRobot
from core.robot.sim.start import SimStart
from core.robot.wire import FRAME_PERIOD_S, Mode

WORDS = ("status", "fault", "remote", "restart", "push", "fall", "gantry", "place", "mocap", "quit")
MAX_CATCH_UP = 5
"""Frames of physics in one tick at most: a computer that is slower than real time gets a slow robot, no silent one."""


class Console:
    """Reads words from a stream in a thread; `run` steps the robot and obeys them between frames."""

    def __init__(
        self,
        robot: SimRobot,
        lines: IO[str],
        write: Callable[[dict[str, Any]], None],
        draw: Callable[[int], SimStart] | None = None,
    ) -> None:
        """draw: the start of the task's episode of a seed; None where there is no task."""
        self._robot = robot
        self._draw = draw
        self._write = write
        self._words: queue.Queue[list[str]] = queue.Queue()
        self._push_until_s = 0.0
        self.ended = False
        threading.Thread(target=self._read, args=(lines,), name="console", daemon=True).start()

    def run(self, stop_requested: Callable[[], bool] = lambda: False) -> None:
        """Real time until `quit`, the end of the input after it was used, or `stop_requested`."""
        rate = Rate(FRAME_PERIOD_S)
        missed = 0
        while not (self.ended or stop_requested()):
            self._obey_all()
            if self._push_until_s and time.monotonic() > self._push_until_s:
                self._robot.body.push_w[:] = 0.0
                self._push_until_s = 0.0
            self._robot.frame(min(1 + missed, MAX_CATCH_UP))
            missed = rate.wait()

    def obey(self, words: list[str]) -> dict[str, Any]:
        """One line. Raises ValueError saying what is known."""
        name, rest = words[0], words[1:]
        robot = self._robot
        match name:
            case "status":
                return robot.status()
            case "fault":
                robot.faults.set(rest[0] if rest else "", rest[1] if len(rest) > 1 else "")
            case "remote":
                robot.remote(_mode(rest[0] if rest else ""))
            case "restart":
                robot.restart()
            case "push":
                self._push(float(rest[0]) if rest else 100.0, float(rest[1]) if len(rest) > 1 else 0.2)
            case "fall":
                robot.body.gantry = False
                self._push(600.0, 0.3)
            case "gantry":
                robot.body.gantry = rest[:1] != ["off"]
            case "place":
                self._place(rest)
            case "mocap":
                if robot.mocap is None:
                    raise ValueError("this robot has no motion capture: start it with --mocap.port")
                robot.mocap.faults.set(rest, robot.mocap.names)
            case "quit":
                self.ended = True
            case _:
                raise ValueError(f"{name!r} is not understood; known: {', '.join(WORDS)}")
        return {"done": " ".join(words), "time_s": time.monotonic()}

    def _place(self, rest: list[str]) -> None:
        if self._draw is None:
            raise ValueError("there is no task: start the robot with --task box_pickup")
        if len(rest) != 1 or not rest[0].isdigit():
            raise ValueError(f"place takes the seed of an episode, got {' '.join(rest) or 'nothing'}")
        self._robot.place(self._draw(int(rest[0])))

    def _push(self, force_n: float, seconds: float) -> None:
        self._robot.body.push_w[:] = np.array([force_n, 0.0, 0.0])
        self._push_until_s = time.monotonic() + seconds

    def _obey_all(self) -> None:
        while not self._words.empty():
            words = self._words.get_nowait()
            try:
                self._write(self.obey(words))
            except ValueError as error:
                self._write({"error": str(error)})

    def _read(self, lines: IO[str]) -> None:
        used = False
        for line in lines:
            words = line.split()
            used = used or bool(words)
            if words:
                self._words.put(words)
        if used:  # a program that steered the robot is gone
            self._words.put(["quit"])


def print_json(message: dict[str, Any], stream: IO[str]) -> None:
    """One line, at once."""
    stream.write(json.dumps(message) + "\n")
    stream.flush()


def _mode(name: str) -> Mode:
    known = [mode.name.lower() for mode in (Mode.DAMPING, Mode.PREPARE, Mode.WALKING, Mode.CUSTOM)]
    if name not in known:
        raise ValueError(f"mode {name!r} does not exist; known: {', '.join(known)}")
    return Mode[name.upper()]
