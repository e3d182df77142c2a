"""The data-set browser on a real file: sort, plot, replay, trim, delete, undo."""

import threading
from pathlib import Path

import numpy as np
import pytest
from dataset_example import make_dataset
from fake_client import FakeClient
from pixels import changed_pixels
from PyQt6.QtCore import QPoint, Qt
from pytestqt.qtbot import QtBot

from app.main_window import MainWindow
from app.panels.browser import BrowserPanel
from app.starts import directions, measures_text, outline, positions
from app.state import AppState
from core.data.dataset import Dataset
from core.tasks.starts import StartRanges
from trainer.dataset_measures import dataset_measures
from trainer.session.messages import Configure


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return make_dataset(tmp_path / "demo.hdf5", 3)


@pytest.fixture
def browser(window: MainWindow, state: AppState, path: Path, qtbot: QtBot) -> BrowserPanel:
    state.choose_dataset(path)
    qtbot.waitUntil(lambda: len(state.library.rows) == 3)
    return window.browser


def column(browser: BrowserPanel, index: int) -> list[str]:
    return [browser.sorted.index(row, index).data() for row in range(browser.sorted.rowCount())]


def select(browser: BrowserPanel, qtbot: QtBot, *names: str) -> None:
    browser.select(set(names))
    qtbot.waitUntil(lambda: not browser._state.library.busy)


def edited(browser: BrowserPanel, qtbot: QtBot, lengths: list[int]) -> None:
    library = browser._state.library
    qtbot.waitUntil(lambda: [row.num_samples for row in library.rows] == lengths and not library.busy)


def test_that_every_episode_is_listed_with_what_the_record_says(browser: BrowserPanel) -> None:
    assert column(browser, 0) == ["0", "1", "2"]
    assert column(browser, 1) == ["✔ success", "✔ success", "✘ failure"]
    assert column(browser, 2) == ["2.0 s", "3.0 s", "4.0 s"]
    assert column(browser, 6) == ["Ada"] * 3
    assert "2 of 3 succeeded" in browser.summary.text()


def test_that_numbers_are_sorted_as_numbers(browser: BrowserPanel) -> None:
    browser.table.sortByColumn(7, Qt.SortOrder.AscendingOrder)
    assert column(browser, 7) == ["98", "99", "100"]
    browser.table.sortByColumn(2, Qt.SortOrder.DescendingOrder)
    assert column(browser, 0) == ["2", "1", "0"]


def test_that_any_field_and_column_can_be_plotted(browser: BrowserPanel, qtbot: QtBot) -> None:
    select(browser, qtbot, "demo_1")
    assert browser.plot.shown[0] == "base_velocity_x_m_s"
    leaf = browser._leaf("states/articulation/robot/joint_position")
    assert leaf is not None
    browser._on_field_clicked(leaf, 0)
    qtbot.waitUntil(lambda: "Left_Shoulder_Pitch" in browser.plot.shown)
    assert len(browser.plot.shown) == 8
    leaf.child(28).setCheckState(0, Qt.CheckState.Checked)  # type: ignore[union-attr]
    assert browser.plot.shown[-1] == "Right_Ankle_Roll"
    assert len(browser.plot.plot.getPlotItem().curves) == 9


def test_that_replay_moves_the_robot_in_the_picture(browser: BrowserPanel, window: MainWindow, qtbot: QtBot) -> None:
    select(browser, qtbot, "demo_2")
    qtbot.mouseClick(browser.replay, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: browser._state.replay is not None)
    replay = browser._state.replay
    assert replay is not None
    replay.pause()
    replay.seek(0.0)
    browser._state.pull()
    browser._state.pull()
    start = window.view.view.screenshot()
    bar = window.view.replay_bar
    assert bar.isVisible()
    assert "REPLAY  demo_2" in window.view.banner.text()
    bar.slider.setValue(10_000)
    bar._on_slider_moved(10_000)
    browser._state.pull()
    browser._state.pull()
    assert changed_pixels(start, window.view.view.screenshot()) > 500
    assert bar.time.text().split()[0] == "3.90"
    qtbot.mouseClick(bar.live, Qt.MouseButton.LeftButton)
    assert browser._state.replay is None
    assert not bar.isVisible()


def test_that_replay_plays_pauses_steps_and_changes_speed(
    browser: BrowserPanel, window: MainWindow, qtbot: QtBot
) -> None:
    select(browser, qtbot, "demo_0")
    browser.replay.click()
    qtbot.waitUntil(lambda: browser._state.replay is not None)
    replay, bar = browser._state.replay, window.view.replay_bar
    assert replay is not None
    qtbot.waitUntil(lambda: replay.position_s > 0.1)
    bar.play.click()
    assert not replay.playing
    index = replay.index
    bar.forth.click()
    bar.forth.click()
    bar.back.click()
    assert replay.index == index + 1
    bar.speed.setCurrentText("4 ×")
    bar.speed.activated.emit(bar.speed.currentIndex())
    assert replay.speed == 4.0


def test_that_a_trim_can_be_undone_and_done_again(browser: BrowserPanel, qtbot: QtBot) -> None:
    select(browser, qtbot, "demo_2")
    browser.mark.setChecked(True)
    browser.plot.set_region(1.0, 1.9)
    browser.trim.click()
    edited(browser, qtbot, [20, 30, 10])
    browser.undo.click()
    edited(browser, qtbot, [20, 30, 40])
    browser.redo.click()
    edited(browser, qtbot, [20, 30, 10])


