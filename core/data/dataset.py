"""Reading a data set: what it holds, and one episode at a time; never locks, works while another process records."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import h5py
import numpy as np

from core.data.errors import DatasetMismatchError, check_episode_known
from core.data.hdf5_read import array_at, array_names, attributes, group_at, open_file, read_arrays
from core.data.history import History
from core.data.schema import DatasetSpec, EpisodeInfo, episode_index


@dataclass(frozen=True)
class Episode:
    """One episode: attributes at once, arrays when asked for."""

    path: Path
    "of the data set"
    where: str
    "group in the file: data/demo_N, or trash/demo_N.k"
    info: EpisodeInfo

    @cached_property
    def array_names(self) -> tuple[str, ...]:
        """Paths below the episode: 'actions', 'obs/...', 'states/...', 'initial_state/...', 'physics/...', ..."""
        with open_file(self.path) as file:
            return tuple(array_names(group_at(file, self.where)))

    def array(self, name: str) -> np.ndarray:
        """One array, (T, ...) for samples. Raises ValueError naming the known ones."""
        with open_file(self.path) as file:
            group = group_at(file, self.where)
            if not isinstance(group.get(name), h5py.Dataset):
                raise ValueError(f"{self.info.name} has no field {name!r}; it has {', '.join(self.array_names)}")
            return array_at(group, name)

    def arrays(self, names: Sequence[str] | None = None) -> dict[str, np.ndarray]:
        """Several arrays with one opening of the file (None: all)."""
        with open_file(self.path) as file:
            group = group_at(file, self.where)
            return read_arrays(group) if names is None else {name: array_at(group, name) for name in names}


class Dataset:
    """A snapshot of a data set's episodes; `refresh` reads anew."""

    def __init__(self, path: Path | str) -> None:
        """Raises DatasetMissingError, DatasetDamagedError, DatasetError."""
        self.path = Path(path)
        self.refresh()

    def refresh(self) -> None:
        """Read the list of episodes again."""
        with open_file(self.path) as file:
            data = group_at(file, "data")
            self.attributes = attributes(data)
            self.episodes = self._list(file, "data")
            self.trash = self._list(file, "trash") if "trash" in file else ()

    @property
    def spec(self) -> DatasetSpec:
        """Rates, names and sizes. Raises DatasetMismatchError for a file of another program."""
        if "env_args" not in self.attributes:
            raise DatasetMismatchError(f"{self.path} has no env_args: it was not recorded by this program")
        return DatasetSpec.from_env_args(self.attributes["env_args"])

    @property
    def num_samples(self) -> int:
        return sum(episode.info.num_samples for episode in self.episodes)

    @property
    def num_successes(self) -> int:
        return sum(episode.info.success for episode in self.episodes)

    @property
    def history(self) -> History:
        """What can be undone and redone."""
        with open_file(self.path) as file:
            return History.from_json(array_at(file, "trash/history").tobytes() if "trash" in file else b"{}")

    def episode(self, name: str) -> Episode:
        """By name. Raises ValueError on an unknown one."""
        named = {episode.info.name: episode for episode in self.episodes}
        check_episode_known(self.path, name, tuple(named))
        return named[name]

    def __len__(self) -> int:
        return len(self.episodes)

    def __iter__(self) -> Iterator[Episode]:
        return iter(self.episodes)

    def _list(self, file: h5py.File, where: str) -> tuple[Episode, ...]:
        group = group_at(file, where)
        names = [name for name in map(str, group) if name != "history"]
        infos = [EpisodeInfo.from_attributes(n.partition(".")[0], attributes(group_at(group, n))) for n in names]
        episodes = [Episode(self.path, f"{where}/{name}", info) for name, info in zip(names, infos)]
        return tuple(sorted(episodes, key=lambda e: (episode_index(e.info.name), e.info.version)))
