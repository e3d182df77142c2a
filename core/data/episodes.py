"""The writer of a data set: records many worlds at once, keeps, discards, undoes, recovers after a crash."""

import json
import logging
import os
import uuid as uuids
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from core.data.append_file import AppendFile, Contents, recover
from core.data.columns import as_stored, derived_fields, trimmed, unpacked
from core.data.errors import (
    DatasetError,
    DatasetFullError,
    DatasetMismatchError,
    DatasetMissingError,
    check_episode_known,
)
from core.data.hdf5_encode import Appender
from core.data.hdf5_read import addresses, attributes, group_at, open_file, read_arrays
from core.data.history import History, Kind, Operation, apply, name_of, next_version
from core.data.journal import Journal, JournalEpisode, begin_record, read_journal, sample_record
from core.data.lock import release_lock, take_lock
from core.data.schema import (
    FORMAT_VERSION,
    LABEL_FAILURE,
    LABEL_RECOVERED,
    LABEL_SUCCESS,
    DatasetSpec,
    EpisodeInfo,
    EpisodeStart,
    episode_index,
    episode_name,
    fill_sample,
)

logger = logging.getLogger(__name__)

JOURNAL_LIMIT_BYTES = 64_000_000
"""The journal is rewritten with only the open episodes when it grows beyond this."""


def journal_path(path: Path) -> Path:
    """Holds the open episodes of a data set while it is written."""
    return path.with_name(path.name + ".journal")


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass
class OpenEpisode:
    """An episode being recorded. Obtained from `DatasetWriter.begin`."""

    _writer: "DatasetWriter"
    number: int
    "of this writer's episodes, in the journal"
    meta: dict[str, Any]
    "attributes known at the start"
    arrays: dict[str, np.ndarray]
    "initial_state/..., physics/..., task_parameters/..."
    rows: list[bytes] = field(default_factory=list)
    "packed samples"
    is_open: bool = True

    @property
    def num_samples(self) -> int:
        return len(self.rows)

    def append(self, sample: Mapping[str, Any]) -> None:
        """Add one sample: arrays by field name (`DatasetSpec.fields`), without a leading axis.

        Raises ValueError when fields or shapes do not fit, DatasetFullError when the disk is full: then the sample is
        kept in memory and recording may go on; it reaches the disk as soon as there is space.
        """
        self._check_open()
        row = fill_sample(self._writer.dtype, sample).tobytes()
        self.rows.append(row)
        self._writer.journal_sample(self, row)

    def finish(self, success: bool, reason: str = "", label: str | None = None) -> EpisodeInfo:
        """Write the episode into the data set and wait for the disk; it is kept unless `discard_last` follows.

        label None: success or failure. Raises DatasetFullError (the episode stays open: call again when there is
        space) and ValueError when there is no sample.
        """
        self._check_open()
        if not self.rows:
            raise ValueError("an episode without samples cannot be finished: abort it")
        return self._writer.finish(self, success, reason, label or (LABEL_SUCCESS if success else LABEL_FAILURE))

    def abort(self) -> None:
        """Drop the episode; nothing of it stays."""
        self._check_open()
        self._writer.forget(self)

    def _check_open(self) -> None:
        if not self.is_open:
            raise ValueError("this episode is already finished or aborted: begin a new one")


