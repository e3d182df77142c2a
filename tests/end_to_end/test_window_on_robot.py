"""The real window in front of a robot: it walks to the table and picks the box up, seen by motion capture, then a key
stops it. Real time, real processes, DDS and UDP; the simulated robot stands for the real one.
"""

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from PyQt6.QtCore import QSettings, Qt
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QApplication

from app.main_window import MainWindow
from app.state import AppState
from core.data.dataset import Dataset
from trainer.jobs.t1_sim import Config, MocapSim
from trainer.session.client import SessionClient
from trainer.session.messages import EpisodeFinished
from trainer.sim_to_real import really_up
from trainer.t1_sim_process import SimProcess

pytest.importorskip("booster_robotics_sdk_python")

SEED = 11
TRIES = 3
"A dead-man that stops the robot because this computer was too busy does what it must; the task is then tried again"
ORDINARY = ("setpriv", "--bounding-set", "-sys_nice", "--inh-caps", "-sys_nice")
"As a user without the right to real-time priority: with it the robot's processes starve the window on two busy cores"
SETTLE_S = 3.0
"Motion capture is judged by its last two seconds at rest"


def worker_command() -> list[str]:
    """Starts the session worker, and with it agent and dead-man, at ordinary priority."""
    root = sys.platform == "linux" and os.geteuid() == 0 and shutil.which(ORDINARY[0]) is not None
    return [*(ORDINARY if root else ()), sys.executable, "-m", "trainer.session.worker"]


@dataclass
class Bench:
    """A robot and the window in front of it."""

    app: QApplication
    robot: SimProcess
    state: AppState
    window: MainWindow
    dataset: Path
    episodes: list[EpisodeFinished] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def run(self, reached: Callable[[], bool], seconds: float) -> bool:
        """Let the window live until something is so."""
        end = time.monotonic() + seconds
        while not reached():
            if time.monotonic() > end:
                return False
            self.app.processEvents()
            time.sleep(0.001)
        return True

    def pick_up(self) -> bool:
        """Put robot and box where the episode begins, press Start, wait for its end."""
        self.robot.ask(f"place {SEED}")
        self.run(lambda: False, SETTLE_S)
        self.episodes.clear()
        QTest.mouseClick(self.window.session.start, Qt.MouseButton.LeftButton)
        over = lambda: bool(self.episodes) or self.state.stop_shown != "none"  # noqa: E731
        self.run(over, 120.0)
        return bool(self.episodes) and self.episodes[-1].success

    def again(self) -> None:
        """As people do after a stop."""
        self.state.stop("clear_stop")
        self.run(lambda: self.state.stop_shown == "none", 10.0)
        self.state.reset()
        self.run(lambda: self.state.session == "ready", 30.0)
        for dialog in self.window.problems.dialogs:
            dialog.close()


@pytest.fixture
def bench(qapp: QApplication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.chdir(tmp_path)  # the safety log of the session goes below the folder it runs in
    mocap = MocapSim(port=0, preset="paper")
    with SimProcess(Config(task="box_pickup", seed=SEED, mocap=mocap, realtime=False)) as robot:
        state = AppState(lambda: SessionClient(worker_command()))
        settings = QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat)
        window = MainWindow(state, settings, runs_root=tmp_path / "runs")
        made = Bench(qapp, robot, state, window, tmp_path / "robot.hdf5")
        state.episode_finished.connect(made.episodes.append)
        state.logged.connect(lambda level, text: made.said.append(f"{level}: {text}"))
        window.resize(1500, 950)
        window.show()
        state.configure(
            backend="t1", robot=f"127.0.0.1:{robot.domain}", mocap=f"natnet:127.0.0.1:{robot.mocap_port}", seed=SEED,
            source="heuristic", auto_next=False,
        )  # fmt: skip
        state.choose_dataset(made.dataset)
        state.begin()
        yield made
        window.close()
        window.deleteLater()


@pytest.mark.slow
def test_that_the_box_is_picked_up_from_the_window_and_a_key_stops_the_robot(bench: Bench) -> None:
    assert bench.run(lambda: bench.state.session == "ready", 120.0)

    for _ in range(TRIES):
        if bench.pick_up():
            break
        bench.again()
    lifted = bench.robot.status()
    assert bench.episodes, bench.said
    assert bench.episodes[-1].success, bench.said
    assert really_up("box_pickup", SEED, lifted)
    assert lifted["violations"] == {}

    QTest.keyClick(bench.window.windowHandle(), Qt.Key.Key_F12)
    assert bench.run(lambda: "robot confirmed" in bench.window.stops.state_label.text(), 5.0)
    assert bench.robot.status()["mode"] == 0  # damping
    recorded = Dataset(bench.dataset)
    assert recorded.episodes[-1].info.success
    assert recorded.spec.backend == "booster simulated"
