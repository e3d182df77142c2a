"""Windows over episodes and the measures of a data set, by hand."""

import numpy as np
import pytest

from core.data.dataset import Dataset
from core.data.episodes import DatasetWriter
from core.data.errors import DatasetError
from core.data.measures import start_coverage, start_variables, trajectory_quality
from core.data.windows import make_windows, read_recording, split_episodes

from .recording import make_spec, record


def test_that_windows_repeat_the_first_observation_and_the_last_command():
    windows = make_windows(np.array([3, 2]), observation_horizon=3, action_chunk=2)
    assert windows.observation_rows.tolist() == [[0, 0, 0], [0, 0, 1], [0, 1, 2], [3, 3, 3], [3, 3, 4]]
    assert windows.action_rows.tolist() == [[0, 1], [1, 2], [2, 2], [3, 4], [4, 4]]
    assert windows.episode.tolist() == [0, 0, 0, 1, 1]


def test_that_windows_never_cross_episodes():
    lengths = np.random.default_rng(0).integers(1, 30, size=40)
    windows = make_windows(lengths, 8, 12)
    owner = np.repeat(np.arange(40), lengths)
    assert len(windows) == lengths.sum()
    assert (owner[windows.observation_rows] == windows.episode[:, None]).all()
    assert (owner[windows.action_rows] == windows.episode[:, None]).all()


def test_that_validation_episodes_are_whole_and_apart():
    learn, validate = split_episodes(50, 0.1, seed=3)
    assert (len(learn), len(validate)) == (45, 5)
    assert set(learn) | set(validate) == set(range(50))
    assert [len(part) for part in split_episodes(2, 0.01, 0)] == [1, 1]
    assert [len(part) for part in split_episodes(5, 0.0, 0)] == [5, 0]
    windows = make_windows(np.full(50, 4), 2, 2)
    parts = [windows.of_episodes(part) for part in (learn, validate)]
    assert sum(map(len, parts)) == 200
    assert not set(parts[0].observation_rows.flat) & set(parts[1].observation_rows.flat)


def test_that_a_recording_holds_the_blocks_in_order(tmp_path):
    with DatasetWriter.open(tmp_path / "d.hdf5", make_spec(), create=True) as writer:
        _, samples = record(writer, 20, seed=0)
        record(writer, 5, seed=1, success=False)
        record(writer, 7, seed=2)
    recording = read_recording(Dataset(tmp_path / "d.hdf5"))
    assert recording.lengths.tolist() == [20, 7]
    assert recording.starts.tolist() == [0, 20]
    assert recording.observations.shape == (27, 17)
    assert np.array_equal(recording.observations[4, :10], samples[4]["obs/base"])
    assert np.array_equal(recording.observations[4, 10:], samples[4]["obs/box"])
    assert np.array_equal(recording.actions[4], samples[4]["actions"])
    assert read_recording(Dataset(tmp_path / "d.hdf5"), successes_only=False).lengths.tolist() == [20, 5, 7]
    assert read_recording(Dataset(tmp_path / "d.hdf5"), 1).lengths.tolist() == [20]
    uuids = [info.uuid for info in recording.infos][::-1]
    assert read_recording(Dataset(tmp_path / "d.hdf5"), uuids=uuids).lengths.tolist() == [7, 20]
    with pytest.raises(DatasetError, match="no longer has 1 of the 2 episodes"):
        read_recording(Dataset(tmp_path / "d.hdf5"), uuids=[uuids[0], "gone"])
    with pytest.raises(DatasetError, match="has 2 successful episodes, 3 are needed: collect more"):
        read_recording(Dataset(tmp_path / "d.hdf5"), 3)


def test_that_fewer_episodes_are_those_with_the_smallest_seeds_and_not_the_quick_ones_that_ended_first(tmp_path):
    with DatasetWriter.open(tmp_path / "d.hdf5", make_spec(), create=True) as writer:
        for seed, samples in ((3, 4), (0, 9), (2, 11), (1, 30)):
            record(writer, samples, seed=seed)
    dataset = Dataset(tmp_path / "d.hdf5")
    assert read_recording(dataset, 2).lengths.tolist() == [9, 30]
    assert read_recording(dataset, 3).lengths.tolist() == [9, 11, 30]
    assert read_recording(dataset, 4).lengths.tolist() == read_recording(dataset).lengths.tolist() == [4, 9, 11, 30]


def test_that_teleoperated_demonstrations_are_mixed_with_the_planners_in_the_number_asked_for(tmp_path):
    with DatasetWriter.open(tmp_path / "d.hdf5", make_spec(), create=True) as writer:
        for seed, source in enumerate(("heuristic", "vr", "heuristic", "keyboard", "vr", "heuristic")):
            record(writer, 3, seed=seed, source=source)
    dataset = Dataset(tmp_path / "d.hdf5")

    def sources(**options) -> list[str]:
        return [info.source for info in read_recording(dataset, **options).infos]

    assert sources(teleoperated=2) == ["heuristic", "vr", "heuristic", "keyboard", "heuristic"]
    assert sources(teleoperated=2, episodes=3) == ["heuristic", "vr", "keyboard"]
    assert sources(teleoperated=0) == ["heuristic"] * 3
    assert sources() == ["heuristic", "vr", "heuristic", "keyboard", "vr", "heuristic"]
    with pytest.raises(DatasetError, match=r"has 3 successful episodes by a person .* 4 are needed"):
        read_recording(dataset, teleoperated=4)


def test_that_coverage_is_one_for_spread_starts_and_small_for_clumped_ones():
    rng = np.random.default_rng(0)
    ranges = [(1.0, 2.0), (-0.5, 0.5), (0.0, 0.2)]
    low, high = np.array(ranges).T
    spread = start_coverage(low + (high - low) * rng.random((200, 3)), ranges)
    assert spread.occupied == pytest.approx(spread.expected, abs=0.06)
    assert spread.saco == pytest.approx(1.0, abs=0.06)
    assert spread.outside == 0.0
    clumped = start_coverage(low + 0.2 * (high - low) * rng.random((200, 3)), ranges)
    assert clumped.occupied == 1 / 64
    outside = start_coverage(high + np.ones((10, 3)), ranges)
    assert (outside.occupied, outside.outside) == (0.0, 1.0)


def test_that_quality_is_the_mean_return_over_the_best():
    success, seconds = np.array([True, True, False]), np.array([10.0, 25.0, 40.0])
    assert trajectory_quality(success, seconds, 40.0) == pytest.approx((0.75 + 0.375 + 0) / 3 / 0.75)
    assert trajectory_quality(np.array([False]), np.array([5.0]), 40.0) == 0.0


def test_that_start_variables_are_those_that_the_task_draws():
    import torch

    from core.tasks.box_pickup import BoxPickup
    from core.tasks.box_pickup_scene import BOX

    task = BoxPickup(1)
    initial, _, _ = task.sample_initial(500, torch.Generator().manual_seed(0))
    robot = torch.cat((initial.base_pos_w, initial.base_quat_w), -1).numpy()
    box = torch.cat((initial.objects[BOX].pos_w, initial.objects[BOX].quat_w), -1).numpy()
    values = start_variables(robot, box)
    for column, (low, high) in zip(values.T, (task.starts.radial_m, task.starts.polar_rad, task.starts.heading_rad)):
        assert low - 1e-5 <= column.min() < low + 0.05 * (high - low)
        assert high + 1e-5 >= column.max() > high - 0.05 * (high - low)
