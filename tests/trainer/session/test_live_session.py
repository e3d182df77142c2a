"""A live session in this process, on a world without physics, with a clock that the test turns."""

import threading
from pathlib import Path

import pytest
import torch
from desk_parts import Clock, Heard

from core.data.dataset import Dataset
from core.data.episodes import DatasetWriter
from core.data.schema import DatasetSpec
from trainer.session.live import LiveSession
from trainer.session.messages import (
    Configure,
    Control,
    EpisodeFinished,
    Heartbeat,
    Hello,
    Keys,
    Label,
    Record,
    RecordingChanged,
    SceneChanged,
    SessionError,
    StateChanged,
    Stop,
    StopChanged,
    WorkerEvent,
    encode,
)


class Desk(Heard):
    """A session, its clock and what it said."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.events: list[WorkerEvent] = []
        self.session = LiveSession(self.events.append, now=self.clock.now, sleep=self.clock.sleep)
        self.heart = True

    def ready(self, **settings) -> "Desk":
        self.session.receive(Hello("client"))
        self.session.receive(Configure(**{"backend": "fake", **settings}))
        self.session.tick()
        assert self.session.state == "ready", self.events
        return self

    def running(self, **settings) -> "Desk":
        self.ready(**settings)
        self.session.receive(Control("start"))
        self.session.tick()
        assert self.session.state == "running", self.events
        return self

    def send(self, *messages) -> None:
        for message in messages:
            self.session.receive(message)

    def ticks(self, count: int) -> None:
        for _ in range(count):
            if self.heart:
                self.session.receive(Heartbeat())
            self.session.tick()

    def limit(self, seconds: float) -> None:
        """Make the task's time limit short."""
        self.session.world.task.time_limit_s = seconds

    def recorded(self) -> None:
        """Wait for the recorder's thread."""
        assert self.session.world is not None
        done = threading.Event()
        self.session.world.recorder.thread.hand(done.set)
        assert done.wait(10)


@pytest.fixture
def desk():
    desk = Desk()
    yield desk
    desk.session.close()


def test_that_configuring_shows_the_scene_and_start_runs(desk):
    desk.running()
    states = [event.state for event in desk.told(StateChanged)]
    assert states == ["loading", "ready", "running"]
    scene = desk.told(SceneChanged)[0]
    assert scene.task == "box_pickup"
    assert "box" in [item.name for item in scene.scene.objects]
    assert desk.told(SessionError) == []


def test_that_the_loop_keeps_50_hz_and_the_telemetry_says_what_it_does(desk):
    desk.running()
    started = desk.clock.time_s
    desk.ticks(100)
    assert desk.clock.time_s - started == pytest.approx(2.0)
    telemetry = desk.telemetry
    assert telemetry.loop.rate_hz == pytest.approx(50.0)
    assert telemetry.loop.missed_ticks == 0
    assert (telemetry.source, telemetry.stage, telemetry.state) == ("heuristic", "approach", "running")
    assert telemetry.velocity_command[0] > 0.1
    assert set(telemetry.object_poses_w) == {"table", "table_pedestal", "box"}
    assert len(encode(telemetry)) < 10_000


def test_that_a_missing_heartbeat_holds_and_a_new_one_resumes(desk):
    desk.running()
    desk.ticks(50)
    assert desk.telemetry.velocity_command[0] > 0.1
    desk.heart = False
    desk.ticks(12)
    assert not desk.telemetry.holding  # 240 ms
    hands = desk.telemetry.hand_poses_w
    desk.ticks(2)
    held = desk.telemetry
    assert (held.holding, held.hold_reason) == (True, "no heartbeat")
    assert abs(held.velocity_command).max() == 0.0
    torch.testing.assert_close(torch.tensor(held.hand_poses_w), torch.tensor(hands))
    assert desk.session.state == "running"  # balance goes on
    desk.heart = True
    desk.ticks(30)
    assert not desk.telemetry.holding
    assert desk.telemetry.velocity_command[0] > 0.1


def test_that_headless_needs_no_heartbeat(desk):
    desk.session.receive(Configure(backend="fake"))
    desk.session.tick()
    desk.session.receive(Control("start"))
    for _ in range(100):
        desk.session.tick()
    assert not desk.telemetry.holding


