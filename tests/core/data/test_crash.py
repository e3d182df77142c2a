"""What a killed process, a cut-short file and a failing disk leave behind."""

import errno
import json
import os
import random
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np
import pytest
from recording import make_samples, make_spec, make_start, record

from core.data import append_file, journal
from core.data.append_file import recover
from core.data.dataset import Dataset
from core.data.episodes import DatasetWriter, journal_path
from core.data.errors import DatasetDamagedError, DatasetError
from core.data.hdf5_encode import SUPERBLOCK_SIZE, parse_superblock
from core.data.journal import read_journal

HERE = Path(__file__).parent


def no_sync(fd):
    """For tests about what is written, not about the disk."""


def open_quick(path, **options):
    return DatasetWriter.open(path, make_spec(), create=True, fsync=no_sync, **options)


@pytest.mark.parametrize(
    "rounds", [30, pytest.param(400, marks=[pytest.mark.slow, pytest.mark.timeout(900)])], ids=["30", "400"]
)
def test_that_kill_9_loses_no_finished_episode_and_no_acknowledged_sample(tmp_path, rounds):
    run = [sys.executable, str(HERE / "kill_rounds.py"), str(tmp_path), str(rounds), "11"]
    environment = os.environ | {"PYTHONPATH": f"{HERE.parents[2]}:{HERE}"}
    result = subprocess.run(run, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-3000:]
    tally = json.loads(result.stdout)
    assert tally["rounds"] == rounds
    assert tally["finished"] >= 5, "the rounds must reach finished episodes to mean something"
    assert tally["recovered"] >= rounds / 2
    assert tally["worst_loss"] == 0


class WriteLog:
    """Stands in for os.pwrite and os.ftruncate: what was done to which file, in order."""

    def __init__(self, monkeypatch):
        self.operations = []
        self._pwrite, self._ftruncate = os.pwrite, os.ftruncate
        monkeypatch.setattr(os, "pwrite", self.pwrite)
        monkeypatch.setattr(os, "ftruncate", self.ftruncate)

    def pwrite(self, fd, data, offset):
        self.operations.append((self._name(fd), offset, bytes(data)))
        return self._pwrite(fd, data, offset)

    def ftruncate(self, fd, size):
        self.operations.append((self._name(fd), size, None))
        self._ftruncate(fd, size)

    @staticmethod
    def _name(fd):
        return Path(os.readlink(f"/proc/self/fd/{fd}")).name


def play(operations, folder, first):
    """Write into the folder what these operations leave, on top of the files in `first`."""
    shutil.copytree(first, folder)
    for name, at, data in operations:
        if name.endswith((".hdf5", ".journal")):
            with open(folder / name, "r+b" if (folder / name).exists() else "w+b") as file:
                if data is None:
                    file.truncate(at)
                else:
                    file.seek(at)
                    file.write(data)


def test_that_stopping_within_any_single_write_leaves_a_whole_data_set(tmp_path, monkeypatch):
    live, first = tmp_path / "live", tmp_path / "first"
    live.mkdir()
    path = live / "box.hdf5"
    with open_quick(path) as writer:
        record(writer, count=4, seed=0)
        record(writer, count=5, seed=1)
    shutil.copytree(live, first)
    log = WriteLog(monkeypatch)
    names = [{0, 1}]  # episodes by seed that may be seen, after each change
    with open_quick(path) as writer:
        episode = writer.begin(make_start(make_samples(6, 2)[0], 2))
        other = writer.begin(make_start(make_samples(6, 3)[0], 3))
        for sample in make_samples(6, 2):
            episode.append(sample)
            other.append(sample)
        episode.finish(True)
        names.append({0, 1, 2})
        writer.delete(["demo_0"])
        names.append({1, 2})
        writer.undo()
        names.append({0, 1, 2})
        writer.trim("demo_1", 1, 3)
        other.abort()
    monkeypatch.undo()
    rng = random.Random(5)
    seen = set()
    for stop in range(len(log.operations) + 1):
        operations = log.operations[:stop]
        if stop < len(log.operations) and log.operations[stop][2] and log.operations[stop][1] != 0:
            name, at, data = log.operations[stop]  # a superblock (48 bytes at 0) is within one page and not torn
            operations = [*operations, (name, at, data[: rng.randrange(len(data))])]
        folder = tmp_path / f"stop{stop}"
        play(operations, folder, first)
        with h5py.File(folder / "box.hdf5", "r") as file:
            seeds = {int(group.attrs["seed"]) for group in file["data"].values()}
            assert seeds in names
            seen.add(frozenset(seeds))
            lengths = [len(group["actions"][()]) for group in file["data"].values()]
            assert sum(lengths) == file["data"].attrs["total"]
        with open_quick(folder / "box.hdf5") as writer:
            assert {info.seed for info in writer.recovered} <= {2, 3} - seeds
            record(writer, count=2, seed=50)
        assert {e.info.seed for e in Dataset(folder / "box.hdf5")} >= seeds | {50}
        shutil.rmtree(folder)
    assert seen == {frozenset(n) for n in names}, "every state was met"


