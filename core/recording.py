"""From the loop to the data set: what a recording shares, what a sample is, and the recorder of many worlds."""

from dataclasses import asdict

import numpy as np

from core.backends.base import BackendDescription
from core.data.episodes import DatasetWriter, OpenEpisode
from core.data.samples import physics_fields, row_of, sample_fields, state_fields
from core.data.schema import DatasetSpec, EpisodeInfo
from core.data.schema import EpisodeStart as RecordedStart
from core.rollout import DIVERGED, CommandSent, EpisodeEnd, EpisodeStart, Observer
from core.tasks.base import Task
from core.types import CONTROL_HZ, PLANNER_HZ, Command


def dataset_spec(task: Task, backend: BackendDescription, software_version: str) -> DatasetSpec:
    """What every episode of this task on this backend shares."""
    return DatasetSpec(
        task=task.name,
        observation_sizes={term.name: term.size for term in task.observation_terms},
        action_names=Command.component_names(),
        object_names=tuple(item.name for item in backend.scene.free_objects),
        command_hz=float(PLANNER_HZ),
        control_hz=float(CONTROL_HZ),
        joint_names=backend.joint_names,
        backend=f"{backend.name} {backend.version}",
        software_version=software_version,
        sim_args={
            "dt": backend.physics_timestep_s,
            "decimation": round(backend.control_period_s / backend.physics_timestep_s),
            "num_envs": backend.num_worlds,
            **backend.settings,
        },
        scene=asdict(backend.scene),
    )


def samples_of(record: CommandSent, task: Task) -> dict[str, np.ndarray]:
    """Every field of one sample of N worlds, leading axis N; still shares memory with the state."""
    return sample_fields(
        record.state,
        record.sent.to_vector(),
        task.observation(record.state),
        record.state_time_s,
        record.sent_time_s,
    )


def recorded_start(
    start: EpisodeStart, first: CommandSent, source: str, operator: str = "", backend: str | None = None
) -> RecordedStart:
    """The start of a recording: what was drawn, and the first state (the episode's, unless recording began later)."""
    return RecordedStart(
        seed=start.seed,
        source=source,
        operator=operator,
        initial_state=_copied(row_of(state_fields(first.state), start.world)),
        physics=_copied(row_of(physics_fields(start.physics), 0)),
        task_parameters={name: value[0].numpy().copy() for name, value in start.parameters.items()},
        backend=backend,
    )


def _copied(row: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: np.array(value) for name, value in row.items()}


class BatchRecorder(Observer):
    """Records every episode of N worlds from its first to its last command; keeps each as it ends."""

    def __init__(self, writer: DatasetWriter, task: Task, source: str, success_only: bool = False) -> None:
        """success_only drops failures. Episodes in which the simulation diverged are always dropped."""
        self.kept: list[EpisodeInfo] = []
        self._writer = writer
        self._task = task
        self._source = source
        self._success_only = success_only
        self._starts: dict[int, EpisodeStart] = {}
        self._open: dict[int, OpenEpisode] = {}

    def episode_began(self, start: EpisodeStart) -> None:
        """Its recording opens with its first command."""
        self._starts[start.world] = start

    def command_sent(self, record: CommandSent) -> None:
        """One sample for each world in which an episode runs."""
        for world, start in self._starts.items():
            self._open[world] = self._writer.begin(recorded_start(start, record, self._source))
        self._starts.clear()
        fields = samples_of(record, self._task)
        for world, episode in self._open.items():
            episode.append(row_of(fields, world))

    def episode_ended(self, end: EpisodeEnd) -> None:
        """Keep it, or drop it."""
        episode = self._open.pop(end.world, None)
        self._starts.pop(end.world, None)
        if episode is None:
            return
        if end.reason == DIVERGED or (self._success_only and not end.success):
            episode.abort()
        else:
            self.kept.append(episode.finish(end.success, end.reason))

    def abort(self) -> None:
        """Drop every episode that is still open (a clean stop)."""
        for episode in self._open.values():
            episode.abort()
        self._open.clear()
