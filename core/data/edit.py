"""Merging data sets into one file, and giving back the space that trash and earlier versions take."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.data.append_file import sync_folder
from core.data.dataset import Dataset, Episode
from core.data.episodes import DatasetWriter
from core.data.errors import DatasetError
from core.data.schema import EpisodeInfo

Progress = Callable[[int], None]


def _silent(done: int) -> None:
    """Nobody listens."""


@dataclass(frozen=True)
class Merged:
    """What a merge did."""

    added: int
    "episodes"
    skipped: int
    "episodes that the output already held (same uuid)"


def merge(output: Path, inputs: Sequence[Path], progress: Progress = _silent) -> Merged:
    """Append the episodes of other data sets to one (made when missing), as they are, numbered on.

    Raises DatasetMismatchError when task, rates or layout differ; then nothing is written.
    """
    if output in inputs:
        raise DatasetError(f"{output} is also an input; choose another output")
    sources = [Dataset(path) for path in inputs]
    if not sources:
        raise DatasetError("nothing to merge: name at least one data set")
    spec = sources[0].spec
    for source in sources[1:]:
        source.spec.check_fits(spec, str(inputs[0]))
    with DatasetWriter.open(output, spec, create=True) as writer:
        known = {episode.info.uuid for episode in Dataset(output)}
        wanted = []
        for episode in (e for source in sources for e in source):
            if not episode.info.uuid or episode.info.uuid not in known:
                wanted.append(episode)
                known.add(episode.info.uuid)
        _copy(writer, wanted, progress, keep_names=False)
        return Merged(len(wanted), sum(map(len, sources)) - len(wanted))


def compact(path: Path, progress: Progress = _silent) -> int:
    """Rewrite a data set without trash, history and superseded bytes; returns the bytes it saved.

    The old file stays until the new one is complete, so as much space again is needed for a while.
    """
    with DatasetWriter.open(path) as writer:
        if writer.other_groups:
            raise DatasetError(f"{path} also holds {sorted(writer.other_groups)}, which compacting would drop")
        before = path.stat().st_size
        new = path.with_name(path.name + ".compact")
        new.unlink(missing_ok=True)
        try:
            with DatasetWriter.open(new, writer.spec, create=True) as copy:
                _copy(copy, list(Dataset(path)), progress, keep_names=True)
                copy.forget_history(writer.history.next_index)
            os.rename(new, path)
        except BaseException:
            new.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)
        return before - path.stat().st_size


def _copy(writer: DatasetWriter, episodes: Sequence[Episode], progress: Progress, keep_names: bool) -> None:
    def read() -> Iterator[tuple[EpisodeInfo, dict[str, np.ndarray]]]:
        for done, episode in enumerate(episodes, start=1):
            yield episode.info, episode.arrays()
            progress(done)

    writer.add(read(), keep_names)