def test_that_a_soft_stop_is_obeyed_in_the_next_period_and_cleared(desk):
    desk.running()
    desk.ticks(50)
    desk.send(Stop("soft_stop"))
    desk.ticks(1)
    assert desk.telemetry.stop == "soft"
    assert abs(desk.telemetry.velocity_command).max() == 0.0
    assert [event.state for event in desk.told(StopChanged)] == ["soft"]
    assert desk.told(StopChanged)[0].latency_ms <= 20.0
    desk.ticks(50)
    desk.send(Stop("clear_stop"))
    desk.ticks(40)
    assert [event.state for event in desk.told(StopChanged)] == ["soft", "none"]
    assert desk.telemetry.velocity_command[0] > 0.1


def test_that_a_hard_stop_is_latched_ends_the_episode_and_needs_a_clear_before_start(desk):
    desk.running()
    desk.ticks(20)
    desk.send(Stop("hard_stop"))
    desk.ticks(1)
    assert desk.telemetry.stop == "hard"
    assert desk.session.world is not None
    assert bool(desk.session.world.rollout.target.damping.all())
    assert [(e.success, e.reason) for e in desk.told(EpisodeFinished)] == [(False, "hard stop")]
    desk.send(Stop("soft_stop"), Control("start"), Control("resume"))
    desk.ticks(50)
    assert desk.telemetry.stop == "hard"
    assert bool(desk.session.world.rollout.target.damping.all())
    desk.send(Stop("clear_stop"))
    desk.ticks(2)
    assert (desk.session.state, desk.telemetry.stop) == ("ready", "none")
    desk.send(Control("start"))
    desk.ticks(30)
    assert desk.session.state == "running"
    assert desk.telemetry.time_s == pytest.approx(0.6, abs=0.05)  # a new episode


def test_that_nothing_starts_while_a_stop_is_latched(desk):
    desk.ready()
    desk.send(Stop("soft_stop"))
    desk.ticks(1)
    assert [event.state for event in desk.told(StopChanged)] == ["soft"]  # confirmed though nothing moves
    desk.send(Control("start"))
    desk.ticks(1)
    assert desk.session.state == "ready"
    assert desk.told(SessionError)[-1].remedy == "clear the stop first"


def test_that_pause_freezes_time_and_resume_goes_on(desk):
    desk.running()
    desk.ticks(10)
    desk.send(Control("pause"))
    desk.ticks(5)
    frozen = desk.telemetry.time_s
    desk.ticks(5)
    assert desk.telemetry.time_s == frozen
    assert desk.session.state == "paused"
    desk.send(Control("resume"))
    desk.ticks(10)
    assert desk.telemetry.time_s > frozen
    assert desk.telemetry.loop.missed_ticks == 0


def test_that_reset_abandons_the_episode_and_waits_for_start(desk):
    desk.running()
    desk.ticks(30)
    desk.send(Control("reset"))
    desk.ticks(1)
    assert [event.reason for event in desk.told(EpisodeFinished)] == ["reset"]
    assert (desk.session.state, desk.telemetry.time_s) == ("ready", 0.0)
    assert desk.telemetry.episodes_finished == 0


def test_that_the_source_can_change_between_episodes_without_loading_anew(desk):
    desk.running()
    desk.ticks(20)
    controller = desk.session.world.controller
    desk.send(Configure(backend="fake", source="keyboard"))
    desk.ticks(20)
    assert desk.telemetry.source == "heuristic"  # the running episode goes on
    desk.send(Control("reset"))
    desk.ticks(1)
    assert desk.telemetry.source == "keyboard"
    assert [scene.time_limit_s for scene in desk.told(SceneChanged)] == [25.0, 300.0]  # a person needs longer
    assert desk.session.world.controller is controller
    assert [event.state for event in desk.told(StateChanged)].count("loading") == 1


def test_that_keys_walk_the_robot_and_silence_stops_it(desk):
    desk.running(source="keyboard")
    for _ in range(25):
        desk.send(Keys(("w",)))
        desk.ticks(1)
    assert desk.telemetry.velocity_command[0] == pytest.approx(0.25)
    desk.ticks(14)  # the window froze with the key down, heartbeats go on
    assert (desk.telemetry.holding, desk.telemetry.hold_reason) == (True, "stale command")
    assert abs(desk.telemetry.velocity_command).max() == 0.0


