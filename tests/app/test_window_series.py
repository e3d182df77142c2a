"""Ring buffers, plots that read out, and replay: plain arithmetic."""

from dataclasses import replace

import numpy as np
import pytest
from fake_client import FakeClient
from pytestqt.qtbot import QtBot

from app.episodes import hand_poses_w, quat_multiply, quat_rotate
from app.replay import RecordedStates, Replay, blend_pose
from app.series import LiveSeries, RingBuffer
from app.theme import DARK
from app.widgets.plot_card import PlotCard
from trainer.session.messages import Configure


def test_that_a_ring_buffer_keeps_the_newest_rows_in_order() -> None:
    buffer = RingBuffer(columns=1, capacity=4)
    for i in range(11):
        buffer.append(float(i), np.array([10.0 * i]))
        times, values = buffer.window(100.0)
        expected = np.arange(max(0, i - 3), i + 1)
        assert np.array_equal(times, expected)
        assert np.array_equal(values[:, 0], 10.0 * expected)


def test_that_a_window_holds_the_last_seconds_only() -> None:
    buffer = RingBuffer(columns=2, capacity=100)
    for i in range(50):
        buffer.append(0.1 * i, np.zeros(2))
    times, values = buffer.window(1.0)
    assert times[0] == pytest.approx(3.9)
    assert values.shape == (11, 2)


def test_that_an_empty_buffer_gives_no_rows_and_no_capacity_is_refused() -> None:
    times, values = RingBuffer(columns=3).window(5.0)
    assert times.shape == (0,)
    assert values.shape == (0, 3)
    with pytest.raises(ValueError, match="at least 1 row, got 0"):
        RingBuffer(columns=1, capacity=0)


def test_that_a_control_tick_is_plotted_once_and_a_new_worker_starts_anew() -> None:
    client = FakeClient()
    client.start()
    client.send(Configure())
    telemetry = client.latest()
    assert telemetry is not None
    series = LiveSeries()
    for tick in (1, 1, 2, 3):
        series.add(replace(telemetry, tick=tick), 0.02)
    times, values = series.window("hand_position", 10.0)
    assert times == pytest.approx([0.02, 0.04, 0.06])
    assert values[0] == pytest.approx(1e3 * telemetry.hand_pos_error_m)
    series.add(replace(telemetry, tick=0), 0.02)
    assert len(series.window("hand_position", 10.0)[0]) == 1


def test_that_a_plot_reads_out_the_newest_value_or_the_one_under_the_mouse(qtbot: QtBot) -> None:
    card = PlotCard("Speed", "m/s", ("commanded", "actual"), dashed=(0,), colours=(0, 0))
    qtbot.addWidget(card)
    card.apply_theme(DARK)
    card.set_data(np.array([0.0, 1.0, 2.0]), np.array([[0.0, 1.0], [0.1, 1.1], [0.2, np.nan]]), 10.0)
    assert card.readout()[0] == 0.2
    assert card._legend.text == "actual –/0.20"
    card._set_hover(-1.0)
    assert card.readout() == pytest.approx([0.1, 1.1])
    assert card._legend.text == "actual 1.10/0.10"
    card._set_hover(None)
    assert card.readout()[0] == 0.2


def states(count: int = 11) -> RecordedStates:
    base = np.tile(np.array([0.0, 0, 0.6, 1, 0, 0, 0]), (count, 1))
    base[:, 0] = np.arange(count)
    return RecordedStates("demo_0", 0.1 * np.arange(count), base, np.zeros((count, 29)), np.zeros((count, 2)))


def test_that_replay_shows_states_between_the_samples() -> None:
    replay = Replay(states())
    replay.seek(0.25)
    assert replay.index == 2
    assert replay.pose().base_pos_w[0] == pytest.approx(2.5)
    replay.seek(99.0)
    assert replay.position_s == pytest.approx(1.0)
    assert replay.pose().base_pos_w[0] == pytest.approx(10.0)


def test_that_replay_stops_at_the_end_and_play_begins_again() -> None:
    replay = Replay(states())
    replay.speed = 2.0
    replay.advance(0.3)
    assert replay.position_s == pytest.approx(0.6)
    replay.advance(10.0)
    assert (replay.playing, replay.position_s) == (False, pytest.approx(1.0))
    replay.play()
    assert replay.position_s == 0.0


def test_that_replay_steps_by_samples_within_the_episode() -> None:
    replay = Replay(states())
    replay.step(3)
    assert (replay.index, replay.playing) == (3, False)
    replay.step(-10)
    assert replay.index == 0
    replay.step(100)
    assert replay.index == 10


def test_that_an_empty_episode_is_refused() -> None:
    with pytest.raises(ValueError, match="no samples"):
        states(0)


def test_that_poses_blend_along_the_shorter_arc() -> None:
    a = np.array([0.0, 0, 0, 1, 0, 0, 0])
    b = np.array([1.0, 0, 0, -np.cos(0.2), 0, 0, -np.sin(0.2)])  # 0.4 rad about z, written with w < 0
    middle = blend_pose(a, b, 0.5)
    assert middle == pytest.approx([0.5, 0, 0, np.cos(0.1), 0, 0, np.sin(0.1)])


def test_that_commanded_hands_go_from_the_base_to_the_world() -> None:
    base = np.array([[1.0, 2.0, 0.6, np.cos(np.pi / 4), 0, 0, np.sin(np.pi / 4)]])  # turned left by 90 degrees
    action = np.zeros((1, 19))
    action[0, 3:6] = (0.4, 0.1, 0.2)
    action[0, [9, 13]] = 1.0
    left = hand_poses_w(action, base)[0, 0]
    assert left[:3] == pytest.approx([0.9, 2.4, 0.8])
    assert left[3:] == pytest.approx(base[0, 3:])


def test_that_quaternion_product_and_rotation_agree() -> None:
    rng = np.random.default_rng(1)
    a, b, v = rng.normal(size=(5, 4)), rng.normal(size=(5, 4)), rng.normal(size=(5, 3))
    a, b = (q / np.linalg.norm(q, axis=-1, keepdims=True) for q in (a, b))
    assert quat_rotate(quat_multiply(a, b), v) == pytest.approx(quat_rotate(a, quat_rotate(b, v)))
