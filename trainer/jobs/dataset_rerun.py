"""Simulate the commands of recorded episodes again and keep the result, to be seen beside the recording.

The recording may be of the real robot: the same commands, each for as long as it held there, through the same loop in
simulation, from the recorded start. Reruns are episodes of a data set of their own, with the source "rerun UUID" of the
episode that they repeat.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tyro.conf import Positional

from core.control.choices import ControllerName
from core.data.dataset import Dataset, Episode
from core.data.episodes import DatasetWriter
from trainer.jobs import dataset_tables as tables

SOURCE = "rerun "
"""Begin of the source of an episode that repeats another, whose uuid follows."""


@dataclass(frozen=True)
class Rerun:
    """Simulate the commands of recorded episodes (of the robot) again and keep the result, to be seen beside them."""

    path: Positional[Path]
    "data set (HDF5)"
    episodes: Positional[tuple[str, ...]]
    "demo_0 demo_1 ..."
    output: Path | None = None
    "data set of the reruns; none: beside the data set, NAME.rerun.hdf5"
    controller: Literal["as_recorded", ControllerName] = "as_recorded"
    "what moves the arms; as_recorded: robot_arms for recordings of a robot, else learned"
    backend: Literal["mujoco", "fake"] = "mujoco"
    "simulator"
    again: bool = False
    "simulate also what was simulated before"
    json: bool = False
    "print JSON instead of tables"

    def __post_init__(self) -> None:
        if not self.episodes:
            raise ValueError("name at least one episode to simulate again: demo_0")
        if self.output is not None and self.output.resolve() == self.path.resolve():
            raise ValueError(f"reruns do not go into the data set itself ({self.path}); give another --output")


def rerun_path(path: Path) -> Path:
    """Where the reruns of a data set go."""
    return path.with_name(f"{path.stem}.rerun{path.suffix}")


def controller_of(config: Rerun, episode: Episode) -> str:
    """What moves the arms: on a robot those that were trained for late targets."""
    if config.controller != "as_recorded":
        return config.controller
    return "robot_arms" if episode.info.backend.startswith("booster") else "learned"


def find_rerun(path: Path, uuid: str) -> str:
    """Name of the newest rerun of the episode with this uuid in a data set of reruns, '' for none."""
    if not path.exists():
        return ""
    names = [episode.info.name for episode in Dataset(path) if episode.info.source == f"{SOURCE}{uuid}"]
    return names[-1] if names else ""


def run_rerun(config: Rerun) -> int:
    """Simulate them one after the other. Returns 0."""
    dataset = Dataset(config.path)
    output = config.output or rerun_path(config.path)
    chosen = [dataset.episode(name) for name in config.episodes]
    results = []
    with tables.progress("simulating", len(chosen), quiet=config.json) as advance:
        for done, episode in enumerate(chosen, start=1):
            known = "" if config.again else find_rerun(output, episode.info.uuid)
            results.append({"rerun": known} if known else _rerun(config, dataset, episode, output))
            advance(done)
    if config.json:
        print(json.dumps({"output": str(output), "reruns": results}))
        return 0
    if measured := [result for result in results if "episode" in result]:
        tables.show_replays(measured, "commands")
    for episode, result in zip(chosen, results):
        print(f"{episode.info.name} was simulated again as {result['rerun']} of {output}")
    return 0


def _rerun(config: Rerun, dataset: Dataset, episode: Episode, output: Path) -> dict[str, Any]:
    from core.control.safety import SafetyFilter, SafetyLimits
    from core.recording import BatchRecorder, dataset_spec
    from core.replay import replay_commands
    from core.tasks.catalogue import make_task
    from trainer.runs import software_version
    from trainer.session.parts import load_controller, make_backend

    task = make_task(dataset.spec.task, 1)
    backend = make_backend(config.backend, task)
    try:
        spec = dataset_spec(task, backend.describe(), software_version())
        with DatasetWriter.open(output, spec, create=True) as writer:
            recorder = BatchRecorder(writer, task, f"{SOURCE}{episode.info.uuid}")
            controller = load_controller(controller_of(config, episode), config.backend, 1)
            # what was recorded had passed the filter: it passes again, even where limits were wide
            safety = SafetyFilter(SafetyLimits())
            result = replay_commands(episode, task, backend, controller, safety, (recorder,))
            if not recorder.kept:
                raise ValueError(f"the simulation of {episode.info.name} broke down: nothing to show")
            return tables.replay_summary(episode.info, result) | {"rerun": recorder.kept[-1].name}
    finally:
        backend.close()