def test_that_an_unknown_key_source_task_or_backend_is_an_error_with_names_not_a_crash(desk):
    desk.ready()
    desk.send(Keys(("x",)), Configure(backend="fake", source="joystick"))
    desk.ticks(1)
    desk.send(Configure(backend="gazebo"))
    desk.ticks(1)
    desk.send(Configure(backend="fake", task="juggle"))
    desk.ticks(1)
    messages = [event.what for event in desk.told(SessionError)]
    assert "key 'x' does nothing" in messages[0]
    assert "source 'joystick' does not exist; known: heuristic, keyboard" in messages[1]
    assert "backend 'gazebo' does not exist; known: mujoco, t1, t1_whole_body, fake" in messages[2]
    assert "task 'juggle' does not exist; known: box_pickup" in messages[3]
    assert desk.session.state == "unconfigured"
    desk.ready()


def test_that_commands_before_anything_is_configured_are_refused(desk):
    desk.send(Control("start"), Record("keep"), Label("x"))
    desk.ticks(3)
    assert len(desk.told(SessionError)) == 2


def test_that_a_broken_loop_becomes_a_hard_stop_and_an_error(desk):
    desk.running()
    desk.session.world.rollout.source.act = lambda state: 1 / 0
    desk.ticks(6)
    error = desk.told(SessionError)[-1]
    assert "division by zero" in error.what
    assert "ZeroDivisionError" in error.detail
    assert desk.telemetry.stop == "hard"
    assert desk.session.state == "ready"


def test_that_interventions_are_counted_over_the_session(desk):
    desk.running()
    desk.session.world.rollout.safety.limits = desk.session.world.rollout.safety.limits.hardware()
    desk.ticks(50)
    assert desk.telemetry.interventions["speed"] > 0
    assert desk.telemetry.interventions["not_finite"] == 0


# ---------------------------------------------------------------------------------------------------- recording


def dataset(path: Path) -> list[tuple[str, bool, int]]:
    return [(e.info.reason, e.info.success, e.info.num_samples) for e in Dataset(path)]


def test_that_episodes_record_themselves_in_automatic_mode(desk, tmp_path):
    path = tmp_path / "a.hdf5"
    desk.running(dataset=str(path), seed=7, realtime=False, episodes=1)
    desk.limit(2.0)  # without physics the robot never gets there
    desk.ticks(110)
    desk.recorded()
    assert [event.action for event in desk.told(RecordingChanged)] == ["started", "kept"]
    assert dataset(path) == [("time limit", False, 20)]
    info = Dataset(path).episodes[0].info
    assert (info.seed, info.source, info.task) == (7, "heuristic", "box_pickup")
    assert desk.session.finished
    assert desk.told(EpisodeFinished)[0].recorded


def test_that_a_recording_is_started_labelled_and_kept_by_hand(desk, tmp_path):
    path = tmp_path / "a.hdf5"
    desk.running(dataset=str(path), source="keyboard", auto_record=False)
    desk.ticks(20)
    assert desk.telemetry.recording == "off"
    desk.send(Record("start"))
    desk.ticks(10)
    assert (desk.telemetry.recording, desk.telemetry.recorded_samples) == ("recording", 2)
    desk.send(Label("nice"), Record("keep"))
    desk.ticks(1)
    desk.recorded()
    assert dataset(path) == [("kept by the operator before the end", False, 2)]
    assert Dataset(path).episodes[0].info.label == "nice"
    assert desk.telemetry.recorded_episodes == 1


def test_that_discard_undo_and_again_do_what_they_say(desk, tmp_path):
    path = tmp_path / "a.hdf5"
    desk.running(dataset=str(path), auto_record=False)
    desk.send(Record("start"))
    desk.ticks(10)
    desk.send(Record("discard"))
    desk.ticks(1)
    desk.recorded()
    assert dataset(path) == []
    desk.send(Record("start"))
    desk.ticks(10)
    desk.send(Record("again"))
    desk.ticks(11)
    assert desk.telemetry.time_s == pytest.approx(0.22)
    assert desk.telemetry.recorded_samples == 3
    desk.send(Record("keep"))
    desk.ticks(1)
    desk.recorded()
    assert len(dataset(path)) == 1
    desk.send(Record("undo"))
    desk.ticks(1)
    desk.recorded()
    assert dataset(path) == []
    assert [event.action for event in desk.told(RecordingChanged)] == [
        "started", "discarded", "started", "discarded", "started", "kept", "undone",
    ]  # fmt: skip


