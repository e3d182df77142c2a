"""How fine the picture of the window is: told to the person, chosen by the person, given way to a robot."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_client import FakeClient
from PyQt6.QtCore import QSettings
from pytestqt.qtbot import QtBot

from app.drawing_pace import JUDGED_FROM, ROBOT_SHARE, SIMULATION_SHARE, DrawingPace
from app.main_window import MainWindow
from app.state import AppState


class Clock:
    """Stands still until told."""

    now_s = 10.0


@pytest.fixture
def clock(window: MainWindow, state: AppState, qtbot: QtBot) -> Iterator[Clock]:
    """The view's pace on a clock of the test's own, the display clock stopped: nothing is drawn meanwhile."""
    clock, view = Clock(), window.view.view
    state._timer.stop()
    qtbot.waitUntil(lambda: not view.canvas.busy)
    before = view.pace
    view.pace = DrawingPace(lambda: clock.now_s)
    yield clock
    view.pace = before
    window.view.choose_picture("auto")


def draw_slowly(pace: DrawingPace, cost_s: float) -> None:
    for _ in range(JUDGED_FROM):
        pace.drew(0.0, cost_s)


def test_that_a_picture_simplified_by_the_computer_says_so(window: MainWindow, clock: Clock) -> None:
    view = window.view
    view._show_rate()
    assert "simplified" not in view.rate.text()

    draw_slowly(view.view.pace, 0.2)
    draw_slowly(view.view.pace, 0.05)
    view._show_rate()

    assert view.rate.text().endswith("fps · simplified")
    assert "because this computer draws slowly: no shadows, 50 ms a frame" in view.rate.toolTip()


def test_that_drawing_gets_less_time_beside_a_robot(window: MainWindow, state: AppState, clock: Clock) -> None:
    state.ticked.emit()
    assert window.view.view.pace.share == SIMULATION_SHARE
    state.configure(backend="t1", robot="lo:123")
    state.ticked.emit()
    assert window.view.view.pace.share == ROBOT_SHARE


def test_that_the_person_can_choose_a_simple_picture(window: MainWindow, clock: Clock) -> None:
    window.view.picture.setCurrentIndex(window.view.picture.findData("simple"))
    assert window.view.view.pace.detail == "coarse"
    assert "simplified" not in window.view.rate.text()
    window.view.picture.setCurrentIndex(window.view.picture.findData("auto"))
    assert window.view.view.pace.detail == "full"


def test_that_the_choice_is_kept_for_the_next_window(qtbot: QtBot, settings: QSettings, tmp_path: Path) -> None:
    for expected in ("auto", "full"):
        state = AppState(FakeClient)
        window = MainWindow(state, settings, runs_root=tmp_path / "runs")
        qtbot.addWidget(window)
        assert window.view.view.pace.choice == expected
        assert window.view.picture.currentData() == expected
        window.view.choose_picture("full")
        window.close()


def test_that_plots_are_drawn_less_often_where_the_computer_draws_slowly(
    window: MainWindow, state: AppState, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[int] = []
    monkeypatch.setattr(window.plots, "draw", lambda: drawn.append(1))
    for _ in range(30):
        state.ticked.emit()
    fast = len(drawn)
    draw_slowly(window.view.view.pace, 0.2)
    for _ in range(30):
        state.ticked.emit()
    assert (fast, len(drawn) - fast) == (10, 5)
