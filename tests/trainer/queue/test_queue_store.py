"""The files of the queue: order, references, states, what survives a crash."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from trainer.processes import ProcessId
from trainer.queue.entry import Entry, QueueError
from trainer.queue.inputs import filled_in
from trainer.queue.store import QueueStore, why_not_yet


@pytest.fixture
def store(tmp_path: Path) -> QueueStore:
    return QueueStore(tmp_path / "runs", now=lambda: 1000.0)


def add(store: QueueStore, *words: str, job: str = "collect", **more) -> Entry:
    return store.add(job, list(words), {"dataset": "data/x.hdf5"}, store.root.parent, **more)


def change(store: QueueStore, number: int, **changes) -> None:
    with store.locked():
        store.write(replace(store.get(number), **changes))


def order(store: QueueStore) -> list[int]:
    return [entry.id for entry in store.entries()]


def test_that_an_entry_is_read_back_as_it_was_written(store: QueueStore) -> None:
    entry = add(store, "--episodes", "5", priority=2)
    assert QueueStore(store.root).entries() == (entry,)
    assert entry.state == "waiting"


def test_that_higher_priority_comes_first_and_equal_ones_in_the_order_of_adding(store: QueueStore) -> None:
    for priority in (0, 5, 0, 5):
        add(store, priority=priority)
    assert order(store) == [2, 4, 1, 3]


@pytest.mark.parametrize(("number", "by", "expected"), [(3, -1, [1, 3, 2, 4]), (1, 2, [2, 3, 1, 4]),
                                                        (4, -9, [4, 1, 2, 3]), (1, 9, [2, 3, 4, 1])])  # fmt: skip
def test_that_a_waiting_job_moves_by_places(store: QueueStore, number: int, by: int, expected: list[int]) -> None:
    for _ in range(4):
        add(store)
    store.move(number, by)
    assert order(store) == expected


def test_that_a_move_past_another_priority_takes_it(store: QueueStore) -> None:
    first, second = add(store, priority=7), add(store)
    store.move(second.id, -1)
    assert order(store) == [second.id, first.id]
    assert store.get(second.id).priority == 7


def test_that_numbers_are_not_used_twice(store: QueueStore) -> None:
    first = add(store)
    with store.locked():
        store.forget(first.id)
    assert add(store).id == first.id + 1


def test_that_an_input_that_is_not_there_is_refused_naming_those_that_are(store: QueueStore) -> None:
    add(store)
    with pytest.raises(QueueError, match="@7 is not in the queue; known: @1"):
        add(store, "--checkpoint", "@7")


def test_that_a_job_waits_for_its_input_and_is_skipped_with_the_reason_when_that_failed(store: QueueStore) -> None:
    first = add(store)
    second = add(store, "--dataset", f"@{first.id}", job="pretrain")

    def why() -> tuple[bool, str]:
        return why_not_yet(store.get(second.id), {e.id: e for e in store.entries()})

    assert why() == (False, "waits for #1 collect")
    change(store, first.id, state="failed", message="disk full")
    assert why() == (True, "#1 collect, which it needs, failed: disk full")
    change(store, first.id, state="stopped", message="")
    assert why() == (False, "waits for #1 collect, which was stopped: resume it")
    change(store, first.id, state="finished")
    assert why() == (False, "")
    with store.locked():
        store.forget(first.id)
    assert why() == (True, "#1, which it needs, was deleted")


def test_that_a_resumed_link_brings_back_those_skipped_because_of_it(store: QueueStore) -> None:
    first = add(store)
    second = add(store, after=(first.id,))
    third = add(store, after=(second.id,))
    change(store, first.id, state="killed", run="/runs/r")
    for number in (second.id, third.id):
        change(store, number, state="skipped", message="because")
    resumed = store.resume(first.id)
    assert resumed.resume
    assert [entry.state for entry in store.entries()] == ["waiting"] * 3
    assert store.get(third.id).message == ""


def test_that_inputs_stand_for_the_data_set_or_the_run_folder(store: QueueStore) -> None:
    add(store)
    add(store)
    change(store, 2, run="/runs/trained")
    entries = {entry.id: entry for entry in store.entries()}
    words = filled_in(("--dataset", "@1", "--checkpoint", "@2", "--seed", "2"), entries)
    assert words == [
        "--dataset",
        str(store.root.parent / "data/x.hdf5"),
        "--checkpoint",
        "/runs/trained",
        "--seed",
        "2",
    ]
    with pytest.raises(QueueError, match="#1 collect has no run folder, but is named after --checkpoint"):
        filled_in(("--checkpoint", "@1"), entries)


def test_that_a_waiting_job_is_stopped_without_a_process_and_goes_on(store: QueueStore) -> None:
    entry = add(store)
    assert store.stop(entry.id).state == "stopped"
    with pytest.raises(QueueError, match="it is stopped; nothing to stop"):
        store.stop(entry.id)
    assert store.resume(entry.id).state == "waiting"
    with pytest.raises(QueueError, match="only stopped, failed, killed, skipped jobs go on"):
        store.resume(entry.id)


def test_that_a_torn_or_foreign_file_does_not_hide_the_others(store: QueueStore) -> None:
    entry = add(store)
    (store.folder / "entries" / "9.json").write_text('{"id": 9, "jo')
    (store.folder / "entries" / ".1.json.123").write_text("half")
    assert store.entries() == (entry,)
    assert store.get(entry.id) == entry
    with pytest.raises(QueueError, match=r"there is no job #9 .*known: #1"):
        store.get(9)


def test_that_a_pid_that_belongs_to_somebody_else_now_is_not_alive() -> None:
    mine = ProcessId.of(os.getpid())
    assert mine.alive
    assert not ProcessId(mine.pid, mine.started_s - 100.0).alive