class DatasetWriter:
    """One process's right to change a data set. Use as a context manager or call `close`. Not for several threads."""

    def __init__(self, file: AppendFile, spec: DatasetSpec, lock: int, now: Callable[[], datetime]) -> None:
        self.spec = spec
        self.dtype = spec.sample_dtype()
        self.recovered: tuple[EpisodeInfo, ...] = ()
        "episodes that a killed writer had left open"
        self._file = file
        self._lock = lock
        self._now = now
        self._history = History.from_json(file.contents.history)
        self._open: dict[int, OpenEpisode] = {}
        self._number = 0
        self._journal: Journal | None = None
        self._journal_limit = JOURNAL_LIMIT_BYTES

    @classmethod
    def open(
        cls,
        path: Path | str,
        spec: DatasetSpec | None = None,
        create: bool = False,
        fsync: Callable[[int], None] = os.fsync,
        now: Callable[[], datetime] = _utc_now,
    ) -> "DatasetWriter":
        """Open a data set for recording (spec) or only for editing (spec None); create makes a missing one.

        Takes over after a crash: what a killed writer had open becomes episodes labelled 'recovered'.
        Raises DatasetMismatchError, DatasetDamagedError, DatasetFullError, DatasetMissingError.
        """
        path = Path(path)
        if path.is_dir() or (not path.exists() and (spec is None or not create)):
            raise DatasetMissingError(path)
        lock = take_lock(path)
        file: AppendFile | None = None
        try:
            if not path.exists():
                assert spec is not None
                attributes = {"env_args": json.dumps(spec.env_args()), "format_version": FORMAT_VERSION}
                AppendFile.create(path, attributes, fsync)
            if recover(path):
                logger.warning("%s was damaged and is back at its last complete change", path)
            file = AppendFile.open(path, fsync)
            on_disk = _spec_of(file)
            if spec is not None:
                spec.check_fits(on_disk, str(path))
            writer = cls(file, spec or on_disk, lock, now)
            writer._recover_open_episodes()
        except BaseException:
            if file is not None:
                file.close()
            release_lock(lock, path)
            raise
        return writer

    @property
    def path(self) -> Path:
        return self._file.path

    @property
    def num_episodes(self) -> int:
        return len(self._file.contents.episodes)

    @property
    def num_samples(self) -> int:
        return self._file.contents.total

    @property
    def names(self) -> tuple[str, ...]:
        """demo_N in order of N."""
        return tuple(sorted(self._file.contents.episodes, key=episode_index))

    @property
    def history(self) -> History:
        """What can be undone and redone."""
        return self._history

    @property
    def trash(self) -> tuple[EpisodeInfo, ...]:
        """What was discarded or replaced and can be restored."""
        with open_file(self.path) as file:
            return tuple(_info(file, f"trash/{version}") for version in self._file.contents.trash)

    def info(self, name: str) -> EpisodeInfo:
        """Attributes of an episode. Raises ValueError on an unknown name."""
        self._check_known(name)
        with open_file(self.path) as file:
            return _info(file, f"data/{name}")

    def begin(self, start: EpisodeStart) -> OpenEpisode:
        """Start an episode; any number may be open. Raises DatasetFullError when its start cannot be written."""
        arrays = {f"initial_state/{k}": np.asarray(v, np.float32)[None] for k, v in start.initial_state.items()}
        arrays |= {f"physics/{k}": as_stored(v) for k, v in start.physics.items()}
        arrays |= {f"task_parameters/{k}": as_stored(v) for k, v in start.task_parameters.items()}
        meta = {
            "seed": start.seed,
            "source": start.source,
            "operator": start.operator,
            "task": self.spec.task,
            "backend": self.spec.backend if start.backend is None else start.backend,
            "software_version": self.spec.software_version,
            "date": self._now().isoformat(timespec="milliseconds"),
            "uuid": uuids.uuid4().hex,
        }
        if self._journal is None:
            self._journal = Journal(journal_path(self.path), self.dtype)
        episode = OpenEpisode(self, self._number, meta, arrays)
        self._number += 1
        self._journal.begin(episode.number, meta, arrays)
        self._open[episode.number] = episode
        return episode

    def journal_sample(self, episode: OpenEpisode, row: bytes) -> None:
        """Put a sample of an open episode on disk (called by the episode)."""
        assert self._journal is not None
        self._journal.sample(episode.number, row)
        if self._journal.size > self._journal_limit:
            self._shorten_journal()

    def finish(self, episode: OpenEpisode, success: bool, reason: str, label: str) -> EpisodeInfo:
        """Add a finished episode (called by the episode)."""
        (info,) = self._add(
            "keep", [(unpacked(episode.rows, self.dtype), episode.arrays, episode.meta)], [(success, reason, label)]
        )
        self.forget(episode)
        return info

    def forget(self, episode: OpenEpisode) -> None:
        """An episode needs its journal no more (called by the episode)."""
        assert self._journal is not None
        episode.is_open = False
        del self._open[episode.number]
        try:
            if self._open:
                self._journal.end(episode.number)
            else:
                self._journal.clear()
        except DatasetFullError as error:
            logger.warning("%s", error)  # goes out later; recovery knows finished episodes by their uuid

    def add(
        self, episodes: Iterable[tuple[EpisodeInfo, Mapping[str, np.ndarray]]], keep_names: bool = False
    ) -> tuple[EpisodeInfo, ...]:
        """Append whole episodes (arrays by path below demo_N) of another data set as one operation.

        They are numbered on; keep_names: they keep theirs, which must be free here.
        """
        added: list[EpisodeInfo] = []
        addresses: dict[str, int] = {}
        for info, arrays in episodes:
            name = info.name if keep_names else episode_name(self._history.next_index + len(added))
            added.append(replace(info, name=name, version=f"{name}.0"))
            out = self._file.appender()
            addresses[added[-1].version] = out.group(out.tree(arrays), added[-1].attributes())
            self._file.stage(out)
        if added:
            operation = self._operation("merge", added=tuple(addresses))
            next_index = max(self._history.next_index, *(info.index + 1 for info in added))
            total = sum(info.num_samples for info in added)
            self._commit(operation, self._file.appender(), addresses, total, next_index)
        return tuple(added)

    def forget_history(self, next_index: int) -> None:
        """Empty the trash and the undo stack; the next episode is at least demo_<next_index>."""
        before = self._file.contents
        history = History(next_index=max(next_index, self._history.next_index))
        contents = Contents(before.episodes, {}, before.total, history.to_json())
        self._file.commit(self._file.appender(), contents)
        self._history = history

    @property
    def other_groups(self) -> tuple[str, ...]:
        """Members of the file's root that are not ours (robomimic's mask)."""
        return tuple(self._file.root_links)

    def discard_last(self) -> EpisodeInfo:
        """Move the episode recorded last to the trash (its seed serves to record it again)."""
        if not self.num_episodes:
            raise DatasetError(f"{self.path} holds no episode: nothing to discard")
        info = self.info(self.names[-1])
        self.delete([info.name])
        return info

    def delete(self, names: Sequence[str]) -> None:
        """Move episodes to the trash as one operation. Raises ValueError on unknown or repeated names."""
        if len(set(names)) != len(names) or not names:
            raise ValueError(f"episodes to delete must be named once each, got {list(names)}")
        infos = [self.info(name) for name in names]
        operation = self._operation("delete", removed=tuple(i.version for i in infos))
        self._commit(operation, self._file.appender(), {}, -sum(i.num_samples for i in infos))

    def restore(self, version: str) -> EpisodeInfo:
        """Bring a version (demo_N.k) back from the trash, in place of the one that is there now."""
        if version not in self._file.contents.trash:
            known = ", ".join(self._file.contents.trash) or "nothing"
            raise ValueError(f"version {version!r} is not in the trash of {self.path}; it holds {known}")
        name = name_of(version)
        now_there = (self.info(name),) if name in self._file.contents.episodes else ()
        with open_file(self.path) as file:
            info = _info(file, f"trash/{version}")
        operation = self._operation("restore", (version,), tuple(i.version for i in now_there))
        delta = info.num_samples - sum(i.num_samples for i in now_there)
        self._commit(operation, self._file.appender(), {}, delta)
        return info

    def set_label(self, name: str, success: bool, label: str | None = None) -> EpisodeInfo:
        """Judge an episode anew. Its arrays are not copied."""
        old = self.info(name)
        info = replace(
            old, success=success, label=label or (LABEL_SUCCESS if success else LABEL_FAILURE),
            version=self._fresh_version(old.version),
        )  # fmt: skip
        out = self._file.appender()
        with open_file(self.path) as file:
            group = group_at(file, f"data/{name}")
            links = addresses(group)
            links["rewards"] = out.dataset(derived_fields(info.num_samples, success)["rewards"])
            address = out.group(links, attributes(group) | info.attributes())
        operation = self._operation("label", (info.version,), (old.version,))
        self._commit(operation, out, {info.version: address}, 0)
        return info

    def trim(self, name: str, start: int, stop: int) -> EpisodeInfo:
        """Keep samples start <= t < stop. The initial state becomes the state of the first sample that is kept."""
        old = self.info(name)
        if not 0 <= start < stop <= old.num_samples:
            raise ValueError(f"{name} has {old.num_samples} samples; cannot keep {start} to {stop}")
        info = replace(
            old, num_samples=stop - start, duration_s=(stop - start) / self.spec.command_hz,
            version=self._fresh_version(old.version),
        )  # fmt: skip
        out = self._file.appender()
        with open_file(self.path) as file:
            group = group_at(file, f"data/{name}")
            arrays = trimmed(read_arrays(group), start, stop)
            arrays |= derived_fields(info.num_samples, info.success)
            address = out.group(out.tree(arrays), attributes(group) | info.attributes())
        operation = self._operation("trim", (info.version,), (old.version,))
        self._commit(operation, out, {info.version: address}, info.num_samples - old.num_samples)
        return info

    def undo(self) -> Operation | None:
        """Take back the last operation (a kept, discarded, trimmed, labelled, merged episode); None: nothing left."""
        if not self._history.done:
            return None
        operation = self._history.done[-1]
        self._move(operation.inverse(), self._history.after_undo())
        return operation

    def redo(self) -> Operation | None:
        """Do again what was undone last; None: nothing left."""
        if not self._history.undone:
            return None
        operation = self._history.undone[-1]
        self._move(operation, self._history.after_redo())
        return operation

    def close(self) -> None:
        """Release the data set. Episodes still open stay in the journal and are recovered by the next writer."""
        if self._lock < 0:
            return
        if self._journal is not None:
            self._journal.close(remove=not self._open)
        self._file.close()
        release_lock(self._lock, self.path)
        self._lock = -1

    def __enter__(self) -> "DatasetWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _add(
        self,
        kind: Kind,
        episodes: Sequence[tuple[Mapping[str, np.ndarray], Mapping[str, np.ndarray], Mapping[str, Any]]],
        judgements: Sequence[tuple[bool, str, str]],
    ) -> list[EpisodeInfo]:
        out = self._file.appender()
        infos, addresses = [], {}
        for (columns, arrays, meta), (success, reason, label) in zip(episodes, judgements):
            name = episode_name(self._history.next_index + len(infos))
            info = self._make_info(name, columns, meta, success, reason, label)
            everything = {**columns, **derived_fields(info.num_samples, success), **arrays}
            addresses[info.version] = out.group(out.tree(everything), info.attributes())
            infos.append(info)
        operation = self._operation(kind, added=tuple(addresses))
        total = sum(info.num_samples for info in infos)
        self._commit(operation, out, addresses, total, self._history.next_index + len(infos))
        return infos

    def _make_info(
        self,
        name: str,
        columns: Mapping[str, np.ndarray],
        meta: Mapping[str, Any],
        success: bool,
        reason: str,
        label: str,
    ) -> EpisodeInfo:
        sim = columns["timestamps/sim_s"]
        values = {"name": name, "num_samples": len(sim), "success": success, "label": label, "reason": reason}
        duration = float(sim[-1] - sim[0]) + 1.0 / self.spec.command_hz
        return EpisodeInfo(**values, **meta, duration_s=duration, version=f"{name}.0")

    def _fresh_version(self, version: str) -> str:
        while (version := next_version(version)) in self._file.contents.trash:
            pass
        return version

    def _operation(self, kind: Kind, added: tuple[str, ...] = (), removed: tuple[str, ...] = ()) -> Operation:
        return Operation(kind, self._now().isoformat(timespec="seconds"), added, removed)

    def _commit(
        self, operation: Operation, out: Appender, new: Mapping[str, int], delta: int, next_index: int | None = None
    ) -> None:
        index = self._history.next_index if next_index is None else next_index
        history = replace(self._history.after(operation), next_index=index)
        self._store(operation, history, out, new, delta)

    def _move(self, operation: Operation, history: History) -> None:
        """Versions between /data and /trash."""
        with open_file(self.path) as file:
            came = sum(_info(file, f"trash/{version}").num_samples for version in operation.added)
            left = sum(_info(file, f"data/{name_of(version)}").num_samples for version in operation.removed)
        self._store(operation, history, self._file.appender(), {}, came - left)

    def _store(self, operation: Operation, history: History, out: Appender, new: Mapping[str, int], delta: int) -> None:
        before = self._file.contents
        live, trash = apply(operation, before.episodes, before.trash, new)
        self._file.commit(out, Contents(live, trash, before.total + delta, history.to_json()))
        self._history = history

    def _check_known(self, name: str) -> None:
        check_episode_known(self.path, name, self.names)

    def _shorten_journal(self) -> None:
        assert self._journal is not None
        records = b"".join(
            begin_record(e.number, e.meta, e.arrays) + b"".join(sample_record(e.number, row) for row in e.rows)
            for e in self._open.values()
        )
        self._journal.rewrite(records)
        self._journal_limit = max(JOURNAL_LIMIT_BYTES, 4 * self._journal.size)

    def _recover_open_episodes(self) -> None:
        path = journal_path(self.path)
        if not path.exists():
            return
        content = read_journal(path)
        known = self._uuids() if content.episodes else set()
        lost = [e for e in content.episodes if e.rows and e.meta["uuid"] not in known]
        if lost:
            assert content.dtype is not None
            parts = [_recovered_parts(e, content.dtype) for e in lost]
            judgement = (False, "the writer ended before the episode was finished", LABEL_RECOVERED)
            self.recovered = tuple(self._add("recover", parts, [judgement] * len(lost)))
            logger.warning("recovered %d open episodes of %s (%d torn bytes)", len(lost), self.path, content.torn_bytes)
        path.unlink()

    def _uuids(self) -> set[str]:
        with open_file(self.path) as file:
            paths = [f"data/{name}" for name in self._file.contents.episodes]
            paths += [f"trash/{version}" for version in self._file.contents.trash]
            return {_info(file, path).uuid for path in paths}


def _recovered_parts(
    episode: JournalEpisode, dtype: np.dtype
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], dict[str, Any]]:
    return unpacked(episode.rows, dtype), episode.arrays, episode.meta


def _info(file: h5py.File, where: str) -> EpisodeInfo:
    name = where.rpartition("/")[2]
    values = attributes(group_at(file, where))
    return EpisodeInfo.from_attributes(name if where.startswith("data/") else name_of(name), values)


def _spec_of(file: AppendFile) -> DatasetSpec:
    version = int(file.data_attributes.get("format_version", 0))
    if version > FORMAT_VERSION:
        raise DatasetMismatchError(
            f"{file.path} has format {version}; this program writes {FORMAT_VERSION}: update the program"
        )
    if "env_args" not in file.data_attributes:
        raise DatasetMismatchError(f"{file.path} has no env_args: it was not recorded by this program")
    return DatasetSpec.from_env_args(file.data_attributes["env_args"])
