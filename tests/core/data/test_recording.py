"""Recording, reading back, and what is refused."""

import json
import os
import subprocess
import sys

import h5py
import numpy as np
import pytest
from recording import make_samples, make_spec, make_start, record

from core.data.dataset import Dataset
from core.data.episodes import DatasetWriter, journal_path
from core.data.errors import DatasetLockedError, DatasetMismatchError, DatasetMissingError
from core.data.lock import lock_path
from core.data.schema import EPISODE_ATTRIBUTES, DatasetSpec, EpisodeInfo


@pytest.fixture
def path(tmp_path):
    return tmp_path / "box.hdf5"


def test_that_a_recorded_episode_reads_back_with_plain_h5py(path):
    with DatasetWriter.open(path, make_spec(), create=True) as writer:
        info, samples = record(writer, count=30, seed=7)
    with h5py.File(path, "r") as file:
        demo = file["data/demo_0"]
        for name in samples[0]:
            np.testing.assert_array_equal(demo[name][()], np.stack([s[name] for s in samples]), err_msg=name)
        np.testing.assert_array_equal(
            demo["initial_state/rigid_object/box/root_pose"][()], samples[0]["states/rigid_object/box/root_pose"][None]
        )
        assert demo["physics/object_mass/box"][()] == np.float32(0.7)
        assert set(demo.attrs) == set(EPISODE_ATTRIBUTES)
        assert (demo.attrs["success"], demo.attrs["seed"], demo.attrs["operator"]) == (True, 7, "anna")
        assert demo.attrs["duration_s"] == pytest.approx(3.0)
        assert file["data"].attrs["total"] == 30
        assert json.loads(file["data"].attrs["env_args"])["env_name"] == "box_pickup"
    assert EpisodeInfo.from_attributes("demo_0", info.attributes()) == info


def test_that_robomimic_finds_what_its_reader_asks_for(path):
    with DatasetWriter.open(path, make_spec(), create=True) as writer:
        for seed in range(12):
            record(writer, count=5 + seed, seed=seed)
    with h5py.File(path, "r") as file:  # as robomimic.utils.dataset.SequenceDataset does
        env_meta = json.loads(file["data"].attrs["env_args"])
        demos = sorted(file["data"].keys(), key=lambda name: int(name[5:]))
        lengths = [file[f"data/{name}"].attrs["num_samples"] for name in demos]
        for name, length in zip(demos, lengths):
            for key in ("actions", "rewards", "dones", "obs/base", "obs/box"):
                assert len(file[f"data/{name}/{key}"]) == length
        assert file["data/demo_3/rewards"][()].sum() == 1
        assert file["data/demo_3/dones"][-1] == 1
    assert {"env_name", "type", "env_kwargs"} <= set(env_meta)
    assert lengths == list(range(5, 17))


def test_that_isaac_lab_finds_what_its_reader_asks_for(path):
    with DatasetWriter.open(path, make_spec(), create=True) as writer:
        record(writer, count=6, seed=3)

    def load(group):  # as isaaclab.utils.datasets.HDF5DatasetFileHandler.load_episode does
        return {key: load(item) if isinstance(item, h5py.Group) else np.array(item) for key, item in group.items()}

    with h5py.File(path, "r") as file:
        assert "format_version" not in file.attrs, "absent: Isaac Lab 3 takes the quaternions as wxyz"
        group = file["data"]
        assert list(group.keys()) == ["demo_0"]
        assert "demo_0" in group
        data = load(group["demo_0"])
        assert group["demo_0"].attrs["seed"] == 3
    robot = data["initial_state"]["articulation"]["robot"]
    shapes = [robot[k].shape for k in ("root_pose", "root_velocity", "joint_position", "joint_velocity")]
    assert shapes == [(1, 7), (1, 6), (1, 29), (1, 29)]
    assert data["states"]["rigid_object"]["box"]["root_velocity"].shape == (6, 6)


def test_that_many_worlds_record_at_once(path):
    spec = make_spec()
    rows = [make_samples(10 + world, world) for world in range(16)]
    with DatasetWriter.open(path, spec, create=True) as writer:
        episodes = [writer.begin(make_start(samples[0], world)) for world, samples in enumerate(rows)]
        for t in range(26):
            for world, samples in enumerate(rows):
                if t < len(samples):
                    episodes[world].append(samples[t])
                    if t == len(samples) - 1:
                        episodes[world].finish(world % 2 == 0)
    data = Dataset(path)
    assert [e.info.seed for e in data] == list(range(16))
    for world, episode in enumerate(data):
        np.testing.assert_array_equal(episode.array("actions"), np.stack([s["actions"] for s in rows[world]]))
    assert data.num_successes == 8
    assert not journal_path(path).exists()
    assert not lock_path(path).exists()


def test_that_an_aborted_episode_leaves_nothing(path):
    with DatasetWriter.open(path, make_spec(), create=True) as writer:
        episode = writer.begin(make_start(make_samples(1)[0]))
        episode.append(make_samples(1)[0])
        episode.abort()
        with pytest.raises(ValueError, match="already finished or aborted"):
            episode.append(make_samples(1)[0])
        empty = writer.begin(make_start(make_samples(1)[0]))
        with pytest.raises(ValueError, match="without samples"):
            empty.finish(True)
        empty.abort()
    assert len(Dataset(path)) == 0


