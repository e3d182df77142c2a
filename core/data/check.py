"""Finds what is wrong or suspicious in recorded data: gaps, rates, NaN, constant columns, saturation, quaternions."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from core.data.dataset import Dataset, Episode
from core.data.schema import DERIVED_FIELDS, LABEL_RECOVERED, ROBOT, DatasetSpec, Field
from core.t1 import model

Level = Literal["error", "warning"]

WHOLE = "all"
"""Stands for the data set in place of an episode's name."""


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be."""

    level: Level
    "error: do not train on it; warning: look at it"
    kind: str
    episode: str
    "demo_N or 'all'"
    field: str
    value: str
    "what was found"
    allowed: str
    "what is right"


@dataclass(frozen=True)
class CheckLimits:
    """What counts as right."""

    gap_periods: float = 1.5
    "a step between two samples longer than this many periods is a gap"
    rate_tolerance: float = 0.02
    "relative error of the median period"
    late_command_s: float = 0.25
    "a command sent later than this after the state it was made from (the safety filter's limit for stale commands)"
    quaternion_tolerance: float = 1e-3
    "of the norm"
    saturated_fraction: float = 0.2
    "of the samples of an episode in which a command or a joint is at its limit"
    speed_x_m_s: float = 0.4
    "largest forward and backward base velocity (the safety filter's)"
    speed_y_m_s: float = 0.2
    "largest sideways base velocity"
    turn_rad_s: float = 0.5
    "largest yaw rate"
    joint_margin_rad: float = 0.005
    "a joint this close to a limit is at the limit"
    constant_after: int = 50
    "samples after which a column that never changed is reported"

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value <= 0:
                raise ValueError(f"{name} must be positive, got {value}")


Arrays = Mapping[str, np.ndarray]


class _Ranges:
    """Smallest and largest value of every column over the whole data set, for the search for constant ones."""

    def __init__(self) -> None:
        self.low: dict[str, np.ndarray] = {}
        self.high: dict[str, np.ndarray] = {}
        self.count = 0

    def add(self, arrays: Arrays) -> None:
        self.count += len(arrays["actions"])
        for name, array in arrays.items():
            if name == "actions" or name.startswith("obs/"):
                low, high = array.min(axis=0), array.max(axis=0)
                self.low[name] = np.minimum(self.low[name], low) if name in self.low else low
                self.high[name] = np.maximum(self.high[name], high) if name in self.high else high


def check(
    dataset: Dataset, limits: CheckLimits | None = None, progress: Callable[[int], None] = lambda done: None
) -> list[Finding]:
    """Every finding of a data set; `progress` hears how many episodes are done. Raises DatasetMismatchError."""
    limits = limits or CheckLimits()
    spec = dataset.spec
    findings = list(_check_whole(dataset))
    ranges = _Ranges()
    for done, episode in enumerate(dataset, start=1):
        arrays = episode.arrays()
        complaints = list(_check_layout(episode, arrays, spec))
        findings += complaints
        if not any(f.level == "error" for f in complaints):
            findings += _check_episode(episode, arrays, spec, limits)
            ranges.add(arrays)
        progress(done)
    return findings + list(_check_constant(ranges, spec, limits))


def _check_whole(dataset: Dataset) -> Iterator[Finding]:
    total = int(dataset.attributes.get("total", -1))
    if total != dataset.num_samples:
        yield Finding("error", "total", WHOLE, "total", str(total), f"{dataset.num_samples}, the sum of num_samples")
    if not len(dataset):
        yield Finding("warning", "empty", WHOLE, "", "0 episodes", "at least one")
    uuids = Counter(episode.info.uuid for episode in dataset if episode.info.uuid)
    for episode in dataset:
        if uuids[episode.info.uuid] > 1:
            count = f"{uuids[episode.info.uuid]} copies"
            yield Finding("warning", "duplicate", episode.info.name, "uuid", count, "each episode once")


def _check_layout(episode: Episode, arrays: Arrays, spec: DatasetSpec) -> Iterator[Finding]:
    name, count = episode.info.name, episode.info.num_samples
    if count < 2:
        yield Finding("error", "short", name, "num_samples", str(count), "at least 2")
    for field in (*spec.fields(), *DERIVED_FIELDS):
        expected = (count, *field.shape)
        if field.name not in arrays:
            yield Finding("error", "missing field", name, field.name, "missing", f"shape {expected}")
        elif arrays[field.name].shape != expected:
            yield Finding("error", "wrong shape", name, field.name, str(arrays[field.name].shape), str(expected))
    for path in ("root_pose", "root_velocity", "joint_position", "joint_velocity"):
        if f"initial_state/articulation/{ROBOT}/{path}" not in arrays:
            field_name = f"initial_state/articulation/{ROBOT}/{path}"
            yield Finding("warning", "missing field", name, field_name, "missing", "needed to replay the episode")


def _check_episode(episode: Episode, arrays: Arrays, spec: DatasetSpec, limits: CheckLimits) -> Iterator[Finding]:
    name = episode.info.name
    if episode.info.label == LABEL_RECOVERED:
        yield Finding("warning", "recovered", name, "label", "recovered", "an episode that was finished")
    bad = [f for f in spec.fields() if not np.isfinite(arrays[f.name]).all()]
    for field in bad:
        values = arrays[field.name].reshape(len(arrays[field.name]), -1)
        rows = np.flatnonzero(~np.isfinite(values).all(axis=1))
        where = f"{len(rows)} samples, first at {rows[0]}"
        yield Finding("error", "not a number", name, field.name, where, "finite values")
    if not bad:
        yield from _check_times(name, arrays, spec, limits)
        yield from _check_quaternions(name, arrays, spec, limits)
        yield from _check_saturation(name, arrays, spec, limits)
        yield from _check_frozen(name, arrays, spec.fields(), limits)


def _check_times(name: str, arrays: Arrays, spec: DatasetSpec, limits: CheckLimits) -> Iterator[Finding]:
    period = 1.0 / spec.command_hz
    steps = np.diff(arrays["timestamps/sim_s"])
    yield from _check_steps(name, "timestamps/sim_s", steps, period, limits)
    median = float(np.median(steps))
    if abs(median - period) > limits.rate_tolerance * period:
        found = f"{1 / median:.2f} Hz" if median > 0 else "time stands still"
        yield Finding("error", "wrong rate", name, "timestamps/sim_s", found, f"{spec.command_hz:g} Hz")
    wall = np.diff(arrays["timestamps/monotonic_s"])
    if wall.min() < 0:
        yield _backwards(name, "timestamps/monotonic_s", wall)
    delay = arrays["timestamps/command_sent_s"] - arrays["timestamps/monotonic_s"]
    if delay.min() < 0:
        found = f"{delay.min():.3f} s at sample {int(delay.argmin())}"
        yield Finding("error", "command before state", name, "timestamps/command_sent_s", found, "0 s or more")
    if abs(float(np.median(wall)) - period) < limits.rate_tolerance * period:  # in real time, not as fast as it can
        yield from _check_steps(name, "timestamps/monotonic_s", wall, period, limits, "warning")
        late = int((delay > limits.late_command_s).sum())
        if late:
            found = f"{late} samples, up to {delay.max():.3f} s"
            allowed = f"at most {limits.late_command_s:g} s"
            yield Finding("warning", "late command", name, "timestamps/command_sent_s", found, allowed)


def _check_steps(
    name: str, field: str, steps: np.ndarray, period: float, limits: CheckLimits, level: Level = "error"
) -> Iterator[Finding]:
    if steps.min() <= 0:
        yield _backwards(name, field, steps)
    gaps = np.flatnonzero(steps > limits.gap_periods * period)
    if len(gaps):
        found = f"{len(gaps)} gaps, the longest {steps.max():.3f} s after sample {int(steps.argmax())}"
        yield Finding(level, "gap", name, field, found, f"steps of {period:g} s")


def _backwards(name: str, field: str, steps: np.ndarray) -> Finding:
    found = f"{steps.min():.3f} s after sample {int(steps.argmin())}"
    return Finding("error", "time goes back", name, field, found, "increasing time stamps")


def _check_quaternions(name: str, arrays: Arrays, spec: DatasetSpec, limits: CheckLimits) -> Iterator[Finding]:
    parts = [(f.name, arrays[f.name][:, 3:7]) for f in spec.fields() if f.name.endswith("/root_pose")]
    for at, component in enumerate(spec.action_names):
        if component.endswith("_quat_w"):
            parts.append((f"actions {component[:-2]}", arrays["actions"][:, at : at + 4]))
    for field, quaternions in parts:
        error = np.abs(np.linalg.norm(quaternions, axis=-1) - 1.0)
        if error.max() > limits.quaternion_tolerance:
            found = f"norm off by {error.max():.2g} at sample {int(error.argmax())}"
            yield Finding("error", "quaternion", name, field, found, f"1 within {limits.quaternion_tolerance:g}")


def _check_saturation(name: str, arrays: Arrays, spec: DatasetSpec, limits: CheckLimits) -> Iterator[Finding]:
    largest = {
        "base_velocity_x_m_s": limits.speed_x_m_s,
        "base_velocity_y_m_s": limits.speed_y_m_s,
        "base_velocity_yaw_rad_s": limits.turn_rad_s,
    }
    allowed = f"at most {limits.saturated_fraction:.0%} of the samples"
    for at, component in enumerate(spec.action_names):
        if component not in largest:
            continue
        size, limit = np.abs(arrays["actions"][:, at]), largest[component]
        if size.max() > limit * 1.001:
            yield Finding("error", "beyond limit", name, f"actions {component}", f"{size.max():.3g}", f"|v| <= {limit}")
        fraction = float((size >= limit * 0.999).mean())
        if fraction > limits.saturated_fraction:
            found = f"{fraction:.0%} at the limit {limit:g}"
            yield Finding("warning", "saturation", name, f"actions {component}", found, allowed)
    if spec.joint_names == model.JOINT_NAMES:
        yield from _check_joint_limits(name, arrays, limits, allowed)


def _check_joint_limits(name: str, arrays: Arrays, limits: CheckLimits, allowed: str) -> Iterator[Finding]:
    position = arrays[f"states/articulation/{ROBOT}/joint_position"]
    margin = limits.joint_margin_rad
    low, high = model.LOWER_LIMIT + margin, model.UPPER_LIMIT - margin
    fraction = ((position <= low) | (position >= high)).mean(axis=0)
    for joint in np.flatnonzero(fraction > limits.saturated_fraction):
        field = f"joint_position {model.JOINT_NAMES[joint]}"
        found = f"{fraction[joint]:.0%} at a joint limit"
        yield Finding("warning", "saturation", name, field, found, allowed)


def _check_frozen(name: str, arrays: Arrays, fields: tuple[Field, ...], limits: CheckLimits) -> Iterator[Finding]:
    """A whole state or observation of the robot that never changes: a sensor that stood still."""
    for field in fields:
        array = arrays[field.name]
        moving = field.name.startswith(f"states/articulation/{ROBOT}") and "gripper" not in field.name
        if moving and len(array) >= limits.constant_after and not np.ptp(array, axis=0).any():
            yield Finding("error", "frozen", name, field.name, f"the same in all {len(array)} samples", "changes")


def _check_constant(ranges: _Ranges, spec: DatasetSpec, limits: CheckLimits) -> Iterator[Finding]:
    if ranges.count < limits.constant_after:
        return
    for name, low in ranges.low.items():
        same = np.flatnonzero(low == ranges.high[name])
        for column in same:
            field = f"actions {spec.action_names[column]}" if name == "actions" else f"{name}[{column}]"
            found = f"{low[column]:.4g} in all {ranges.count} samples"
            yield Finding("warning", "constant", WHOLE, field, found, "a column that tells something")
