"""The page of the headset, the ghosts of the operator's hands and the head-up line."""

from dataclasses import replace

import numpy as np
import pytest
from fake_client import FakeClient
from pytestqt.qtbot import QtBot

from app.main_window import MainWindow
from app.state import AppState
from core.teleop.presses import BUTTONS
from core.teleop.xr_sample import Button
from trainer.session.messages import Configure, VrLatency, VrView

PREVIEW = np.array([[0.3, 0.2, 0.9, 1, 0, 0, 0], [np.nan] * 7], np.float32)
RUNNING = VrView(
    state="running", text="", remedy="", runtime="Monado 25.0.0", headset="Remote HMD",
    controllers=("Oculus Touch", "Oculus Touch"), rate_hz=119.8, hands=("engaged", "release"), why=("", "jump"),
    walking=True, scale=0.85, line="left hand follows", buttons=(0, 0), triggers=(0.25, 0.0), squeezes=(1.0, 0.5),
    sticks=(0.0, 0.0, 0.0, 0.0), latency=VrLatency(6.0, 2.0, 1.0, 3.0, 11.0, 24.0, 250.0), preview_w=PREVIEW,
    reachable=(True, False), recording_input=False, joints="left and right",
)  # fmt: skip
ABSENT = replace(
    RUNNING, state="no_runtime", text="no OpenXR runtime is active on this computer", remedy="install one",
    runtime="", headset="", controllers=("", ""), hands=("off", "off"), why=("", ""), line="",
)  # fmt: skip


@pytest.fixture
def vr_window(window: MainWindow, state: AppState, client: FakeClient, qtbot: QtBot) -> MainWindow:
    """The tab VR in front, VR chosen, a runtime that runs."""
    window.docks["VR"].raise_()
    client.vr = RUNNING
    window.vr.runtime.use.click()
    qtbot.waitUntil(lambda: state.telemetry is not None and state.telemetry.vr is not None)
    return window


def show(window: MainWindow, state: AppState, client: FakeClient, qtbot: QtBot, vr: VrView) -> None:
    client.vr = vr
    qtbot.waitUntil(lambda: state.telemetry is not None and state.telemetry.vr is vr)
    window.vr._show()


def test_that_the_button_chooses_the_headset(vr_window: MainWindow, client: FakeClient) -> None:
    chosen = client.sent_of(Configure)[-1]
    assert isinstance(chosen, Configure)
    assert chosen.source == "vr"
    assert not vr_window.vr.runtime.use.isVisible()


def test_that_it_names_runtime_headset_and_controllers(
    vr_window: MainWindow, state: AppState, client: FakeClient, qtbot: QtBot
) -> None:
    show(vr_window, state, client, qtbot, RUNNING)
    page = vr_window.vr
    assert page.runtime.pill.text() == "connected"
    assert page.runtime.words.text() == "Monado 25.0.0 · Remote HMD · Oculus Touch · 120 Hz"
    assert page.hands.states["left"].text() == "follows you"
    assert page.hands.states["right"].text() == "let go of the grip first (dropped: its pose jumped) – out of reach"
    assert page.hands.joints.text() == "Finger joints: left and right."
    assert (page.hands.bars["left", "grip"].value(), page.hands.bars["left", "trigger"].value()) == (100, 25)


def test_that_a_long_name_of_a_runtime_pushes_nothing_out_of_the_page(
    vr_window: MainWindow, state: AppState, client: FakeClient, qtbot: QtBot
) -> None:
    show(vr_window, state, client, qtbot, RUNNING)
    page = vr_window.vr
    usual = page.minimumSizeHint().width()
    show(vr_window, state, client, qtbot, replace(RUNNING, runtime=40 * "Monado "))
    assert page.minimumSizeHint().width() == usual
    assert page.runtime.words.toolTip().startswith(40 * "Monado ")


def test_that_an_absent_runtime_is_shown_with_its_remedy(
    vr_window: MainWindow, state: AppState, client: FakeClient, qtbot: QtBot
) -> None:
    show(vr_window, state, client, qtbot, ABSENT)
    assert vr_window.vr.runtime.pill.text() == "no OpenXR runtime"
    assert vr_window.vr.runtime.remedy.text() == "No OpenXR runtime is active on this computer. Install one."
    assert not vr_window.vr.runtime.remedy.isHidden()
    assert (
        "WiVRn" in vr_window.vr.runtime.remedy.parent().findChild(type(vr_window.vr.runtime.remedy), "vr_how_to").text()
    )


