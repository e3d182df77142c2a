"""An episode beside its simulation: a real process simulates, both robots are in the picture."""

import sys
from pathlib import Path

import numpy as np
import pytest
from dataset_example import make_dataset
from pixels import changed_pixels
from PyQt6.QtCore import Qt
from pytestqt.qtbot import QtBot

from app.main_window import MainWindow
from app.replay import RecordedStates, Replay, pose_at
from app.reruns import Reruns
from app.state import AppState
from core.data.dataset import Dataset
from core.data.episodes import DatasetWriter


def states(offset_m: float, beside: RecordedStates | None = None, samples: int = 3) -> RecordedStates:
    base = np.tile(np.array([offset_m, 0.0, 0.7, 1.0, 0.0, 0.0, 0.0]), (samples, 1))
    return RecordedStates(
        "test", 0.1 * np.arange(samples), base, np.zeros((samples, 29)), np.zeros((samples, 2)),
        {"box": np.tile(np.array([1.0, offset_m, 0.8, 1, 0, 0, 0]), (samples, 1))}, beside=beside,
    )  # fmt: skip


def test_that_both_are_shown_at_the_same_time_with_their_distance() -> None:
    replay = Replay(states(0.0, beside=states(0.12)))
    replay.seek(0.15)

    pose = replay.pose()

    assert pose.beside is not None
    assert pose.beside.base_pos_w[0] == pytest.approx(0.12)
    assert replay.apart() == "apart: base 12.0 cm, joints 0.000 rad, box 12.0 cm"


def test_that_a_simulation_that_ended_earlier_stays_where_it_ended() -> None:
    short = states(0.5, samples=2)
    assert pose_at(short, 9.0).base_pos_w[0] == pytest.approx(0.5)
    assert Replay(states(0.0)).apart() == ""


def test_that_the_button_simulates_and_shows_both_robots(
    window: MainWindow, state: AppState, tmp_path: Path, qtbot: QtBot
) -> None:
    path = rerun_beside(make_dataset(tmp_path / "demo.hdf5", 1))
    state.choose_dataset(path)
    qtbot.waitUntil(lambda: len(state.library.rows) == 1)
    window.browser.select({"demo_0"})
    qtbot.waitUntil(lambda: not state.library.busy)

    qtbot.mouseClick(window.browser.beside, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: state.replay is not None, timeout=120_000)

    replay = state.replay
    assert replay is not None
    replay.pause()
    qtbot.waitUntil(lambda: window.view.view.pose.beside is not None)
    assert "simulated again" in window.view.banner.text()
    assert window.view.replay_bar.apart.text().startswith("apart: base")
    both = window.view.view.screenshot()
    pose = window.view.view.pose
    window.view.view.set_pose(pose.__class__(pose.base_pos_w, pose.base_quat_w, pose.joint_pos, pose.gripper_opening))
    assert changed_pixels(both, window.view.view.screenshot()) > 300


def rerun_beside(path: Path) -> Path:
    """What `refine-dp dataset rerun` would write, so that the process only has to find it: other samples, same uuid."""
    (episode,) = list(Dataset(path))
    output = make_dataset(path.with_name("demo.rerun.hdf5"), 1)
    import h5py

    with h5py.File(output, "r+") as file:
        file["data/demo_0"].attrs["source"] = f"rerun {episode.info.uuid}"
        file["data/demo_0/states/articulation/robot/root_pose"][:, 1] += 0.4
    DatasetWriter.open(output).close()
    return path


def test_that_a_simulation_that_fails_says_why(tmp_path: Path, qtbot: QtBot) -> None:
    path = make_dataset(tmp_path / "demo.hdf5", 1)
    reruns = Reruns((sys.executable, "-c", "import sys; sys.exit('no such controller')"))
    with qtbot.waitSignal(reruns.failed, timeout=30_000) as blocker:
        reruns.start(path, "demo_0", lambda _: None)
    reruns.close()

    problem = blocker.args[0]
    assert problem.title == "The episode was not simulated again"
    assert problem.cause == "the simulation ended with status 1: no such controller"


def test_that_closing_ends_a_simulation_that_runs(tmp_path: Path, qtbot: QtBot) -> None:
    path = make_dataset(tmp_path / "demo.hdf5", 1)
    reruns = Reruns((sys.executable, "-c", "import time; time.sleep(600)"))
    reruns.start(path, "demo_0", lambda _: None)
    qtbot.waitUntil(lambda: reruns._process is not None)
    reruns.close()
    assert reruns._process is not None
    assert reruns._process.wait(10) != 0