def test_that_an_episode_that_ends_waits_for_the_operators_word(desk, tmp_path):
    path = tmp_path / "a.hdf5"
    desk.running(dataset=str(path), auto_record=False, auto_next=False, realtime=False)
    desk.limit(2.0)
    desk.send(Record("start"))
    desk.ticks(110)
    assert (desk.session.state, desk.telemetry.recording) == ("ready", "finished")
    desk.send(Record("keep"))
    desk.ticks(1)
    desk.recorded()
    assert [reason for reason, _, _ in dataset(path)] == ["time limit"]


def test_that_changed_settings_lose_no_recording_that_waits_for_a_word(desk, tmp_path):
    path = tmp_path / "a.hdf5"
    settings = {"dataset": str(path), "auto_record": False, "auto_next": False, "realtime": False}
    desk.running(**settings)
    desk.limit(1.0)
    desk.send(Record("start"))
    desk.ticks(60)
    desk.send(Configure(backend="fake", auto_record=False))  # the browser asks for the data set
    desk.ticks(1)
    desk.recorded()
    assert dataset(path) == [("time limit", False, 9)]  # the first command came before the record key


def test_that_quitting_in_the_middle_leaves_what_was_recorded_for_recovery(desk, tmp_path):
    path = tmp_path / "a.hdf5"
    desk.running(dataset=str(path))
    desk.ticks(25)
    desk.session.close()
    with DatasetWriter.open(path) as writer:
        assert [(info.label, info.num_samples) for info in writer.recovered] == [("recovered", 6)]


def test_that_reset_discards_an_automatic_recording(desk, tmp_path):
    path = tmp_path / "a.hdf5"
    desk.running(dataset=str(path))
    desk.ticks(20)
    desk.send(Control("reset"))
    desk.ticks(1)
    desk.recorded()
    assert dataset(path) == []


def test_that_the_data_set_is_free_to_edit_between_recordings(desk, tmp_path):
    path = tmp_path / "a.hdf5"
    desk.running(dataset=str(path), auto_record=False)
    desk.send(Record("start"))
    desk.ticks(10)
    desk.send(Record("keep"))
    desk.ticks(1)
    desk.recorded()
    with DatasetWriter.open(path) as writer:
        writer.delete(writer.names)
    desk.send(Record("undo"))
    desk.ticks(1)
    desk.recorded()
    assert "no kept episode to undo" in desk.told(SessionError)[-1].what


def test_that_a_data_set_of_another_task_is_refused_with_a_remedy_and_the_loop_goes_on(desk, tmp_path):
    path = tmp_path / "a.hdf5"
    DatasetWriter.open(path, DatasetSpec("door", {"a": 1}, ("x",)), create=True).close()
    desk.running(dataset=str(path))
    desk.recorded()
    error = desk.told(SessionError)[0]
    assert "task: data set has door, recording has box_pickup" in error.what
    assert "observation_sizes" not in error.what  # which follows from the task
    desk.ticks(10)
    assert desk.session.state == "running"


def test_that_a_refused_data_set_never_looks_like_a_recording(desk, tmp_path):
    path = tmp_path / "a.hdf5"
    path.write_text("hello")
    desk.running(dataset=str(path))
    desk.recorded()
    desk.ticks(10)
    assert (desk.telemetry.recording, desk.telemetry.recorded_samples) == ("refused", 0)
    desk.send(Record("keep"))
    desk.ticks(1)
    assert "nothing to keep" in desk.told(SessionError)[-1].what
    path.unlink()  # the person made room: pressing record tries again
    desk.send(Record("start"))
    desk.ticks(5)
    desk.recorded()
    desk.ticks(5)
    assert (desk.telemetry.recording, desk.telemetry.recorded_samples) == ("recording", 2)


def test_that_a_refused_data_set_is_tried_again_with_the_next_episode(desk, tmp_path):
    path = tmp_path / "a.hdf5"
    path.write_text("hello")
    desk.running(dataset=str(path), realtime=False)
    desk.recorded()
    desk.limit(0.4)
    path.unlink()
    desk.ticks(30)
    desk.recorded()
    assert desk.telemetry.recording == "recording"


def test_that_recording_without_a_data_set_is_refused_with_a_remedy(desk):
    desk.ready()
    desk.send(Record("start"))
    desk.ticks(1)
    assert desk.told(SessionError)[0].remedy == "choose a data set in the recording panel"
