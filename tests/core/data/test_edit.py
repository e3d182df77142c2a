"""Merging data sets and giving space back."""

import h5py
import numpy as np
import pytest
from recording import make_spec, record

from core.data.dataset import Dataset
from core.data.edit import compact, merge
from core.data.episodes import DatasetWriter
from core.data.errors import DatasetError, DatasetMismatchError


def make(path, seeds, **spec):
    with DatasetWriter.open(path, make_spec(**spec), create=True, fsync=lambda fd: None) as writer:
        for seed in seeds:
            record(writer, count=10 + seed, seed=seed)
    return path


def seeds_of(path):
    return [episode.info.seed for episode in Dataset(path)]


def test_that_merged_data_sets_hold_every_episode_once(tmp_path):
    a, b, out = make(tmp_path / "a.hdf5", [1, 2, 3]), make(tmp_path / "b.hdf5", [7, 8]), tmp_path / "out.hdf5"
    steps = []
    merged = merge(out, [a, b], steps.append)
    assert (merged.added, merged.skipped) == (5, 0)
    assert steps == [1, 2, 3, 4, 5]
    assert seeds_of(out) == [1, 2, 3, 7, 8]
    with DatasetWriter.open(b) as writer:
        record(writer, seed=9)
    assert merge(out, [a, b]).skipped == 5
    assert seeds_of(out) == [1, 2, 3, 7, 8, 9]
    for original, copied in zip([*Dataset(a), *Dataset(b)], Dataset(out)):
        before, after = original.arrays(), copied.arrays()
        assert set(before) == set(after)
        assert all(np.array_equal(before[name], after[name]) for name in before)
        assert copied.info.uuid == original.info.uuid
    with DatasetWriter.open(out) as writer:
        writer.undo()
        assert writer.num_episodes == 5


def test_that_unlike_data_sets_are_not_merged(tmp_path):
    a, b, out = make(tmp_path / "a.hdf5", [1]), make(tmp_path / "b.hdf5", [2], task="door"), tmp_path / "out.hdf5"
    with pytest.raises(DatasetMismatchError, match="task: data set has box_pickup, recording has door"):
        merge(out, [a, b])
    assert not out.exists()
    with pytest.raises(DatasetError, match="also an input"):
        merge(a, [a, b])


def test_that_a_file_rewritten_by_the_library_is_read_and_merged_but_not_extended(tmp_path):
    a, plain, out = make(tmp_path / "a.hdf5", [1, 2]), tmp_path / "plain.hdf5", tmp_path / "out.hdf5"
    with h5py.File(a) as source, h5py.File(plain, "w") as target:
        source.copy("data", target)
    with pytest.raises(DatasetError, match="dataset merge"):
        DatasetWriter.open(plain)
    merge(out, [plain])
    assert seeds_of(out) == [1, 2]


def test_that_compacting_gives_back_space_and_keeps_names(tmp_path):
    path = make(tmp_path / "a.hdf5", range(8))
    with DatasetWriter.open(path, fsync=lambda fd: None) as writer:
        writer.delete(["demo_0", "demo_1", "demo_7"])
        writer.trim("demo_3", 2, 5)
        before = {e.info.name: e.arrays() for e in Dataset(path)}
    size = path.stat().st_size
    saved = compact(path)
    assert saved == size - path.stat().st_size > 0
    after = {e.info.name: e.arrays() for e in Dataset(path)}
    assert list(after) == list(before) == ["demo_2", "demo_3", "demo_4", "demo_5", "demo_6"]
    assert all(np.array_equal(before[n][k], after[n][k]) for n in before for k in before[n])
    with DatasetWriter.open(path) as writer:
        assert writer.trash == ()
        assert writer.undo() is None
        info, _ = record(writer)
        assert info.name == "demo_8", "names are not used again"
    assert {p.name for p in tmp_path.iterdir()} == {"a.hdf5"}


def test_that_compacting_refuses_to_drop_what_is_not_ours(tmp_path):
    path = make(tmp_path / "a.hdf5", [1])
    with h5py.File(path, "r+") as file:
        file["mask/train"] = np.arange(2)
    before = path.read_bytes()
    with pytest.raises(DatasetError, match="mask"):
        compact(path)
    assert path.read_bytes() == before
