"""The ladder's file: what was put is read again; whatever is wrong with it, nothing is unlocked."""

import contextlib
import json
import multiprocessing
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ladder_records import climbed, session

from core.files import data_folder, write_atomically
from core.robot.ladder_evidence import Evidence, Rung
from core.robot.ladder_store import LADDER_FILE, LadderError, LadderStore, new_id


@pytest.fixture
def store(tmp_path: Path) -> LadderStore:
    return LadderStore(tmp_path / "deeper" / LADDER_FILE)


def test_that_what_was_put_is_read_again_by_another_reader(store: LadderStore) -> None:
    records = climbed(Rung.FREE)
    for record in records:
        store.put(record)
    assert LadderStore(store.path).read() == tuple(records)
    assert oct(store.path.stat().st_mode)[-3:] == "600"


def test_that_a_session_replaces_its_own_record(store: LadderStore) -> None:
    begun = session(Rung.ARMS, 0.0, ended_s=0.0)
    store.put(begun)
    store.put(replace(begun, ended_s=begun.began_s + 9.0, driven_s=8.0))
    (read,) = store.read()
    assert (read.finished, read.driven_s) == (True, 8.0)


def test_that_no_file_is_no_evidence(store: LadderStore) -> None:
    assert store.read() == ()


def broken(store: LadderStore, text: str) -> str:
    store.path.write_text(text)
    with pytest.raises(LadderError, match="counts for nothing") as caught:
        store.read()
    return str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "{", "null", "[]", "{}", "7", '{"version": 1}', "\0\0\0", "[" * 100_000, '"' + "x" * 100]
)
def test_that_garbage_is_refused(store: LadderStore, text: str) -> None:
    store.put(session(Rung.SHADOW, 5.0))
    broken(store, text)


def test_that_bytes_that_are_no_text_are_refused(store: LadderStore) -> None:
    store.put(session(Rung.SHADOW, 5.0))
    store.path.write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(LadderError):
        store.read()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"driven_s": 300.0', '"driven_s": 900.0'),
        ('"driven_s": 300.0', '"driven_s": NaN'),
        ('"driven_s": 300.0', '"driven_s": Infinity'),
        ('"driven_s": 300.0', '"driven_s": "300"'),
        ('"breach": ""', '"breach": "", "extra": 1'),
        ('"version": 1', '"version": 2'),
        ('"version": 1', '"version": true'),
        ('"rung": 1', '"rung": 3'),
    ],
)
def test_that_an_edited_file_is_refused(store: LadderStore, old: str, new: str) -> None:
    store.put(session(Rung.SHADOW, 5.0))
    text = store.path.read_text()
    assert old in text
    broken(store, text.replace(old, new))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 10_000), byte=st.integers(0, 255), cut=st.booleans())
def test_that_no_single_change_makes_other_evidence(store: LadderStore, place: int, byte: int, cut: bool) -> None:
    records = (session(Rung.ARMS, 11.0), session(Rung.WHOLE_BODY, 3.0))
    intact = store.path.with_name("intact.json")
    if not intact.exists():
        for record in records:
            store.put(record)
        intact.write_bytes(store.path.read_bytes())
    data = intact.read_bytes()
    where = place % len(data)
    data = data[:where] if cut else data[:where] + bytes([byte]) + data[where + 1 :]
    store.path.write_bytes(data)
    with contextlib.suppress(LadderError):
        assert store.read() == records  # white space, or the same byte


def test_that_a_file_of_another_computer_is_refused(store: LadderStore, tmp_path: Path) -> None:
    other = LadderStore(tmp_path / "other" / LADDER_FILE)
    for one in (store, other):
        one.put(session(Rung.SHADOW, 5.0))
    assert "its seal is broken" in broken(store, other.path.read_text())


def test_that_a_missing_or_damaged_key_locks_everything(store: LadderStore) -> None:
    store.put(session(Rung.SHADOW, 5.0))
    key = store.path.with_suffix(".key")
    key.write_text("abcd")
    with pytest.raises(LadderError, match=r"key ladder\.key is damaged"):
        store.read()
    key.unlink()
    with pytest.raises(LadderError, match=r"key ladder\.key is missing"):
        store.read()


def test_that_a_broken_file_is_set_aside_and_the_new_one_holds_only_what_is_new(store: LadderStore) -> None:
    store.put(session(Rung.WHOLE_BODY, 20.0))
    store.path.write_text("garbage")
    new = session(Rung.SHADOW, 5.0)
    store.put(new)
    assert store.read() == (new,)
    (aside,) = store.path.parent.glob("ladder-broken-*.json")
    assert aside.read_text() == "garbage"


def test_that_a_full_disk_leaves_the_old_file(store: LadderStore, monkeypatch: pytest.MonkeyPatch) -> None:
    first = session(Rung.SHADOW, 5.0)
    store.put(first)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        store.put(session(Rung.ARMS, 5.0))
    monkeypatch.undo()
    assert store.read() == (first,)
    assert [path.name for path in store.path.parent.iterdir() if path.name.startswith(".")] == []


def _put_many(path: Path, who: str) -> None:
    store = LadderStore(path)
    for k in range(10):
        store.put(session(Rung.SHADOW, 1.0, id=f"{who}{k}"))


def test_that_processes_that_write_at_once_lose_nothing(store: LadderStore) -> None:
    store.put(session(Rung.SHADOW, 1.0, id="first"))
    processes = [multiprocessing.get_context("fork").Process(target=_put_many, args=(store.path, w)) for w in "ab"]
    for process in processes:
        process.start()
    for process in processes:
        process.join(30)
    assert [process.exitcode for process in processes] == [0, 0]
    assert len(store.read()) == 21


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"rung": 5}, "rung must be 0 to 4"),
        ({"rung": True}, "rung must be a whole number"),
        ({"driven_s": float("nan")}, "driven_s must be finite"),
        ({"driven_s": -1.0}, "driven_s must be finite and not negative"),
        ({"targets": 1.5}, "targets must be a whole number"),
        ({"breach": None}, "breach must be text"),
        ({"id": ""}, "needs an id"),
        ({"ended_s": 1.0}, "before it began"),
        ({"driven_s": 1e6}, "driven for 1000000.0 s in a session of"),
        ({"hand_error_p95_m": float("inf")}, "hand_error_p95_m must be finite"),
    ],
)
def test_that_evidence_that_cannot_be_is_refused(changes: dict, why: str) -> None:
    data = session(Rung.ARMS, 5.0).to_json() | changes
    with pytest.raises(ValueError, match=why):
        Evidence.from_json(data)


def test_that_evidence_survives_json() -> None:
    record = session(Rung.ARMS, 5.0)
    assert Evidence.from_json(json.loads(json.dumps(record.to_json()))) == record
    with pytest.raises(ValueError, match="other fields: title"):
        Evidence.from_json({k: v for k, v in record.to_json().items() if k != "title"})


def test_that_the_data_folder_can_be_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("REFINE_DP_DATA", str(tmp_path))
    assert data_folder() == tmp_path
    assert LadderStore().path == tmp_path / LADDER_FILE
    monkeypatch.delenv("REFINE_DP_DATA")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert data_folder() == tmp_path / "REFINE-DP" / "Studio"


def test_that_a_failed_write_leaves_no_part(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="directory"):
        write_atomically(tmp_path / "missing" / "file", "text")
    write_atomically(tmp_path / "file", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_that_ids_differ_and_begin_with_the_time() -> None:
    ids = {new_id(lambda: 1.8e9) for _ in range(50)}
    assert len(ids) == 50
    assert all(one.startswith("2027") for one in ids)
