"""Chunks of recorded episodes for planners (no torch): what was seen up to now, what was sent from now on.

A window stands at every sample t of an episode: observations t - To + 1 .. t and commands t .. t + Tp - 1.
Padding: before the first sample the first observation is repeated (as when an episode begins), after the last one
the last command is repeated (the robot goes on holding).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.data.dataset import Dataset, Episode
from core.data.errors import DatasetError
from core.data.schema import DatasetSpec, EpisodeInfo


@dataclass(frozen=True)
class Recording:
    """Samples of several episodes, one after the other."""

    spec: DatasetSpec
    infos: tuple[EpisodeInfo, ...]
    observations: np.ndarray
    "(M, Do) float32, blocks side by side in the order of spec.observation_sizes"
    actions: np.ndarray
    "(M, 19) float32, commands as sent"
    lengths: np.ndarray
    "(E,) samples of each episode"

    @property
    def starts(self) -> np.ndarray:
        """(E,) row of each episode's first sample."""
        return np.concatenate([[0], np.cumsum(self.lengths)[:-1]])


TELEOPERATED_SOURCES = ("vr", "keyboard", "gamepad")
"""Values of an episode's source that are a person."""


def read_recording(
    dataset: Dataset,
    episodes: int | None = None,
    successes_only: bool = True,
    uuids: Sequence[str] | None = None,
    teleoperated: int | None = None,
) -> Recording:
    """Episodes of a data set in memory: so many of them, or exactly those with some uuids, in that order.

    teleoperated: so many of them by a person, the others by a planner (paper: 50 and heuristics, B49, B50); None: as
    they come. Only successes by default, as in the paper (B53). Raises DatasetError when there are too few.
    """
    if uuids is None:
        chosen = choose_episodes(dataset, episodes, successes_only, teleoperated)
    else:
        chosen = _episodes_with(dataset, uuids)
    spec = dataset.spec
    names = [f"obs/{name}" for name in spec.observation_sizes]
    observations, actions = [], []
    for episode in chosen:
        arrays = episode.arrays([*names, "actions"])
        observations.append(np.concatenate([arrays[name] for name in names], axis=-1))
        actions.append(arrays["actions"])
    return Recording(
        spec,
        tuple(e.info for e in chosen),
        np.concatenate(observations).astype(np.float32),
        np.concatenate(actions).astype(np.float32),
        np.array([len(a) for a in actions]),
    )


def choose_episodes(
    dataset: Dataset, count: int | None, successes_only: bool, teleoperated: int | None = None
) -> list[Episode]:
    """Episodes that can be learned from, those with the smallest seeds, in the data set's order; None: all.

    The first ones of a file would be the quick ones: many worlds record at once, and short episodes end first. Smaller
    numbers are subsets of larger ones. Raises DatasetError when there are not so many.
    """
    chosen = [e for e in dataset if (e.info.success or not successes_only) and e.info.num_samples > 0]
    what = "successful episodes" if successes_only else "episodes"
    if teleoperated is not None:
        people = [e for e in chosen if e.info.source in TELEOPERATED_SOURCES]
        if len(people) < teleoperated:
            raise DatasetError(
                f"{dataset.path} has {len(people)} {what} by a person (source {', '.join(TELEOPERATED_SOURCES)}), "
                f"{teleoperated} are needed: teleoperate more, or merge a data set that has them"
            )
        left_out = {id(e) for e in people[teleoperated:]}
        chosen = [e for e in chosen if id(e) not in left_out]
    if not chosen or (count is not None and len(chosen) < count):
        remedy = "collect more" + (", or learn from failed ones too (--no-successes-only)" if successes_only else "")
        raise DatasetError(f"{dataset.path} has {len(chosen)} {what}, {count or 1} are needed: {remedy}")
    return _smallest_seeds(chosen, count, people_first=teleoperated is not None)


def _smallest_seeds(episodes: list[Episode], count: int | None, people_first: bool) -> list[Episode]:
    def rank(index: int) -> tuple[bool, int]:
        info = episodes[index].info
        return people_first and info.source not in TELEOPERATED_SOURCES, info.seed

    chosen = sorted(range(len(episodes)), key=rank)[:count]
    return [episodes[index] for index in sorted(chosen)]


def _episodes_with(dataset: Dataset, uuids: Sequence[str]) -> list[Episode]:
    known = {episode.info.uuid: episode for episode in dataset}
    missing = [uuid for uuid in uuids if uuid not in known]
    if missing:
        raise DatasetError(
            f"{dataset.path} no longer has {len(missing)} of the {len(uuids)} episodes that were used before "
            f"(the first: uuid {missing[0]}): restore them with `refine-dp dataset undo`, or start anew"
        )
    return [known[uuid] for uuid in uuids]


@dataclass(frozen=True)
class Windows:
    """Rows of a recording that belong to each window."""

    observation_rows: np.ndarray
    "(W, To) int64"
    action_rows: np.ndarray
    "(W, Tp) int64"
    episode: np.ndarray
    "(W,) index of the episode"

    def __len__(self) -> int:
        return len(self.episode)

    def of_episodes(self, episodes: Sequence[int] | np.ndarray) -> "Windows":
        """The windows of some episodes."""
        chosen = np.isin(self.episode, episodes)
        return Windows(self.observation_rows[chosen], self.action_rows[chosen], self.episode[chosen])


def make_windows(lengths: np.ndarray, observation_horizon: int, action_chunk: int) -> Windows:
    """Windows of episodes of lengths (E,), padded at both ends. Raises ValueError for empty episodes or windows."""
    if observation_horizon < 1 or action_chunk < 1:
        raise ValueError(f"windows need at least one sample, got {observation_horizon} and {action_chunk}")
    if len(lengths) == 0 or np.min(lengths) < 1:
        raise ValueError(f"every episode needs at least one sample, got lengths {np.asarray(lengths).tolist()}")
    ends = np.cumsum(lengths)
    episode = np.repeat(np.arange(len(lengths)), lengths)
    first, last = (ends - lengths)[episode, None], (ends - 1)[episode, None]
    now = np.arange(ends[-1])[:, None]
    before = np.arange(1 - observation_horizon, 1)
    after = np.arange(action_chunk)
    return Windows(np.maximum(now + before, first), np.minimum(now + after, last), episode)


def split_episodes(count: int, validation_fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Sorted indices of the episodes to learn from and of those to validate on; windows of one never mix.

    At least one of each when the fraction is positive and there are two episodes. Raises ValueError.
    """
    if not 0.0 <= validation_fraction < 1.0:
        raise ValueError(f"validation_fraction must lie in [0, 1), got {validation_fraction}")
    held_out = round(count * validation_fraction)
    if validation_fraction > 0 and count > 1:
        held_out = min(max(held_out, 1), count - 1)
    order = np.random.default_rng(seed).permutation(count)
    return np.sort(order[held_out:]), np.sort(order[:held_out])
