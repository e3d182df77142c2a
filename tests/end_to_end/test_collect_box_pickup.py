"""`refine-dp collect` at toy size with everything real: trained controllers, MuJoCo, the heuristic, the data set."""

import pytest

from core.data.dataset import Dataset
from trainer.cli import main


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_that_successful_demonstrations_are_collected(tmp_path, capsys):
    path = tmp_path / "demos.hdf5"
    arguments = ["--dataset", str(path), "--episodes", "4", "--worlds", "4", "--success-only", "--seed", "5"]
    assert main(["collect", *arguments, "--runs", str(tmp_path / "runs")]) == 0
    said = capsys.readouterr().out
    assert "4 episodes" in said
    demos = Dataset(path)
    assert [e.info.success for e in demos] == [True] * 4
    for demo in demos:
        box = demo.array("states/rigid_object/box/root_pose")[:, 2]
        assert box.max() - box[0] > 0.05  # the box went up
        sent, seen = demo.array("timestamps/command_sent_s"), demo.array("timestamps/monotonic_s")
        assert (sent >= seen).all()
        assert demo.info.source == "heuristic"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_that_the_headless_loop_picks_up_a_box(tmp_path, capsys):
    assert main(["run", "--episodes", "2", "--pace", "fast", "--dataset", str(tmp_path / "a.hdf5")]) == 0
    said = capsys.readouterr().out
    assert "squeeze" in said
    assert "recorded as demo_1" in said