def test_that_buttons_are_ticked_off_as_they_arrive(
    vr_window: MainWindow, state: AppState, client: FakeClient, qtbot: QtBot
) -> None:
    page = vr_window.vr
    show(vr_window, state, client, qtbot, replace(RUNNING, buttons=(0, int(Button.PRIMARY))))
    assert page.buttons.keys["right", Button.PRIMARY].property("down") is True
    assert page.buttons.keys["left", Button.PRIMARY].property("down") is False
    assert "not seen yet: B, X, Y, menu" in page.buttons.checked.text()
    every = int(Button.PRIMARY | Button.SECONDARY | Button.MENU | Button.STICK)
    show(vr_window, state, client, qtbot, replace(RUNNING, buttons=(every, every)))
    assert page.buttons.checked.text() == "every button arrives"
    assert len(page.buttons.keys) == len(BUTTONS) + 2


def test_that_latency_is_shown_by_stage_against_its_limit(
    vr_window: MainWindow, state: AppState, client: FakeClient, qtbot: QtBot
) -> None:
    show(vr_window, state, client, qtbot, RUNNING)
    page = vr_window.vr
    assert (page.hands.latency.value(), page.hands.latency.maximum()) == (12, 250)
    assert "pose 6.0 ms old · mapper 2.0 · safety 1.0 · controller 3.0" in page.hands.stages.text()
    assert "half within 11 ms, 99 % within 24 ms" in page.hands.stages.text()


def test_that_the_operators_hands_are_ghosts_in_the_picture(
    vr_window: MainWindow, state: AppState, client: FakeClient, qtbot: QtBot
) -> None:
    show(vr_window, state, client, qtbot, RUNNING)
    pose = state.pose()
    assert pose is not None
    assert pose.ghosts.asked_pose_w is PREVIEW
    assert pose.ghosts.asked_reachable == (True, False)


def test_that_the_head_up_line_says_what_to_do_next(
    vr_window: MainWindow, state: AppState, client: FakeClient, qtbot: QtBot
) -> None:
    show(vr_window, state, client, qtbot, RUNNING)
    line = vr_window.view.operator_line
    qtbot.waitUntil(lambda: not line.isHidden())
    assert line.text() == "left hand follows │ left: engaged · right: release │ not recording │ 0 kept"
    state.configure(source="heuristic")
    qtbot.waitUntil(line.isHidden)


def test_that_the_raw_input_is_recorded_on_request(vr_window: MainWindow, client: FakeClient) -> None:
    vr_window.vr.runtime.record_input.setChecked(True)
    assert client.sent_of(Configure)[-1].vr.record_folder == "data/operator_input"  # type: ignore[union-attr]
    vr_window.vr.runtime.record_input.setChecked(False)
    assert client.sent_of(Configure)[-1].vr.record_folder is None  # type: ignore[union-attr]


def test_that_limit_and_prediction_reach_the_session(vr_window: MainWindow, client: FakeClient) -> None:
    vr_window.vr.runtime.limit.setValue(180)
    vr_window.vr.runtime.lookahead.setValue(12)
    vr_window.vr.runtime.lookahead.editingFinished.emit()
    vr = client.sent_of(Configure)[-1].vr  # type: ignore[union-attr]
    assert (vr.latency_limit_ms, vr.lookahead_ms) == (180.0, 12.0)


class FakePicture:
    """Where the picture process would be."""

    def __init__(self, stand: str) -> None:
        self.stand, self.alive, self.closed = stand, True, False
        self.lines = ["picture in the headset: 64 x 64 an eye, 72 Hz"]
        self.scenes, self.shown = [], []

    def show(self, telemetry) -> None:
        self.shown.append(telemetry)

    def show_scene(self, scene) -> None:
        self.scenes.append(scene)

    def close(self) -> None:
        self.closed = True


def test_that_the_picture_in_the_headset_gets_scene_and_state_and_ends_when_it_is_no_longer_wanted(
    vr_window: MainWindow, state: AppState, qtbot: QtBot
) -> None:
    page, made = vr_window.vr.picture, []
    page._make_picture = lambda stand: made.append(FakePicture(stand)) or made[-1]  # type: ignore[assignment,func-returns-value]
    page.choice.setCurrentIndex(2)
    page.choice.activated.emit(2)
    qtbot.waitUntil(lambda: len(made[0].shown) > 2)
    assert made[0].stand == "stand"
    assert [scene.scene for scene in made[0].scenes] == [state.scene]
    assert page.says.text() == "picture in the headset: 64 x 64 an eye, 72 Hz"
    page.choice.setCurrentIndex(0)
    page.choice.activated.emit(0)
    assert made[0].closed
    assert page.process is None
