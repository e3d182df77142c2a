"""Made-up but consistent samples for the tests of the record."""

import numpy as np

from core.data.samples import row_of
from core.data.schema import DatasetSpec, EpisodeStart
from core.t1.model import DEFAULT_JOINT_POS

ACTION_NAMES = tuple(f"component_{i}" for i in range(19))


def make_spec(**changes):
    values = {
        "task": "box_pickup",
        "observation_sizes": {"base": 10, "box": 7},
        "action_names": ACTION_NAMES,
        "object_names": ("box",),
        "backend": "fake 1",
        "software_version": "0.1.0",
    }
    return DatasetSpec(**(values | changes))


def make_samples(count, seed=0, start_s=100.0, spec=None):
    """A smooth random episode of `count` samples at 10 Hz, each a dict by field name."""
    rng = np.random.default_rng(seed)
    fields = {}
    for item in (spec or make_spec()).fields():
        walk = rng.normal(size=(count, *item.shape)).cumsum(axis=0) * 0.01
        if item.name.endswith("root_pose"):
            walk[:, 3:] = rng.normal(size=4)
            walk[:, 3:] /= np.linalg.norm(walk[:, 3:], axis=-1, keepdims=True)
        if item.name.endswith("joint_position") and item.shape == (29,):
            walk = 0.5 * walk + DEFAULT_JOINT_POS
        fields[item.name] = walk.astype(item.dtype)
    for offset in (9, 13):
        quat = rng.normal(size=(count, 4))
        fields["actions"][:, offset : offset + 4] = quat / np.linalg.norm(quat, axis=-1, keepdims=True)
    fields["timestamps/sim_s"] = 0.1 * np.arange(count)
    fields["timestamps/monotonic_s"] = start_s + 0.1 * np.arange(count)
    fields["timestamps/command_sent_s"] = start_s + 0.1 * np.arange(count) + 0.004
    return [row_of(fields, t) for t in range(count)]


def make_start(sample, seed=0, **changes):
    initial = {name.removeprefix("states/"): value for name, value in sample.items() if name.startswith("states/")}
    values = {
        "seed": seed,
        "source": "heuristic",
        "operator": "anna",
        "initial_state": initial,
        "physics": {"object_mass/box": np.float32(0.7), "object_size/box": np.array([0.3, 0.2, 0.1])},
        "task_parameters": {"lift_height": np.float32(0.9)},
    }
    return EpisodeStart(**(values | changes))


def record(writer, count=20, seed=0, success=True, **finish):
    """One whole episode; returns its info and samples."""
    samples = make_samples(count, seed, spec=writer.spec)
    episode = writer.begin(make_start(samples[0], seed, source=finish.get("source", "heuristic")))
    for sample in samples:
        episode.append(sample)
    return episode.finish(success, finish.get("reason", "lifted"), finish.get("label")), samples
