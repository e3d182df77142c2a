"""Deleting runs and jobs: nothing is lost before the trash is emptied."""

from pathlib import Path

import pytest

from trainer.jobs.collect import Config
from trainer.queue.entry import QueueError
from trainer.queue.store import QueueStore
from trainer.queue.trash import Trash
from trainer.runs import Run, list_runs


@pytest.fixture
def store(tmp_path: Path) -> QueueStore:
    return QueueStore(tmp_path / "runs")


@pytest.fixture
def trash(store: QueueStore) -> Trash:
    return Trash(store)


def finished_run(store: QueueStore) -> Run:
    run = Run.create(store.root, "collect", Config(Path("x.hdf5")), 0)
    run.status("finished")
    run.close()
    return run


def test_that_a_run_and_its_entry_go_and_come_back_as_they_were(store: QueueStore, trash: Trash) -> None:
    run = finished_run(store)
    entry = store.add("pretrain", [], {}, store.root, run=run.path)
    trash.delete(entry.id, None)
    assert list_runs(store.root) == []
    assert store.entries() == ()
    assert trash.size_bytes() > 0
    restored = trash.undo()
    assert restored.title == "#1 pretrain"
    assert [r.path for r in list_runs(store.root)] == [run.path]
    assert store.entries() == (entry,)
    assert trash.contents() == ()


def test_that_deletions_are_undone_newest_first(store: QueueStore, trash: Trash) -> None:
    runs = [finished_run(store) for _ in range(2)]
    for run in runs:
        trash.delete(None, run.path)
    assert trash.undo().run == str(runs[1].path)
    assert trash.undo().run == str(runs[0].path)
    with pytest.raises(QueueError, match="nothing to undo"):
        trash.undo()


def test_that_what_runs_is_not_deleted(store: QueueStore, trash: Trash) -> None:
    run = Run.create(store.root, "collect", Config(Path("x.hdf5")), 0)
    run.close()
    with pytest.raises(QueueError, match="is a run at work; stop it"):
        trash.delete(None, run.path)


def test_that_a_folder_elsewhere_is_not_deleted(store: QueueStore, trash: Trash, tmp_path: Path) -> None:
    elsewhere = tmp_path / "precious"
    elsewhere.mkdir()
    with pytest.raises(QueueError, match="only runs of this folder"):
        trash.delete(None, elsewhere)
    assert elsewhere.is_dir()


def test_that_a_crash_between_note_and_move_loses_nothing(
    store: QueueStore, trash: Trash, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = finished_run(store)
    entry = store.add("pretrain", [], {}, store.root, run=run.path)
    with monkeypatch.context() as patch:
        patch.setattr("os.rename", _crash)
        with pytest.raises(InterruptedError):
            trash.delete(entry.id, None)
    trash.undo()
    assert [r.path for r in list_runs(store.root)] == [run.path]
    assert store.entries() == (entry,)


def _crash(*_: object) -> None:
    raise InterruptedError


def test_that_emptying_is_for_good(store: QueueStore, trash: Trash) -> None:
    trash.delete(None, finished_run(store).path)
    assert trash.empty() == 1
    assert trash.contents() == ()
    assert not trash.folder.exists()


def test_that_an_undo_does_not_overwrite(store: QueueStore, trash: Trash) -> None:
    run = finished_run(store)
    trash.delete(None, run.path)
    run.path.mkdir()
    with pytest.raises(QueueError, match="exists again"):
        trash.undo()