def test_that_recording_resumes_where_it_stopped(path):
    for seed in range(3):
        with DatasetWriter.open(path, make_spec(), create=True) as writer:
            record(writer, seed=seed)
    data = Dataset(path)
    assert [e.info.name for e in data] == ["demo_0", "demo_1", "demo_2"]
    assert [e.info.seed for e in data] == [0, 1, 2]
    assert data.attributes["total"] == data.num_samples == 60


def test_that_many_links_survive_resuming_and_deleting(path):
    with DatasetWriter.open(path, make_spec(), create=True, fsync=lambda fd: None) as writer:
        for seed in range(150):  # more than fit into one block of links
            record(writer, count=1, seed=seed)
        writer.delete([f"demo_{i}" for i in range(100, 140)])
    with DatasetWriter.open(path, make_spec()) as writer:
        record(writer, count=2, seed=1000)
    data = Dataset(path)
    expected = [*range(100), *range(140, 150), 1000]
    assert [e.info.seed for e in data] == expected
    assert data.attributes["total"] == len(expected) + 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": "door"}, "task: data set has box_pickup, recording has door"),
        ({"command_hz": 25.0}, "command_hz: data set has 10.0, recording has 25.0"),
        ({"observation_sizes": {"base": 11, "box": 7}}, "observation_sizes"),
        ({"joint_names": ("a", "b")}, "joint_names"),
        ({"object_names": ("box", "door")}, "object_names"),
    ],
)
def test_that_a_data_set_that_does_not_fit_is_refused(path, changes, message):
    with DatasetWriter.open(path, make_spec(), create=True) as writer:
        record(writer)
    before = path.read_bytes()
    with pytest.raises(DatasetMismatchError, match=message):
        DatasetWriter.open(path, make_spec(**changes), create=True)
    assert path.read_bytes() == before
    assert not lock_path(path).exists()


def test_that_a_wrong_sample_is_refused_and_the_episode_goes_on(path):
    samples = make_samples(3)
    with DatasetWriter.open(path, make_spec(), create=True) as writer:
        episode = writer.begin(make_start(samples[0]))
        episode.append(samples[0])
        with pytest.raises(ValueError, match=r"missing fields \['actions'\]"):
            episode.append({k: v for k, v in samples[1].items() if k != "actions"})
        with pytest.raises(ValueError, match=r"'obs/box' of a sample has shape \(6,\)"):
            episode.append(samples[1] | {"obs/box": np.zeros(6)})
        episode.append(samples[1])
        assert episode.finish(True).num_samples == 2


def test_that_a_missing_data_set_is_not_made_by_accident(path):
    with pytest.raises(DatasetMissingError, match=r"no data set at .*box\.hdf5"):
        DatasetWriter.open(path, make_spec())


def test_that_a_second_writer_is_refused_by_name(path):
    with (
        DatasetWriter.open(path, make_spec(), create=True),
        pytest.raises(DatasetLockedError, match=f"written by process {os.getpid()} of"),
    ):
        DatasetWriter.open(path, make_spec())


def test_that_a_writer_in_another_process_is_refused_and_a_dead_one_replaced(path):
    script = (
        "import sys; sys.path[:0] = ['.', 'tests/core/data']\n"
        "from recording import *; from core.data.episodes import DatasetWriter\n"
        f"w = DatasetWriter.open({str(path)!r}, make_spec(), create=True); record(w); print('ready', flush=True)\n"
        "sys.stdin.read()"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout.readline() == b"ready\n"
        with pytest.raises(DatasetLockedError, match=f"process {process.pid} "):
            DatasetWriter.open(path, make_spec())
    finally:
        process.kill()
        process.communicate()
    assert lock_path(path).exists()
    with DatasetWriter.open(path, make_spec()) as writer:
        record(writer)
        assert writer.num_episodes == 2


def test_that_reading_goes_on_while_another_records(path):
    with DatasetWriter.open(path, make_spec(), create=True) as writer:
        first, _ = record(writer)
        with h5py.File(path, "r") as old:
            data = Dataset(path)
            record(writer, seed=1)
            writer.delete([first.name])
            assert old["data/demo_0/actions"].shape == (20, 19), "an open file keeps what it saw"
            assert data.episode("demo_0").info.seed == 0
            data.refresh()
            assert [e.info.name for e in data] == ["demo_1"]


def test_that_the_library_may_edit_the_file_between_recordings(path):
    with DatasetWriter.open(path, make_spec(), create=True) as writer:
        for seed in range(20):
            record(writer, seed=seed)
        with pytest.raises(OSError, match="lock"):
            h5py.File(path, "r+")
    with h5py.File(path, "r+") as file:
        file["mask/train"] = np.arange(3)
        file["data"].attrs["note"] = "edited"
        del file["data/demo_5"]
        file["data/demo_6"].attrs["label"] = "nice"
    with DatasetWriter.open(path, make_spec()) as writer:
        info, _ = record(writer, seed=99)
        assert writer.info("demo_6").label == "nice"
    with h5py.File(path, "r") as file:
        assert file["mask/train"][()].tolist() == [0, 1, 2]
        assert file["data"].attrs["note"] == "edited"
        assert info.name == "demo_20"
        assert len(file["data"]) == 20


def test_that_the_spec_survives_the_file(path):
    spec = make_spec(sim_args={"dt": 0.004}, scene={"name": "box_pickup", "objects": []})
    DatasetWriter.open(path, spec, create=True).close()
    assert Dataset(path).spec == spec
    assert DatasetSpec.from_env_args(json.dumps(spec.env_args())) == spec
