"""A VR session on a world without physics: an operator made of numbers does everything by controller."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rehearsal import moved
from vr_stage import Stage

from core.control.stop import StopLevel
from core.data.dataset import Dataset
from core.teleop.xr_sample import NO_BUTTON, Button, Flag
from core.teleop.xr_settings import VrSettings
from trainer.session.messages import (
    Configure,
    Control,
    SessionError,
    Stop,
    Telemetry,
    decode,
    encode,
)
from trainer.vr_check import run_again


def test_that_a_hand_follows_and_is_recorded_as_coming_from_vr(make_stage, tmp_path: Path):
    stage = make_stage(dataset=str(tmp_path / "vr.hdf5"), auto_record=False, operator="Ada")
    before = stage.ticks().command_hand_poses_w
    stage.press("right", Button.PRIMARY)
    stage.squeeze(1.0)
    assert stage.vr.hands == ("engaged", "engaged")
    for _ in range(20):
        stage.person.left = moved(stage.person.left, (0.0, 0.005, 0.0))
        stage.ticks(1)
    after = stage.ticks(10).command_hand_poses_w
    np.testing.assert_allclose((after - before)[0, :3], [0.0, 0.1, 0.0], atol=1e-3)
    np.testing.assert_allclose((after - before)[1], 0.0, atol=1e-3)
    stage.press("right", Button.PRIMARY)
    assert stage.recordings() == ["started", "kept"]
    assert [(e.info.source, e.info.operator) for e in Dataset(tmp_path / "vr.hdf5")] == [("vr", "Ada")]


def test_that_one_person_records_keeps_discards_repeats_and_undoes_without_the_keyboard(make_stage, tmp_path: Path):
    stage = make_stage(dataset=str(tmp_path / "vr.hdf5"), auto_record=False)
    stage.press("right", Button.PRIMARY)
    stage.press("right", Button.PRIMARY)
    stage.press("right", Button.PRIMARY)
    stage.press("right", Button.SECONDARY)
    stage.press("left", Button.SECONDARY, seconds=1.0)
    assert stage.recordings() == ["started", "kept", "started", "discarded", "undone"]
    episode = stage.ticks().episode
    stage.press("right", Button.SECONDARY, seconds=1.0)
    assert stage.recordings()[5:] == ["started"]
    assert stage.ticks().episode == episode + 1
    stage.press("left", Button.SECONDARY)
    assert [e.what for e in stage.events if isinstance(e, SessionError)] == ["the recording is not decided"]
    stage.press("right", Button.SECONDARY)
    stage.press("left", Button.SECONDARY)
    assert stage.ticks().episode == episode + 2


def test_that_each_event_is_felt(make_stage, tmp_path: Path):
    stage = make_stage(dataset=str(tmp_path / "vr.hdf5"), auto_record=False)
    pulses = stage.inputs[0].pulses

    def felt() -> list[tuple[str, int]]:
        new = [(p.side, p.count) for p in pulses]
        pulses.clear()
        return new

    felt()
    stage.squeeze(1.0)
    assert felt() == [("left", 1), ("right", 1)]
    stage.person.left = replace(stage.person.left, flags=Flag.ACTIVE)
    stage.ticks()
    assert felt() == [("left", 2)]
    assert stage.vr.line == "left hand dropped: tracking lost; let go of the grip, then squeeze again"
    stage.press("right", Button.PRIMARY)
    stage.recordings()
    assert felt() == [("left", 1), ("right", 1)]
    stage.press("right", Button.PRIMARY)
    stage.recordings()
    assert felt() == [("left", 3), ("right", 3)]
    for _ in range(40):
        stage.person.right = moved(stage.person.right, (0.02, 0.0, 0.0))
        stage.ticks()
    assert ("right", 1) in felt(), "a hand at its limit"


def test_that_both_sticks_stop_the_session_and_a_long_menu_press_clears_a_soft_stop_only(make_stage):
    stage = make_stage()
    stage.squeeze(1.0)
    stage.person.both(buttons=Button.STICK)
    told = stage.ticks(2)
    assert (told.stop, told.holding) == ("soft", True)
    assert told.vr.hands == ("release", "release")
    stage.person.both(buttons=NO_BUTTON)
    stage.ticks(2)
    assert stage.press("left", Button.MENU, seconds=1.0).stop == "none"
    stage.person.both(buttons=Button.STICK)
    assert stage.ticks(60).stop == "hard"
    stage.person.both(buttons=NO_BUTTON)
    stage.ticks(2)
    stage.press("left", Button.MENU, seconds=1.0)
    assert stage.session.stop.level == StopLevel.HARD
    stage.session.receive(Stop("clear_stop"))


def test_that_a_stop_is_latched_by_the_sample_itself_before_the_loop_looks(make_stage):
    stage = make_stage()
    stage.person.both(buttons=Button.STICK)
    stage._feed()
    assert stage.session.stop.level == StopLevel.SOFT


def test_that_a_stop_from_the_window_opens_the_clutches(make_stage):
    stage = make_stage()
    stage.squeeze(1.0)
    stage.session.receive(Stop("soft_stop"))
    assert stage.ticks(2).vr.hands == ("release", "release")
    stage.session.receive(Stop("clear_stop"))
    assert stage.ticks(10).vr.hands == ("release", "release")


def test_that_silence_holds_the_robot(make_stage):
    stage = make_stage()
    stage.squeeze(1.0)
    stage.person.left = replace(stage.person.left, stick=(0.0, 1.0))
    assert stage.ticks(20).velocity_command[0] > 0.1
    stage.silent = True
    told = stage.ticks(15)
    assert (told.holding, told.hold_reason) == (True, "stale command")
    assert np.abs(told.velocity_command).max() == 0.0


def test_that_slow_processing_opens_the_clutches(make_stage):
    stage = make_stage(vr=VrSettings(latency_limit_ms=60.0))
    stage.squeeze(1.0)
    act = stage.session.world.rollout.source.mapper.map

    def slow(*arguments):
        stage.time_s += 0.07
        return act(*arguments)

    stage.session.world.rollout.source.mapper.map = slow
    told = stage.ticks(6)
    assert told.vr.why == ("slow", "slow")


def test_that_menu_pauses_and_goes_on_and_home_brings_the_hands_back(make_stage):
    stage = make_stage()
    home = stage.ticks().command_hand_poses_w
    stage.press("left", Button.MENU)
    assert stage.session.state == "paused"
    stage.press("left", Button.MENU)
    assert stage.session.state == "running"
    stage.squeeze(0.0)
    stage.squeeze(1.0)
    for _ in range(20):
        stage.person.left = moved(stage.person.left, (0.0, 0.005, 0.005))
        stage.ticks(1)
    stage.squeeze(0.0)
    away = stage.ticks(5).command_hand_poses_w
    assert np.linalg.norm((away - home)[0, :3]) > 0.1
    stage.press("left", Button.PRIMARY)
    np.testing.assert_allclose(stage.ticks(50).command_hand_poses_w, home, atol=1e-3)


def test_that_the_ghosts_show_what_would_be_asked_and_whether_it_can_be_reached(make_stage):
    stage = make_stage()
    assert stage.vr.reachable == (True, True)
    stage.person.left = moved(stage.person.left, (0.6, 0.0, 0.0))
    stage.person.right = replace(stage.person.right, flags=Flag.ACTIVE)
    stage.ticks(1)
    assert stage.vr.reachable == (False, False)
    assert np.isfinite(stage.vr.preview_w[0]).all()
    assert np.isnan(stage.vr.preview_w[1]).all()


def test_that_a_recorded_operator_gives_the_same_commands_again(make_stage, tmp_path: Path):
    folder = tmp_path / "input"
    stage = make_stage(vr=VrSettings(record_folder=str(folder)), seed=11)

    def commands(one: Stage, count: int, live: bool) -> np.ndarray:
        rows = []
        for step in range(count):
            if live and step == 10:
                one.person.both(squeeze=1.0)
            if live and 15 < step < 60:
                one.person.left = moved(one.person.left, (0.001, 0.003, -0.002))
                one.person.right = replace(moved(one.person.right, (0.0, -0.002, 0.003)), trigger=step / 60)
            if live and step == 40:
                one.person.left = replace(one.person.left, stick=(0.3, 0.8))
            if live and step == 70:
                one.person.both(squeeze=0.0)
                one.person.left = replace(one.person.left, buttons=Button.PRIMARY)
            if live and step == 80:
                one.person.left = replace(one.person.left, buttons=NO_BUTTON)
            told = one.ticks(1)
            rows.append(
                np.concatenate((told.command_hand_poses_w.ravel(), told.velocity_command, told.gripper_command))
            )
        return np.array(rows)

    stage.session.receive(Control("reset"))
    stage.ticks(1)
    stage.session.receive(Control("start"))
    stage.session.tick()
    lived = commands(stage, 120, live=True)
    stage.session.close()
    tapes = sorted(folder.iterdir())
    assert len(tapes) == 2
    again = make_stage(vr=VrSettings(replay=str(tapes[1])), seed=11)  # its second episode is the recorded one
    again.session.receive(Control("reset"))
    again.session.tick()
    again.session.receive(Control("start"))
    again.session.tick()
    again.silent = True
    np.testing.assert_allclose(commands(again, 120, live=False), lived, atol=1e-6)


def test_that_the_command_line_runs_a_recorded_operator_again_into_a_data_set(make_stage, tmp_path: Path):
    stage = make_stage(vr=VrSettings(record_folder=str(tmp_path / "input")), seed=3)
    stage.squeeze(0.0)
    stage.squeeze(1.0)
    for _ in range(20):
        stage.person.left = moved(stage.person.left, (0.0, 0.005, 0.0))
        stage.ticks(1)
    stage.ticks(10)
    stage.session.close()
    tape = next((tmp_path / "input").iterdir())
    said: list[str] = []
    assert run_again(tape, tmp_path / "again.hdf5", said.append) == 0, said
    assert "box_pickup, seed 3" in said[0]
    episode = Dataset(tmp_path / "again.hdf5").episodes[0]
    assert (episode.info.source, episode.info.seed) == ("vr", 3)
    actions = episode.array("actions")
    assert np.ptp(actions[:, 4]) == pytest.approx(0.1, abs=0.01), "the left hand moved 10 cm to the left again"


def test_that_a_recording_that_is_none_is_refused_with_its_reason(make_stage, tmp_path: Path):
    stage = make_stage()
    bad = tmp_path / "bad.operator"
    bad.write_bytes(b"hello\n")
    stage.session.receive(Control("pause"))
    stage.session.receive(Configure(backend="fake", source="vr", vr=VrSettings(replay=str(bad))))
    stage.ticks(2)
    errors = [e.what for e in stage.events if isinstance(e, SessionError)]
    assert len(errors) == 1
    assert f"{bad} is no recording of an operator" in errors[0]


def test_that_another_source_ends_the_input_process(make_stage):
    stage = make_stage()
    stage.session.receive(Control("pause"))
    stage.ticks()
    stage.session.receive(Configure(backend="fake", source="keyboard"))
    told = stage.ticks(2)
    assert stage.inputs[0].closed
    assert told.vr is None


def test_that_the_view_crosses_the_wire(make_stage):
    told = make_stage().ticks()
    back = decode(encode(told))
    assert isinstance(back, Telemetry)
    assert back.vr is not None
    assert (back.vr.hands, back.vr.latency) == (told.vr.hands, told.vr.latency)