def test_that_deleted_episodes_come_back(browser: BrowserPanel, qtbot: QtBot) -> None:
    select(browser, qtbot, "demo_0", "demo_1")
    browser.delete.click()
    edited(browser, qtbot, [40])
    browser.undo.click()
    edited(browser, qtbot, [20, 30, 40])


def test_that_an_episode_can_be_judged_anew(browser: BrowserPanel, qtbot: QtBot) -> None:
    select(browser, qtbot, "demo_2")
    browser.good.click()
    qtbot.waitUntil(lambda: browser._state.library.rows[2].success)
    assert browser.selected[0].name == "demo_2"  # the selection survives


def test_that_the_recorder_lets_go_of_the_data_set_during_a_change(
    browser: BrowserPanel, client: FakeClient, path: Path, qtbot: QtBot
) -> None:
    select(browser, qtbot, "demo_0")
    already = len(client.sent_of(Configure))
    browser.delete.click()
    edited(browser, qtbot, [30, 40])
    told = [message.dataset for message in client.sent_of(Configure)[already:]]  # type: ignore[union-attr]
    assert told == [None, str(path)]


def test_that_a_locked_data_set_is_told_with_a_remedy_and_nothing_changes(
    browser: BrowserPanel, window: MainWindow, path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app import episodes
    from core.data.episodes import DatasetWriter

    monkeypatch.setattr(episodes.edit, "__defaults__", (0.0,))
    with DatasetWriter.open(path):
        select(browser, qtbot, "demo_0")
        browser.delete.click()
        qtbot.waitUntil(lambda: len(window.problems.dialogs) == 1)
    problem = window.problems.dialogs[0].problem
    assert "is being written by" in problem.cause
    assert len(browser._state.library.rows) == 3
    window.problems.dialogs[0].close()


def test_that_a_file_that_is_no_data_set_is_told(
    window: MainWindow, state: AppState, tmp_path: Path, qtbot: QtBot
) -> None:
    wrong = tmp_path / "wrong.hdf5"
    wrong.write_text("not HDF5")
    state.choose_dataset(wrong)
    qtbot.waitUntil(lambda: len(window.problems.dialogs) == 1)
    assert "wrong.hdf5" in window.problems.dialogs[0].problem.cause
    window.problems.dialogs[0].close()


def test_that_a_click_in_the_plot_moves_the_replay(browser: BrowserPanel, qtbot: QtBot) -> None:
    select(browser, qtbot, "demo_2")
    browser.replay.click()
    qtbot.waitUntil(lambda: browser._state.replay is not None)
    plot = browser.plot.plot
    centre = QPoint(plot.viewport().width() // 2, plot.viewport().height() // 2)  # type: ignore[union-attr]
    qtbot.mouseClick(plot.viewport(), Qt.MouseButton.LeftButton, pos=centre)
    replay = browser._state.replay
    assert replay is not None
    assert not replay.playing
    assert replay.position_s == pytest.approx(2.0, abs=0.4)


def test_that_reading_leaves_the_gui_free(browser: BrowserPanel, qtbot: QtBot) -> None:
    ticks: list[int] = []
    browser._state.ticked.connect(lambda: ticks.append(1))
    release = threading.Event()
    browser._state.library._background.submit("slow", lambda: release.wait(30.0))
    assert browser.progress.isVisible()
    qtbot.waitUntil(lambda: len(ticks) >= 2)
    release.set()
    qtbot.waitUntil(lambda: not browser._state.library.busy)
    assert not browser.progress.isVisible()


def test_that_the_starts_of_all_episodes_are_on_a_map_with_coverage_and_quality(
    browser: BrowserPanel, path: Path, qtbot: QtBot
) -> None:
    browser.tabs.setCurrentWidget(browser.starts)
    qtbot.waitUntil(lambda: len(browser.starts.dots.points()) == 3)
    colours = [point.brush().color().name() for point in browser.starts.dots.points()]
    theme = browser._state.theme
    assert colours == [theme.good, theme.good, theme.danger]
    assert [point.pos().y() for point in browser.starts.dots.points()] == pytest.approx([-0.8] * 3)
    assert browser.starts.words.text() == measures_text(dataset_measures(Dataset(path)))
    assert "100 % outside" in browser.starts.words.text()
    browser.starts.dots.sigClicked.emit(browser.starts.dots, [browser.starts.dots.points()[1]], None)
    assert [episode.name for episode in browser.selected] == ["demo_1"]
    browser.tabs.setCurrentWidget(browser.plot)


def test_that_the_map_is_seen_from_above() -> None:
    """A robot at (-1.5, -0.3) m of an object at 0, first facing it, then turned 90 degrees to the left."""
    distance, angle = np.hypot(1.5, 0.3), np.arctan2(0.3, 1.5)
    values = np.array([[distance, angle, 0.0], [distance, angle, np.pi / 2]])
    assert positions(values) == pytest.approx(np.array([[0.3, -1.5]] * 2))
    ahead = np.array([-0.3, 1.5]) / distance
    assert directions(values) == pytest.approx(np.array([ahead, [-ahead[1], ahead[0]]]))
    border = np.hypot(*outline(StartRanges()).T)
    assert (border.min(), border.max()) == pytest.approx((1.2, 1.7))
