"""Recorded episodes run again: from recording by the loop to the same motion."""

import h5py
import numpy as np
import pytest
import torch

from core.backends.fake import FakeBackend
from core.backends.mujoco import MujocoBackend
from core.control.safety import SafetyFilter, SafetyLimits, measured_hold
from core.data.dataset import Dataset
from core.data.episodes import DatasetWriter
from core.recording import BatchRecorder, dataset_spec
from core.replay import (
    RecordedSource,
    command_slots,
    held_between,
    recorded_physics,
    replay_commands,
    replay_states,
)
from core.rollout import Rollout
from core.tasks.box_pickup import BoxPickup
from core.types import Command, JointTarget, WorldState

SAMPLES = 12


class WavingSource:
    """Asks for hands that move and a base that walks, differently in every episode."""

    name = "waving"

    def __init__(self):
        self.time_s = torch.zeros(2)

    def reset(self, worlds, state):
        self.time_s[worlds] = 0.0

    def act(self, state: WorldState) -> Command:
        command = measured_hold(state)
        command.base_velocity[:, 0] = 0.2
        command.hand_pos_b[:, :, 2] += 0.02 * torch.sin(5.0 * self.time_s)[:, None]
        command.gripper_opening[:] = 0.03 + 0.02 * torch.cos(3.0 * self.time_s)[:, None]
        self.time_s += 0.1
        return command


class LeaningController:
    """Moves two arm joints with the commanded height of the hands; under gravity the robot slowly falls."""

    def reset(self, worlds, state):
        self.pose = state.joint_pos.clone()

    def act(self, state: WorldState, command: Command, stop=None) -> JointTarget:
        position = self.pose.clone()
        position[:, [2, 9]] += 3.0 * (command.hand_pos_b[:, :, 2] - 0.1)
        return JointTarget(position, command.gripper_opening.clone(), torch.zeros(len(position), dtype=torch.bool))


@pytest.fixture(params=["fake", "mujoco"])
def make_backend(request):
    backends = []

    def make(task):
        make = FakeBackend if request.param == "fake" else MujocoBackend
        backends.append(make(task.scene(), task.num_worlds))
        return backends[-1]

    yield make
    for backend in backends:
        backend.close()


class PausingSource(WavingSource):
    """Repeats its command of the fifth period in the sixth and seventh."""

    def act(self, state: WorldState) -> Command:
        number = round(float(self.time_s[0]) / 0.1)
        if number not in (5, 6):
            self.last = super().act(state)
        else:
            self.time_s += 0.1
        return self.last.clone()


@pytest.fixture
def dataset(tmp_path, make_backend):
    """Two episodes recorded by the loop."""
    return record(tmp_path / "box.hdf5", make_backend, WavingSource())


def record(path, make_backend, source):
    task = BoxPickup(2)
    backend = make_backend(task)
    spec = dataset_spec(task, backend.describe(), "test")
    with DatasetWriter.open(path, spec, create=True) as writer:
        recorder = BatchRecorder(writer, task, "waving")
        seeds = iter((11, 12))
        rollout = Rollout(
            task, backend, source, SafetyFilter(SafetyLimits()), LeaningController(),
            lambda: next(seeds, None), (recorder,),
        )  # fmt: skip
        rollout.begin()
        for _ in range(SAMPLES * 5):
            rollout.step()
        rollout.end(torch.arange(2), "enough")
    return Dataset(path)


def replayed(dataset, name, make_backend):
    task = BoxPickup(1)
    safety = SafetyFilter(SafetyLimits())
    return replay_commands(dataset.episode(name), task, make_backend(task), LeaningController(), safety)


def test_that_recorded_commands_repeat_the_motion(dataset, make_backend):
    for name in ("demo_0", "demo_1"):
        result = replayed(dataset, name, make_backend)
        assert len(result.base_position_m) == SAMPLES
        moved = np.ptp(dataset.episode(name).array("states/articulation/robot/joint_position"), axis=0).max()
        assert moved > 0.02, "something must move for this to mean anything"
        assert result.base_position_m.max() < 1e-4
        assert result.base_rotation_rad.max() < 1e-3
        assert result.joint_position_rad.max() < 1e-4
        assert result.object_position_m["box"].max() < 1e-4


def test_that_other_commands_show_as_a_distance(dataset, make_backend):
    with h5py.File(dataset.path, "r+") as file:
        file["data/demo_0/actions"][3:, 5] += 0.05  # height of the left hand
    result = replayed(dataset, "demo_0", make_backend)
    assert result.joint_position_rad[:3].max() < 1e-4
    assert result.joint_position_rad.max() > 2e-3


def test_that_recorded_states_show_the_recorded_observation(dataset, make_backend):
    task = BoxPickup(1)
    result = replay_states(dataset.episode("demo_1"), task, make_backend(task))
    assert set(result.observation) == {term.name for term in task.observation_terms}
    assert max(values.max() for values in result.observation.values()) < 1e-3
    assert result.base_position_m.max() < 1e-5


def test_that_the_physics_of_the_episode_come_back(dataset):
    task = BoxPickup(1)
    generator = torch.Generator().manual_seed(11)
    _, expected, _ = task.sample_initial(1, generator)
    physics = recorded_physics(dataset.episode("demo_0").arrays())
    for name, value in vars(expected).items():
        pairs = value.items() if isinstance(value, dict) else [("", value)]
        for key, tensor in pairs:
            got = getattr(physics, name)[key] if key else getattr(physics, name)
            torch.testing.assert_close(got, tensor, msg=name)


def test_that_the_recorded_source_repeats_its_last_command():
    state = FakeBackend(BoxPickup(1).scene(), 1).read_state()
    actions = torch.randn(3, Command.SIZE)
    source = RecordedSource(actions)
    for _ in range(2):
        source.reset(torch.tensor([0]), state)
        given = torch.cat([source.act(state).to_vector() for _ in range(5)])
        torch.testing.assert_close(given, actions[[0, 1, 2, 2, 2]])


def test_that_a_dropped_period_holds_the_command_before_it():
    times = 7.0 + np.array([0.0, 0.099, 0.204, 0.51, 0.6])  # two periods were dropped before the fourth command
    slots = command_slots(times)
    assert slots.tolist() == [0, 1, 2, 5, 6]
    assert held_between(slots).tolist() == [0, 1, 2, 2, 2, 3, 4]


def test_that_commands_closer_than_a_period_keep_their_order():
    assert command_slots(np.array([0.0, 0.04, 0.06, 0.3])).tolist() == [0, 1, 2, 3]


def test_that_a_recording_with_dropped_periods_is_repeated_at_its_own_pace(tmp_path):
    make_backend = lambda task: FakeBackend(task.scene(), task.num_worlds)  # noqa: E731
    dataset = record(tmp_path / "gaps.hdf5", make_backend, PausingSource())
    whole = dataset.episode("demo_0")
    kept = [0, 1, 2, 3, 4, 7, 8, 9, 10, 11]  # a robot's loop that came late would have sent nothing in between
    sampled = ("actions", "obs/", "states/", "timestamps/", "rewards", "dones")
    with h5py.File(dataset.path, "r+") as file:
        episode = file["data/demo_0"]
        for name in [name for name in whole.array_names if name.startswith(sampled)]:
            rows = episode[name][kept]
            del episode[name]
            episode[name] = rows
        episode.attrs["num_samples"] = len(kept)

    result = replayed(Dataset(dataset.path), "demo_0", make_backend)

    assert len(result.base_position_m) == len(kept)
    assert result.joint_position_rad.max() < 1e-4
    assert result.base_position_m.max() < 1e-4
