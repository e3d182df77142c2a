"""Keep, discard, trim, label, restore, undo and redo in any order, against a model in memory."""

import tempfile
from pathlib import Path

import h5py
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from recording import make_samples, make_spec, record

from core.data import history
from core.data.dataset import Dataset
from core.data.episodes import DatasetWriter

SAMPLES = {seed: make_samples(6 + seed, seed) for seed in range(5)}


def open_quick(path):
    return DatasetWriter.open(path, make_spec(), create=True, fsync=lambda fd: None)


class Editing(RuleBasedStateMachine):
    """The model: name -> (seed, start, stop, success), with a stack of earlier ones."""

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "box.hdf5"
        self.writer = open_quick(self.path)
        self.live = {}
        self.done, self.undone = [], []
        self.count = 0

    def teardown(self):
        self.writer.close()
        self.folder.cleanup()

    def change(self, live):
        self.done.append(self.live)
        self.undone.clear()
        self.live = live

    def pick(self, data):
        return data.draw(st.sampled_from(sorted(self.live)))

    @rule(seed=st.integers(0, 4), success=st.booleans())
    def keep(self, seed, success):
        info, _ = record(self.writer, len(SAMPLES[seed]), seed, success)
        assert info.name == f"demo_{self.count}", "names are never used twice"
        self.change(self.live | {info.name: (seed, 0, len(SAMPLES[seed]), success)})
        self.count += 1

    @precondition(lambda self: self.live)
    @rule()
    def discard_last(self):
        info = self.writer.discard_last()
        assert info.name == max(self.live, key=lambda name: int(name[5:]))
        self.change({n: v for n, v in self.live.items() if n != info.name})

    @precondition(lambda self: self.live)
    @rule(data=st.data())
    def delete(self, data):
        names = data.draw(st.lists(st.sampled_from(sorted(self.live)), min_size=1, max_size=3, unique=True))
        self.writer.delete(names)
        self.change({n: v for n, v in self.live.items() if n not in names})

    @precondition(lambda self: self.live)
    @rule(data=st.data())
    def trim(self, data):
        name = self.pick(data)
        seed, start, stop, success = self.live[name]
        first = data.draw(st.integers(0, stop - start - 1))
        last = data.draw(st.integers(first + 1, stop - start))
        self.writer.trim(name, first, last)
        self.change(self.live | {name: (seed, start + first, start + last, success)})

    @precondition(lambda self: self.live)
    @rule(data=st.data(), success=st.booleans())
    def label(self, data, success):
        name = self.pick(data)
        self.writer.set_label(name, success)
        self.change(self.live | {name: (*self.live[name][:3], success)})

    @precondition(lambda self: self.writer.trash)
    @rule(data=st.data())
    def restore(self, data):
        info = data.draw(st.sampled_from(self.writer.trash))
        actions = next(e for e in Dataset(self.path).trash if e.info.version == info.version).array("actions")
        starts = [i for i, s in enumerate(SAMPLES[info.seed]) if np.array_equal(s["actions"], actions[0])]
        self.writer.restore(info.version)
        self.change(self.live | {info.name: (info.seed, starts[0], starts[0] + info.num_samples, info.success)})

    @rule()
    def undo(self):
        operation = self.writer.undo()
        assert (operation is None) == (not self.done)
        if operation:
            self.undone.append(self.live)
            self.live = self.done.pop()

    @rule()
    def redo(self):
        operation = self.writer.redo()
        assert (operation is None) == (not self.undone)
        if operation:
            self.done.append(self.live)
            self.live = self.undone.pop()

    @rule()
    def resume(self):
        self.writer.close()
        self.writer = open_quick(self.path)

    @invariant()
    def file_equals_model(self):
        with h5py.File(self.path, "r") as file:
            assert set(file["data"]) == set(self.live)
            for name, (seed, start, stop, success) in self.live.items():
                group = file["data"][name]
                kept = SAMPLES[seed][start:stop]
                np.testing.assert_array_equal(group["actions"][()], [s["actions"] for s in kept])
                pose = "articulation/robot/root_pose"
                np.testing.assert_array_equal(group[f"initial_state/{pose}"][0], kept[0][f"states/{pose}"])
                assert (group.attrs["num_samples"], group.attrs["success"]) == (stop - start, success)
                assert group["rewards"][()].sum() == float(success)
            assert file["data"].attrs["total"] == sum(stop - start for _, start, stop, _ in self.live.values())


Editing.TestCase.settings = settings(
    max_examples=15, stateful_step_count=20, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
TestThatAnyOrderOfEditsEqualsTheModel = Editing.TestCase


@pytest.fixture
def writer(tmp_path):
    with open_quick(tmp_path / "box.hdf5") as writer:
        yield writer


def test_that_a_kept_episode_is_undone_and_redone(writer):
    record(writer)
    assert writer.undo().describe() == "keep demo_0"
    assert writer.num_episodes == writer.num_samples == 0
    assert [info.version for info in writer.trash] == ["demo_0.0"]
    writer.redo()
    assert (writer.num_episodes, writer.num_samples, writer.trash) == (1, 20, ())


def test_that_a_discarded_episode_is_recorded_again_with_its_seed(writer):
    record(writer, seed=41)
    discarded = writer.discard_last()
    record(writer, seed=discarded.seed)
    assert [(writer.info(n).name, writer.info(n).seed) for n in writer.names] == [("demo_1", 41)]
    writer.undo()
    writer.undo()
    assert writer.names == ("demo_0",)


def test_that_what_cannot_be_done_says_why(writer):
    record(writer)
    with pytest.raises(ValueError, match=r"'demo_9' is not in .*box\.hdf5; it has demo_0"):
        writer.delete(["demo_9"])
    with pytest.raises(ValueError, match="named once each"):
        writer.delete(["demo_0", "demo_0"])
    with pytest.raises(ValueError, match="20 samples; cannot keep 5 to 30"):
        writer.trim("demo_0", 5, 30)
    with pytest.raises(ValueError, match=r"'demo_0\.7' is not in the trash .* it holds nothing"):
        writer.restore("demo_0.7")
    writer.discard_last()
    with pytest.raises(Exception, match="no episode: nothing to discard"):
        writer.discard_last()


def test_that_undo_is_limited_but_forgets_nothing_deleted(writer, monkeypatch):
    monkeypatch.setattr(history, "MAX_OPERATIONS", 20)
    record(writer, count=2)
    record(writer, count=2)
    writer.delete(["demo_0"])
    for i in range(25):
        writer.set_label("demo_1", i % 2 == 0)
    while writer.undo():
        pass
    assert writer.names == ("demo_1",)
    writer.restore("demo_0.0")
    assert writer.names == ("demo_0", "demo_1")
