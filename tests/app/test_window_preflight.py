"""The page before a real robot moves: lines, ladder, confirmations by name, and a Start that red lines block."""

from fake_client import FakeClient
from PyQt6.QtCore import Qt
from pytestqt.qtbot import QtBot

from app.main_window import MainWindow
from app.panels.preflight import hint_text, rung_lines, summary_of
from core.checks import Line
from trainer.session.messages import Configure, Control, PreflightAsked, PreflightChanged, RungView

RED = Line("bad", "battery", "12 %", "charge it: 20 % are needed to begin")
GREEN = Line("good", "network", "eth0: 500 states/s")
AMBER = Line("caution", "motion capture", "not configured")
RUNGS = (
    RungView("simulation", True, "always open"),
    RungView("shadow", True, "simulation: 6.0 of 5 min", "", 1_800_000_000.0),
    RungView("gantry, arms only", False, "shadow: 1.0 of 3 min", "run it with nothing sent"),
)
FOUND = PreflightChanged((GREEN, RED, AMBER), RUNGS, "T1-0042", "policy, controllers 1234abcd")


def show(window: MainWindow, client: FakeClient, qtbot: QtBot, found: PreflightChanged) -> None:
    client._events.append(found)
    qtbot.waitUntil(lambda: window._state.preflight == found)


def choose_robot(window: MainWindow, qtbot: QtBot) -> None:
    window._state.configure(backend="t1", robot="eth0")
    qtbot.waitUntil(lambda: window._state.session == "ready")


def test_that_the_page_says_to_choose_a_robot_and_comes_up_with_one(
    window: MainWindow, client: FakeClient, qtbot: QtBot
) -> None:
    panel = window.preflight
    assert "Choose a Booster T1" in panel.hint.text()
    assert not panel.stop_test.isEnabled()
    choose_robot(window, qtbot)
    assert not window.docks["Pre-flight"].visibleRegion().isEmpty()
    assert panel.summary.text() == "looking…"


def test_that_lines_and_ladder_are_shown_with_remedies(window: MainWindow, client: FakeClient, qtbot: QtBot) -> None:
    choose_robot(window, qtbot)
    show(window, client, qtbot, FOUND)
    panel = window.preflight
    assert panel.lines.texts[:3] == ("✔ network: eth0: 500 states/s", "✘ battery: 12 %", f"→ {RED.remedy}")
    assert panel.summary.text() == "1 red: start is blocked"
    assert "✘ gantry, arms only: shadow: 1.0 of 3 min" in panel.rungs.texts
    assert any("open until 2027-01-" in text for text in panel.rungs.texts)
    assert "T1-0042 · policy" in panel.who.text()
    show(window, client, qtbot, PreflightChanged((GREEN,)))
    assert panel.lines.texts == ("✔ network: eth0: 500 states/s",)
    assert panel.summary.text() == "ready"


def test_that_a_red_line_blocks_start_with_the_reason_and_the_remedy(
    window: MainWindow, client: FakeClient, qtbot: QtBot
) -> None:
    choose_robot(window, qtbot)
    show(window, client, qtbot, FOUND)
    qtbot.mouseClick(window.session.start, Qt.MouseButton.LeftButton)
    assert client.sent_of(Control) == []
    (dialog,) = window.problems.dialogs
    texts = " ".join(child.text() for child in dialog.findChildren(type(window.session.results)))
    assert "12 %" in texts
    assert "charge it" in texts
    dialog.close()
    show(window, client, qtbot, PreflightChanged((GREEN, AMBER)))
    qtbot.mouseClick(window.session.start, Qt.MouseButton.LeftButton)
    assert client.sent_of(Control) == [Control("start")]


def test_that_a_simulator_is_started_whatever_a_robot_said(
    window: MainWindow, client: FakeClient, qtbot: QtBot
) -> None:
    choose_robot(window, qtbot)
    show(window, client, qtbot, FOUND)
    window._state.configure(backend="mujoco")
    qtbot.mouseClick(window.session.start, Qt.MouseButton.LeftButton)
    assert client.sent_of(Control) == [Control("start")]


def test_that_confirming_needs_a_name_and_sends_it(window: MainWindow, client: FakeClient, qtbot: QtBot) -> None:
    choose_robot(window, qtbot)
    show(window, client, qtbot, FOUND)
    panel = window.preflight
    panel.name.clear()
    assert not panel.gantry.isEnabled()
    assert "needs your name" in panel.hint.text()
    panel.name.setText("Ada")
    for button in (panel.gantry, panel.remote, panel.stop_test):
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    asked = client.sent_of(PreflightAsked)
    assert [(m.action, m.by) for m in asked] == [("gantry", "Ada"), ("remote", "Ada"), ("stop_test", "Ada")]  # type: ignore[union-attr]


def test_that_a_shadow_has_nothing_to_confirm(window: MainWindow, client: FakeClient, qtbot: QtBot) -> None:
    choose_robot(window, qtbot)
    panel = window.preflight
    panel.name.setText("Ada")
    panel.hang.chosen.emit("shadow")
    show(window, client, qtbot, PreflightChanged((GREEN,)))
    assert client.sent_of(Configure)[-1].hang == "shadow"  # type: ignore[union-attr]
    assert not panel.gantry.isEnabled()
    assert not panel.stop_test.isEnabled()


def test_that_looser_speeds_are_only_sent_with_a_name(window: MainWindow, client: FakeClient, qtbot: QtBot) -> None:
    choose_robot(window, qtbot)
    window._state.configure(operator="")
    panel = window.preflight
    panel.name.clear()
    panel.walk.setValue(0.3)
    panel.walk.editingFinished.emit()
    assert "Give your name first" in panel.hint.text()
    assert panel.walk.value() == 0.2
    assert client.sent_of(Configure)[-1].walk_limit_m_s == 0.2  # type: ignore[union-attr]
    panel.name.setText("Ada")
    panel.walk.setValue(0.3)
    panel.walk.editingFinished.emit()
    sent = client.sent_of(Configure)[-1]
    assert (sent.walk_limit_m_s, sent.operator) == (0.3, "Ada")  # type: ignore[union-attr]
    panel.walk.setValue(0.1)
    panel.walk.editingFinished.emit()
    assert client.sent_of(Configure)[-1].walk_limit_m_s == 0.1  # type: ignore[union-attr]


def test_that_words_follow_what_was_found() -> None:
    assert summary_of(None, robot=False) == ("no robot", "idle")
    assert summary_of(PreflightChanged((GREEN, AMBER)), robot=True) == ("ready, 1 amber", "warning")
    assert hint_text(PreflightChanged((GREEN,)), True, False, "It hangs.") == "It hangs."
    practising = PreflightChanged((GREEN,), RUNGS, enforced=False)
    assert [line.level for line in rung_lines(practising)] == ["good", "good", "caution"]
