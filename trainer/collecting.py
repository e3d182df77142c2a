"""Demonstrations from many worlds at once: seeds, counting, and the loop of `refine-dp collect`."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from core.backends.base import Backend
from core.control.safety import SafetyFilter
from core.data.dataset import Dataset
from core.data.episodes import DatasetWriter
from core.recording import BatchRecorder, dataset_spec
from core.rollout import EpisodeEnd, Observer, Rollout
from core.tasks.base import Task
from core.tasks.catalogue import make_task
from trainer.jobs.collect import Config
from trainer.progress import EpisodeProgress
from trainer.runs import Run, software_version
from trainer.session.parts import load_controller, make_backend, make_heuristic, safety_limits

SCALARS_PERIOD_S = 10.0
REFRESH_TICKS = 10


class Seeds:
    """Hands out seeds so that every episode that begins is run to its end: no bias towards short ones."""

    def __init__(self, first: int, missing: int, taken: set[int]) -> None:
        """`missing` episodes are to be kept; `taken` seeds are in the data set."""
        self.missing = missing
        self._next = first
        self._taken = taken
        self._running = 0

    def next(self) -> int | None:
        """The next seed that is not in the data set; None when those that run may be enough."""
        if self._running >= self.missing:
            return None
        while self._next in self._taken:
            self._next += 1
        self._running += 1
        self._next += 1
        return self._next - 1

    def ended(self, kept: bool) -> None:
        """An episode ended."""
        self._running -= 1
        self.missing -= kept


@dataclass(frozen=True)
class Place:
    """What is recorded from and to."""

    task: Task
    backend: Backend
    writer: DatasetWriter


@contextmanager
def opened(config: Config) -> Iterator[Place]:
    """The worlds and the data set of a collection. Raises DatasetError for a data set that cannot take the episodes."""
    torch.set_num_threads(1)  # the simulator's threads use the cores; the networks are small
    task = make_task(config.task, min(config.worlds, config.episodes))
    backend = make_backend(config.backend, task)
    try:
        spec = dataset_spec(task, backend.describe(), software_version())
        with DatasetWriter.open(config.dataset, spec, create=True) as writer:
            yield Place(task, backend, writer)
    finally:
        backend.close()


def collect(config: Config, run: Run, place: Place, stop_requested: Callable[[], bool]) -> bool:
    """Record until the data set has enough, or until told to stop. Returns whether it has enough."""
    _drop_recovered(place.writer, config.source)
    done, taken = _there(config)
    seeds = Seeds(config.seed, config.episodes - done, taken)
    if seeds.missing <= 0:
        print(f"{config.dataset} has {done} such episodes already: nothing to do")
        return True
    _record(config, run, place, seeds, done, stop_requested)
    return seeds.missing <= 0


def _drop_recovered(writer: DatasetWriter, source: str) -> None:
    """Pieces of episodes that a killed collection left behind go to the trash: their seeds are run again."""
    pieces = [info.name for info in writer.recovered if info.source == source]
    if pieces:
        writer.delete(pieces)
        print(f"{len(pieces)} unfinished episodes of a killed run are in the trash and are run again")


def _there(config: Config) -> tuple[int, set[int]]:
    """Episodes that the data set has of this kind, and the seeds that need not be run again."""
    mine = [e.info for e in Dataset(config.dataset) if e.info.source == config.source]
    done = sum(info.success or not config.success_only for info in mine)
    return done, {info.seed for info in mine}


def _record(
    config: Config, run: Run, place: Place, seeds: Seeds, done: int, stop_requested: Callable[[], bool]
) -> None:
    task, writer = place.task, place.writer
    source = make_heuristic(task, config.safety)
    controller = load_controller(config.controller, config.backend, task.num_worlds)
    safety = SafetyFilter(safety_limits(config.safety))
    recorder = BatchRecorder(writer, task, source.name, config.success_only)
    run.event("progress", done=done, total=config.episodes, text="")  # the time left counts from here
    with EpisodeProgress(f"collect {config.task}", config.episodes, done) as progress:
        counter = Counter(recorder, seeds, progress, run)
        rollout = Rollout(task, place.backend, source, safety, controller, seeds.next, (recorder, counter))
        rollout.begin()
        while bool(rollout.active.any()) and not stop_requested():
            rollout.step()
            counter.tick(rollout)
        recorder.abort()
    run.event("result", kept=len(recorder.kept), trials=counter.trials, successes=counter.successes)
    counter.scalars(rollout)
    print(f"{writer.path}: {writer.num_episodes} episodes, {writer.num_samples} samples; {progress.text}")


class Counter(Observer):
    """Counts episodes for the progress bar and the run folder."""

    def __init__(self, recorder: BatchRecorder, seeds: Seeds, progress: EpisodeProgress, run: Run) -> None:
        self.trials = 0
        self.successes = 0
        self._recorder = recorder
        self._seeds = seeds
        self._progress = progress
        self._run = run
        self._kept = 0
        self._before = progress.done
        self._told_s = self._started_s = time.monotonic()

    def episode_ended(self, end: EpisodeEnd) -> None:
        """Called after the recorder, which has kept the episode or not."""
        kept, self._kept = len(self._recorder.kept) > self._kept, len(self._recorder.kept)
        self._seeds.ended(kept)
        self.trials += 1
        self.successes += end.success
        self._progress.update(self._before + self._kept, self.trials, self.successes)
        self._run.event(
            "episode", seed=end.seed, success=end.success, reason=end.reason, duration_s=end.duration_s, kept=kept,
            done=self._before + self._kept, total=self._progress.total, text=self._progress.text,
        )  # fmt: skip

    def tick(self, rollout: Rollout) -> None:
        """Let time pass on the bar and, now and then, in the run folder."""
        if rollout.ticks % REFRESH_TICKS == 0:
            self._progress.refresh()
            if time.monotonic() - self._told_s >= SCALARS_PERIOD_S:
                self.scalars(rollout)

    def scalars(self, rollout: Rollout) -> None:
        """Rates and success so far."""
        self._told_s = time.monotonic()
        steps = rollout.ticks * rollout.task.num_worlds
        self._run.scalars(
            rollout.ticks,
            collect__kept=self._kept,
            collect__success_rate=self.successes / max(self.trials, 1),
            collect__episodes_per_minute=self._progress.per_minute,
            collect__env_steps_per_s=steps / (time.monotonic() - self._started_s),
        )
