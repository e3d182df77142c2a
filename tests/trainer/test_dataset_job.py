"""`refine-dp dataset`: every subcommand from the command line."""

import json

import h5py
import numpy as np
import pytest
import torch

from core.backends.fake import FakeBackend
from core.control.safety import SafetyFilter, SafetyLimits
from core.data.dataset import Dataset
from core.data.episodes import DatasetWriter, journal_path
from core.planners.box_pickup import BoxPickupHeuristic
from core.recording import BatchRecorder, dataset_spec
from core.rollout import Rollout
from core.tasks.box_pickup import BoxPickup
from trainer import cli
from trainer.session.parts import PoseHolder

SAMPLES = 8


def record(path, seeds):
    """Short episodes of the box pick-up in a world without physics."""
    task = BoxPickup(len(seeds))
    backend = FakeBackend(task.scene(), len(seeds))
    spec = dataset_spec(task, backend.describe(), "test")
    with DatasetWriter.open(path, spec, create=True) as writer:
        recorder = BatchRecorder(writer, task, "heuristic")
        draw = iter(seeds)
        rollout = Rollout(
            task, backend, BoxPickupHeuristic(task), SafetyFilter(SafetyLimits()), PoseHolder(),
            lambda: next(draw, None), (recorder,),
        )  # fmt: skip
        rollout.begin()
        for _ in range(SAMPLES * 5):
            rollout.step()
        rollout.end(torch.arange(len(seeds)), "enough")
    return path


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    return record(tmp_path_factory.mktemp("data") / "box.hdf5", [5, 6, 7])


@pytest.fixture
def path(recorded, tmp_path):
    copy = tmp_path / "box.hdf5"
    copy.write_bytes(recorded.read_bytes())
    return copy


def run(capsys, *arguments, status=0):
    assert cli.main(["dataset", *map(str, arguments)]) == status, capsys.readouterr().err
    return capsys.readouterr().out


def names(path):
    return [episode.info.name for episode in Dataset(path)]


def test_that_info_shows_what_is_there(path, capsys):
    values = json.loads(run(capsys, "info", path, "--json", "--episodes"))
    assert (values["episodes"], values["samples"], values["successes"]) == (3, 3 * SAMPLES, 0)
    assert (values["task"], values["sources"], values["backends"]) == ("box_pickup", {"heuristic": 3}, {"fake 1": 3})
    assert [e["seed"] for e in values["list"]] == [5, 6, 7]
    text = run(capsys, "info", path, "--episodes")
    assert "0.0 % [0.0, 56.1] (n = 3)" in text
    assert "demo_2" in text


def test_that_info_tells_of_an_unfinished_recording(path, capsys):
    writer = DatasetWriter.open(path)
    first = Dataset(path).episode("demo_0")
    from core.data.schema import EpisodeStart

    episode = writer.begin(EpisodeStart(seed=1, source="keyboard"))
    rows = first.arrays([field.name for field in writer.spec.fields()])
    episode.append({name: values[0] for name, values in rows.items()})
    assert json.loads(run(capsys, "info", path, "--json"))["unfinished"] == 1
    writer.close()
    assert "1 samples of an episode that was being recorded" in run(capsys, "recover", path)
    assert not journal_path(path).exists()
    assert Dataset(path).episode("demo_3").info.label == "recovered"


def test_that_check_fails_on_errors_only(path, capsys):
    findings = json.loads(run(capsys, "check", path, "--json"))
    assert {f["level"] for f in findings} <= {"warning"}
    with h5py.File(path, "r+") as file:
        file["data/demo_1/obs/box_pos_b"][2, 0] = np.nan
    text = run(capsys, "check", path, status=1)
    assert "not a number" in text
    assert "demo_1" in text
    assert "1 samples, first at 2" in text


