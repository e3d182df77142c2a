"""Each planted fault is found, and only it."""

import numpy as np
import pytest
from recording import make_samples, make_spec, make_start

from core.data.check import CheckLimits, check
from core.data.dataset import Dataset
from core.data.episodes import DatasetWriter
from core.t1 import model

JOINTS = "states/articulation/robot/joint_position"


def write(path, *episodes, **writer_options):
    with DatasetWriter.open(path, make_spec(), create=True, fsync=lambda fd: None, **writer_options) as writer:
        for samples in episodes:
            episode = writer.begin(make_start(samples[0]))
            for sample in samples:
                episode.append(sample)
            episode.finish(True)
    return Dataset(path)


def planted(change, count=60):
    """A good episode with `change(samples)` done to it."""
    samples = [dict(sample) for sample in make_samples(count, 1)]
    for sample in samples:
        sample["actions"] = sample["actions"].copy()
    change(samples)
    return samples


def set_from(name, value, first, last=None, column=...):
    def change(samples):
        for sample in samples[first:last]:
            sample[name] = np.array(sample[name])
            sample[name][column] = value

    return change


def shift_time(name, first, by):
    def change(samples):
        for sample in samples[first:]:
            sample[name] = sample[name] + by

    return change


def stretch_time(factor):
    def change(samples):
        for sample in samples:
            sample["timestamps/sim_s"] = sample["timestamps/sim_s"] * factor

    return change


def test_that_good_data_has_no_findings(tmp_path):
    assert check(write(tmp_path / "x.hdf5", *(make_samples(60, seed) for seed in range(3)))) == []


FAULTS = {
    "gap": (shift_time("timestamps/sim_s", 30, 0.2), "timestamps/sim_s", "0.300 s after sample 29"),
    "gap in real time": (shift_time("timestamps/monotonic_s", 30, 0.1), "timestamps/monotonic_s", "0.200 s"),
    "time goes back": (shift_time("timestamps/monotonic_s", 30, -0.5), "timestamps/monotonic_s", "-0.400 s"),
    "wrong rate": (stretch_time(1.25), "timestamps/sim_s", "8.00 Hz"),
    "late command": (shift_time("timestamps/command_sent_s", 50, 0.3), "timestamps/command_sent_s", "10 samples"),
    "command before state": (shift_time("timestamps/command_sent_s", 59, -1.0), "timestamps/command_sent_s", "-0.996"),
    "not a number": (set_from("obs/box", np.nan, 7, 9, 2), "obs/box", "2 samples, first at 7"),
    "quaternion": (set_from("actions", 0.9, 5, 6, 9), "actions left_hand_quat", "at sample 5"),
    "saturation": (set_from("actions", 0.4, 0, 30, 0), "actions base_velocity_x_m_s", "50% at the limit 0.4"),
    "beyond limit": (set_from("actions", -0.9, 3, 4, 2), "actions base_velocity_yaw_rad_s", "0.9"),
    "saturation of a joint": (set_from(JOINTS, model.UPPER_LIMIT[4], 0, 20, 4), "Left_Elbow_Pitch", "33% at a joint"),
    "frozen": (set_from(JOINTS, 0.2, 0), JOINTS, "the same in all 60 samples"),
}


@pytest.fixture
def named_actions(monkeypatch):
    """Action names of the real command, so that limits apply."""
    names = ["base_velocity_x_m_s", "base_velocity_y_m_s", "base_velocity_yaw_rad_s"]
    names += [f"{side}_hand_pos_{axis}_m" for side in ("left", "right") for axis in "xyz"]
    names += [f"{side}_hand_quat_{axis}" for side in ("left", "right") for axis in "wxyz"]
    monkeypatch.setattr("recording.ACTION_NAMES", (*names, "left_gripper_opening_m", "right_gripper_opening_m"))


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.usefixtures("named_actions")
def test_that_a_planted_fault_is_found(tmp_path, kind):
    change, field, value = FAULTS[kind]
    findings = check(write(tmp_path / "x.hdf5", make_samples(60, 0), planted(change)))
    assert findings, "nothing was found"
    hits = [f for f in findings if f.kind in kind and field in f.field and value in f.value]
    assert hits, findings
    assert {f.episode for f in findings} == {"demo_1"}, "the good episode has no findings"
    assert all(f.allowed for f in findings)


def test_that_a_column_that_never_changes_is_found(tmp_path):
    episodes = [planted(set_from("obs/box", 0.25, 0, None, 3)) for _ in range(2)]
    (finding,) = [f for f in check(write(tmp_path / "x.hdf5", *episodes)) if f.kind == "constant"]
    assert (finding.level, finding.episode, finding.field) == ("warning", "all", "obs/box[3]")
    assert finding.value == "0.25 in all 120 samples"


def test_that_missing_fields_and_wrong_totals_are_found(tmp_path):
    path = tmp_path / "x.hdf5"
    write(path, make_samples(60, 0), make_samples(60, 1))
    import h5py

    with h5py.File(path, "r+") as file:
        del file["data/demo_0/obs/box"]
        del file["data/demo_1/actions"]
        file["data/demo_1/actions"] = np.zeros((3, 19), np.float32)
        file["data"].attrs["total"] = 7
    kinds = {(f.kind, f.episode, f.field) for f in check(Dataset(path))}
    assert kinds == {
        ("total", "all", "total"),
        ("missing field", "demo_0", "obs/box"),
        ("wrong shape", "demo_1", "actions"),
    }


def test_that_a_stall_of_the_wall_clock_is_a_warning_and_a_gap_in_the_data_an_error(tmp_path):
    for field, level in (("timestamps/monotonic_s", "warning"), ("timestamps/sim_s", "error")):
        samples = planted(shift_time(field, 30, 0.2))
        if field == "timestamps/monotonic_s":
            shift_time("timestamps/command_sent_s", 30, 0.2)(samples)
        (finding,) = check(write(tmp_path / f"{level}.hdf5", samples))
        assert (finding.kind, finding.level) == ("gap", level)


def test_that_collection_on_a_busy_computer_is_not_taken_for_real_time(tmp_path):
    samples = make_samples(60, 0)
    for t, sample in enumerate(samples):
        sample["timestamps/monotonic_s"] = 5.0 + 0.095 * t + (0.3 if t > 20 else 0.0)
        sample["timestamps/command_sent_s"] = sample["timestamps/monotonic_s"] + 0.4
    assert check(write(tmp_path / "x.hdf5", samples)) == []


def test_that_an_accelerated_recording_is_not_blamed_for_its_wall_clock(tmp_path):
    samples = make_samples(60, 0)
    for t, sample in enumerate(samples):
        sample["timestamps/monotonic_s"] = 5.0 + 0.004 * t + (0.3 if t > 20 else 0.0)
        sample["timestamps/command_sent_s"] = sample["timestamps/monotonic_s"] + 0.4
    assert check(write(tmp_path / "x.hdf5", samples)) == []


def test_that_the_limits_are_those_of_the_safety_filter():
    from core.control.safety import SafetyLimits

    safety, limits = SafetyLimits(), CheckLimits()
    assert (limits.speed_x_m_s, limits.speed_y_m_s) == (safety.speed_x_m_s, safety.speed_y_m_s)
    assert (limits.turn_rad_s, limits.late_command_s) == (safety.turn_rad_s, safety.stale_after_s)
