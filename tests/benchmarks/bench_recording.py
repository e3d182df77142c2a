"""Episodes and samples per second that the recorder writes, waits for the disk included, and how fast they read."""

import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.data.dataset import Dataset
from core.data.episodes import DatasetWriter
from core.data.schema import DatasetSpec, EpisodeStart
from core.tasks.box_pickup import OBSERVATION_TERMS
from core.types import Command


@dataclass(frozen=True)
class RecordingConfig:
    """What is measured."""

    worlds: tuple[int, ...] = (1, 64)
    "episodes that are open at once"
    episodes: int = 512
    "episodes of each measurement"
    samples: int = 200
    "samples an episode: 20 s"
    folder: Path | None = None
    "on the disk to measure, default: the system's folder for temporary files"


def make_samples(spec: DatasetSpec, count: int) -> list[dict[str, np.ndarray]]:
    """Random samples."""
    rng = np.random.default_rng(0)
    fields = {f.name: rng.normal(size=(count, *f.shape)).astype(f.dtype) for f in spec.fields()}
    return [{name: values[t] for name, values in fields.items()} for t in range(count)]


def box_pickup_spec() -> DatasetSpec:
    """The layout of the first task."""
    sizes = {term.name: term.size for term in OBSERVATION_TERMS}
    return DatasetSpec("box_pickup", sizes, Command.component_names(), ("box",))


def record(path: Path, worlds: int, config: RecordingConfig) -> tuple[float, np.ndarray, np.ndarray]:
    """(total s, s of every append, s of every finish) of a new data set, worlds staggered as in real collection."""
    spec = box_pickup_spec()
    samples = make_samples(spec, config.samples)
    start = EpisodeStart(0, "heuristic", initial_state={"articulation/robot/root_pose": np.zeros(7)})
    appends, finishes, open_episodes = [], [], []
    begun = 0
    began = time.perf_counter()
    with DatasetWriter.open(path, spec, create=True) as writer:
        while begun < config.episodes or open_episodes:
            while len(open_episodes) < worlds and begun < config.episodes:
                offset = begun * config.samples // worlds if begun < worlds else 0
                open_episodes.append([writer.begin(start), min(offset, config.samples - 1)])
                begun += 1
            for item in list(open_episodes):
                episode, t = item
                at = time.perf_counter()
                episode.append(samples[t])
                appends.append(time.perf_counter() - at)
                item[1] += 1
                if item[1] == config.samples:
                    at = time.perf_counter()
                    episode.finish(True)
                    finishes.append(time.perf_counter() - at)
                    open_episodes.remove(item)
    return time.perf_counter() - began, np.array(appends), np.array(finishes)


def main(config: RecordingConfig) -> int:
    """Print one row for each number of worlds."""
    print("recording, box_pickup layout, every episode waits for the disk twice")
    print(" worlds  episodes/s  samples/s  append us (99 %)  finish ms (99 %)  MB/episode  list ms  read all s")
    for worlds in config.worlds:
        with tempfile.TemporaryDirectory(dir=config.folder) as folder:
            path = Path(folder) / "box.hdf5"
            total_s, append_s, finish_s = record(path, worlds, config)
            size_mb = os.path.getsize(path) / config.episodes / 1e6
            at = time.perf_counter()
            dataset = Dataset(path)
            list_s = time.perf_counter() - at
            for episode in dataset:
                episode.arrays()
            read_s = time.perf_counter() - at - list_s
            a, f = (1e6 * np.percentile(append_s, (50, 99)), 1e3 * np.percentile(finish_s, (50, 99)))
            print(
                f"{worlds:7d} {config.episodes / total_s:11.0f} {len(append_s) / total_s:10.0f}"
                f" {a[0]:10.0f} ({a[1]:.0f}) {f[0]:11.1f} ({f[1]:.1f}) {size_mb:11.3f}"
                f" {1e3 * list_s:8.0f} {read_s:11.2f}",
                flush=True,
            )
    return 0