def test_that_a_file_cut_anywhere_returns_to_its_last_whole_change(tmp_path):
    path = tmp_path / "box.hdf5"
    ends = []
    with open_quick(path) as writer:
        ends.append(path.stat().st_size)
        for seed in range(6):
            record(writer, count=3, seed=seed)
            ends.append(path.stat().st_size)
    whole = path.read_bytes()
    rng = random.Random(3)
    for cut in [*ends, *(end - 1 for end in ends), *rng.sample(range(len(whole)), 15)]:
        short = tmp_path / "short.hdf5"
        short.write_bytes(whole[:cut])
        expected = sum(end <= cut for end in ends) - 1
        if expected < 0:
            with pytest.raises(DatasetDamagedError):
                open_quick(short)
            assert short.read_bytes() == whole[:cut]
            continue
        if cut < len(whole):
            with pytest.raises(DatasetDamagedError, match="refine-dp dataset recover"):
                Dataset(short)
        with open_quick(short) as writer:
            assert [writer.info(n).seed for n in writer.names] == list(range(expected))
            record(writer, seed=77)
        assert [e.info.seed for e in Dataset(short)] == [*range(expected), 77]


def test_that_a_damaged_superblock_is_found_again(tmp_path):
    path = tmp_path / "box.hdf5"
    with open_quick(path) as writer:
        record(writer)
    data = bytearray(path.read_bytes())
    data[:SUPERBLOCK_SIZE] = bytes(SUPERBLOCK_SIZE)
    path.write_bytes(bytes(data))
    assert recover(path)
    assert len(Dataset(path)) == 1
    assert not recover(path)


def test_that_a_damaged_journal_gives_what_comes_before_the_damage(tmp_path):
    path = tmp_path / "box.hdf5"
    samples = make_samples(30, 4)
    writer = open_quick(path)
    episode = writer.begin(make_start(samples[0], 4))
    for sample in samples:
        episode.append(sample)
    writer.close()
    data = journal_path(path).read_bytes()
    before = path.read_bytes()
    rng = random.Random(8)
    counts = set()
    for _ in range(25):
        position = rng.randrange(len(data))
        damaged = bytearray(data[:position]) if rng.random() < 0.5 else bytearray(data)
        if len(damaged) == len(data):
            damaged[position] ^= 1 << rng.randrange(8)
        journal_path(path).write_bytes(bytes(damaged))
        path.write_bytes(before)
        with open_quick(path) as writer:
            counts.add(sum(info.num_samples for info in writer.recovered))
            for info in writer.recovered:
                actions = Dataset(path).episode(info.name).array("actions")
                np.testing.assert_array_equal(actions, [s["actions"] for s in samples[: len(actions)]])
        assert not journal_path(path).exists()
    assert len(counts) > 10


def test_that_a_recovered_episode_says_what_it_is(tmp_path):
    path = tmp_path / "box.hdf5"
    samples = make_samples(12, 4)
    writer = open_quick(path)
    episode = writer.begin(make_start(samples[0], 4, operator="ben"))
    for sample in samples:
        episode.append(sample)
    writer.close()
    with open_quick(path) as writer:
        (info,) = writer.recovered
        assert (info.label, info.success, info.seed, info.operator) == ("recovered", False, 4, "ben")
        assert "before the episode was finished" in info.reason
    episode = Dataset(path).episode(info.name)
    assert episode.array("physics/object_mass/box") == np.float32(0.7)
    assert episode.array("initial_state/articulation/robot/root_pose").shape == (1, 7)
    with open_quick(path) as writer:
        assert writer.recovered == ()
        assert writer.num_episodes == 1


