"""`refine-dp run --backend t1`, as typed in a terminal, against the simulated robot over DDS with the vendor's SDK."""

import contextlib
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from core.data.dataset import Dataset
from trainer.jobs.t1_sim import Config
from trainer.safety_log import logs, read_log
from trainer.t1_sim_process import SimProcess

pytest.importorskip("booster_robotics_sdk_python")
DRIVEN_FRAMES = 1500
"3 s: the first control periods after a take-over are slower than the rhythm that is judged"
PATIENCE_S = 120.0
ROOT = Path(__file__).parents[2]


class Terminal:
    """A program in a terminal of its own."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.master, slave = os.openpty()
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "trainer.cli", *arguments], cwd=folder, env=environment, stdin=slave, stdout=slave,
            stderr=slave, start_new_session=True,
        )  # fmt: skip
        os.close(slave)
        self.text = ""

    def type(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def read(self, seconds: float = 0.05) -> None:
        if select.select([self.master], [], [], seconds)[0]:
            with contextlib.suppress(OSError):  # the other end is gone
                self.text += os.read(self.master, 65536).decode(errors="replace")

    def until(self, what: Callable[[], bool], doing: Callable[[], None] = lambda: None) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not what():
            assert time.monotonic() < deadline, self.text
            assert self.process.poll() is None, self.text
            doing()
            self.read()

    def end(self) -> int:
        """Ctrl-C; the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        deadline = time.monotonic() + PATIENCE_S
        while self.process.poll() is None and time.monotonic() < deadline:
            self.read()
        self.process.kill()
        self.read()
        os.close(self.master)
        return self.process.wait()


@pytest.fixture
def robot() -> Iterator[SimProcess]:
    with SimProcess(Config(task="box_pickup")) as made:
        yield made


@pytest.mark.slow
def test_that_a_person_at_a_terminal_drives_stops_and_records_a_robot(robot: SimProcess, tmp_path: Path) -> None:
    where = f"127.0.0.1:{robot.domain}"
    terminal = Terminal(
        tmp_path, "run", "--backend", "t1", "--robot", where, "--source", "keyboard", "--episodes", "0",
        "--dataset", "robot.hdf5",
    )  # fmt: skip
    try:
        terminal.until(lambda: "the robot follows" in terminal.text)
        terminal.until(lambda: robot.status()["velocity"][0] > 0.15, lambda: terminal.type("w"))
        enough = robot.status()["commands"] + DRIVEN_FRAMES
        terminal.until(lambda: robot.status()["commands"] > enough, lambda: terminal.type("w"))
        driven = robot.status()
        terminal.type(" ")
        terminal.until(lambda: robot.status()["velocity"] == [0.0, 0.0, 0.0])
        soft = robot.status()
        terminal.type("X")
        terminal.until(lambda: "the robot confirmed after" in terminal.text)
        stopped = robot.status()
    finally:
        status = terminal.end()

    assert status == 130, terminal.text
    assert (driven["mode"], driven["upper_body"]) == (2, True)
    assert (soft["mode"], soft["upper_body"]) == (2, True)
    assert stopped["mode"] == 0
    assert robot.status()["violations"] == {}
    confirmed = re.search(r"confirmed after ([0-9.]+) ms", terminal.text)
    assert confirmed is not None
    assert float(confirmed[1]) < 500.0

    (path,) = logs(tmp_path / "runs" / "robot")
    events = {entry.event: entry for entry in read_log(path).entries}
    assert events["limits"].details["speed_m_s"] == 0.2
    assert {"taken_over", "stop", "stop_confirmed", "deadman_began"} <= set(events)

    (episode,) = list(Dataset(tmp_path / "robot.hdf5"))
    assert episode.info.backend.startswith("booster")
    took = np.diff(episode.array("timestamps/sim_s"))
    assert took.min() > 0.05
    assert np.median(took) == pytest.approx(0.1, abs=0.01)
    whole = np.isclose(took / 0.002, np.round(took / 0.002), atol=0.05)
    assert whole.mean() > 0.5, "by the robot's ticks of 2 ms, but where the count of a busy computer was mended"


def test_that_an_interface_that_does_not_exist_ends_with_the_known_ones(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "trainer.cli", "run", "--backend", "t1", "--robot", "eth77", "--episodes", "1"],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 1
    assert "interface 'eth77' does not exist on this computer; known: lo" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