def test_that_trim_delete_label_undo_redo_and_restore_work_from_the_command_line(path, capsys):
    assert "demo_1: 3 samples kept" in run(capsys, "trim", path, "demo_1", "--start", 2, "--stop", 5)
    assert "2 episodes moved to the trash; 1 left" in run(capsys, "delete", path, "demo_0", "demo_2")
    assert names(path) == ["demo_1"]
    assert "demo_1: success" in run(capsys, "label", path, "demo_1", "success")
    trash = json.loads(run(capsys, "trash", path, "--json"))
    assert {e["version"] for e in trash["trash"]} == {"demo_0.0", "demo_1.0", "demo_1.1", "demo_2.0"}
    assert "undo takes back: label demo_1" in run(capsys, "trash", path)
    text = run(capsys, "undo", path, "--count", 2)
    assert "undone: label demo_1" in text
    assert "undone: delete demo_0, demo_2" in text
    assert names(path) == ["demo_0", "demo_1", "demo_2"]
    assert "done again: delete" in run(capsys, "redo", path)
    assert "demo_0 is back" in run(capsys, "restore", path, "demo_0.0")
    assert names(path) == ["demo_0", "demo_1"]
    run(capsys, "undo", path, "--count", 100)
    assert names(path) == [], "keeping an episode is undone, too"
    assert "nothing left to be undone" in run(capsys, "undo", path, status=1)


def test_that_merge_and_compact_work_from_the_command_line(path, tmp_path, capsys):
    other, out = record(tmp_path / "other.hdf5", [9]), tmp_path / "all.hdf5"
    assert "4 episodes added, 0 were there already" in run(capsys, "merge", out, path, other)
    assert "0 episodes added, 1 were there already" in run(capsys, "merge", out, other)
    run(capsys, "delete", out, "demo_0")
    assert "MB given back" in run(capsys, "compact", out)
    assert [e.info.seed for e in Dataset(out)] == [6, 7, 9]


def test_that_an_episode_is_simulated_again_once_and_kept_beside_the_data_set(path, capsys):
    again = ("rerun", path, "demo_1", "--backend", "fake", "--json")
    answer = json.loads(run(capsys, *again))
    output = path.with_name("box.rerun.hdf5")
    assert answer["output"] == str(output)
    assert answer["reruns"][0]["samples"] == SAMPLES

    (rerun,) = list(Dataset(output))
    original = Dataset(path).episode("demo_1")
    assert rerun.info.source == f"rerun {original.info.uuid}"
    assert rerun.info.reason == "end of the recording"
    np.testing.assert_allclose(rerun.array("actions")[:SAMPLES], original.array("actions"), atol=1e-5)

    assert json.loads(run(capsys, *again))["reruns"] == [{"rerun": "demo_0"}]
    assert names(output) == ["demo_0"]
    assert "demo_1 was simulated again as demo_1" in run(
        capsys, "rerun", path, "demo_1", "--backend", "fake", "--again"
    )


def test_that_reruns_never_go_into_the_data_set_itself(path, capsys):
    with pytest.raises(SystemExit):
        cli.main(["dataset", "rerun", str(path), "demo_1", "--output", str(path)])
    assert "reruns do not go into the data set itself" in capsys.readouterr().err


def test_that_replay_reports_the_distance_from_the_recording(path, capsys):
    (result,) = json.loads(run(capsys, "replay", path, "demo_1", "--backend", "fake", "--json"))
    assert (result["episode"], result["samples"], result["recorded_success"]) == ("demo_1", SAMPLES, False)
    assert result["joint_position_rad"]["largest"] < 1e-5
    assert result["object_position_m"]["box"]["largest"] < 1e-5
    (result,) = json.loads(run(capsys, "replay", path, "demo_1", "--backend", "fake", "--mode", "states", "--json"))
    assert max(result["observation_difference"].values()) < 1e-4
    assert "demo_0" in run(capsys, "replay", path, "demo_0", "--backend", "fake")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("delete", "PATH", "demo_99"), "episode 'demo_99' is not in"),
        (("trim", "PATH", "demo_0", "--start", "9"), "cannot keep 9 to 8"),
        (("info", "/nowhere/x.hdf5"), "/nowhere/x.hdf5"),
        (("restore", "PATH", "demo_0.4"), "is not in the trash"),
    ],
)
def test_that_mistakes_are_explained_without_a_trace(path, capsys, arguments, message):
    assert cli.main(["dataset", *(str(path) if a == "PATH" else a for a in arguments)]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_that_a_damaged_file_names_the_remedy_and_the_remedy_works(path, capsys):
    path.write_bytes(path.read_bytes()[:-10])
    assert cli.main(["dataset", "info", str(path)]) == 1
    assert f"refine-dp dataset recover {path}" in capsys.readouterr().err
    assert "2 episodes" in run(capsys, "recover", path)