def test_that_an_episode_finished_just_before_the_crash_is_not_recovered_twice(tmp_path):
    path = tmp_path / "box.hdf5"
    writer = open_quick(path)
    samples = make_samples(5)
    first, second = (writer.begin(make_start(samples[0], seed)) for seed in (1, 2))
    for episode in (first, second):
        for sample in samples:
            episode.append(sample)
    kept = journal_path(path).read_bytes()  # as if killed between the data set and the journal
    first.finish(True)
    writer.close()
    journal_path(path).write_bytes(kept)
    with open_quick(path) as writer:
        assert [info.seed for info in writer.recovered] == [2]
        assert writer.num_episodes == 2


@pytest.mark.parametrize("failing_call", [1, 2])
def test_that_a_disk_error_while_finishing_changes_nothing(tmp_path, failing_call):
    path = tmp_path / "box.hdf5"
    calls = []

    def fsync(fd):
        calls.append(fd)
        if len(calls) == failing_call:
            raise OSError(errno.EIO, "Input/output error")

    with open_quick(path) as writer:
        record(writer, seed=1)
    calls = [0] * -10
    with DatasetWriter.open(path, make_spec(), fsync=fsync) as writer:
        with pytest.raises(DatasetError, match="Input/output error"):
            record(writer, seed=2)
        with h5py.File(path, "r") as file:
            assert list(file["data"]) == ["demo_0"]
        record(writer, seed=3)
        assert writer.num_episodes == 2
    assert {e.info.seed for e in Dataset(path)} == {1, 3}


def append_many(writer, dtype):
    for _ in range(100_000):
        writer.sample(0, bytes(dtype.itemsize))


def test_that_a_disk_error_in_the_background_is_reported_by_the_next_sample(tmp_path):
    def fsync(fd):
        flushed.set()
        raise OSError(errno.EIO, "Input/output error")

    flushed = journal.threading.Event()
    dtype = make_spec().sample_dtype()
    writer = journal.Journal(tmp_path / "j", dtype, fsync, interval_s=0.0)
    try:
        writer.begin(0, {}, {})
        assert flushed.wait(10)
        with pytest.raises(DatasetError, match="Input/output error"):
            append_many(writer, dtype)
    finally:
        writer.close(remove=True)


def test_that_samples_are_flushed_to_the_disk_in_the_background(tmp_path):
    flushed = journal.threading.Event()
    dtype = make_spec().sample_dtype()
    writer = journal.Journal(tmp_path / "j", dtype, lambda fd: flushed.set(), interval_s=0.0)
    try:
        assert not flushed.is_set()
        writer.begin(0, {}, {})
        assert flushed.wait(10)
    finally:
        writer.close(remove=False)
    assert journal.SYNC_INTERVAL_S <= 0.5


def test_that_a_long_journal_is_rewritten_with_the_open_episodes_only(tmp_path, monkeypatch):
    monkeypatch.setattr("core.data.episodes.JOURNAL_LIMIT_BYTES", 60_000)
    path = tmp_path / "box.hdf5"
    writer = open_quick(path)
    rows = make_samples(40, 9)
    long_one = writer.begin(make_start(rows[0], 9))
    sizes = []
    for t, row in enumerate(rows):
        long_one.append(row)
        record(writer, count=5, seed=t)
        sizes.append(journal_path(path).stat().st_size)
    writer.close()
    assert max(sizes) < 200_000
    assert any(b < a for a, b in pairwise(sizes))
    (left,) = read_journal(journal_path(path)).episodes
    assert len(left.rows) == 40
    with open_quick(path) as writer:
        assert [i.num_samples for i in writer.recovered] == [40]


def test_that_a_crash_while_the_file_is_made_leaves_no_half_file(tmp_path, monkeypatch):
    path = tmp_path / "box.hdf5"

    def fail(fd, data, offset):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(append_file, "_write_all", fail)
    with pytest.raises(DatasetError):
        open_quick(path)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    with open_quick(path) as writer:
        record(writer)
    assert parse_superblock(path.read_bytes()) is not None
