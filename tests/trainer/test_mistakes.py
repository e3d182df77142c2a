"""Wrong paths and values on the command line, as a user makes them: what is wrong, what is allowed, what to do."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from trainer import cli
from trainer.job import open_run, work_in
from trainer.runs import list_runs


@dataclass(frozen=True)
class Folder:
    """A user's folder: a text file that is called a data set, and a stopped run of pretrain."""

    path: Path
    stopped: Path


@dataclass(frozen=True)
class PretrainLike:
    VERSION = 1
    steps: int = 1


@pytest.fixture
def folder(tmp_path, monkeypatch, capsys) -> Folder:
    monkeypatch.chdir(tmp_path)
    Path("notes.hdf5").write_text("hello")
    run, _ = open_run("pretrain", PretrainLike(), tmp_path / "runs", 0)
    work_in(run, lambda stop: False)
    capsys.readouterr()
    return Folder(tmp_path, run.path)


def complain(arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Exit status, and the error with its lines joined (tyro draws boxes)."""
    try:
        status = cli.main(arguments.split())
    except SystemExit as ended:
        status = int(ended.code or 0)
    lines = capsys.readouterr().err.splitlines()
    return status, " ".join(line.strip("│ ") for line in lines)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("dataset info missing.hdf5", "no data set at missing.hdf5; {folder} holds notes.hdf5"),
        ("dataset info there/missing.hdf5", "the folder {folder}/there does not exist; `refine-dp collect"),
        ("dataset info {folder}", "{folder} is a folder, a data set is a file; {folder} holds notes.hdf5"),
        ("dataset check notes.hdf5", "notes.hdf5 cannot be read as HDF5"),
        ("dataset trim missing.hdf5 demo_0", "no data set at missing.hdf5"),
        ("dataset recover notes.hdf5", "or one that is damaged beyond recovery"),
        ("dataset merge all.hdf5 missing.hdf5", "no data set at missing.hdf5"),
        ("collect --dataset notes.hdf5 --episodes 1 --backend fake", "is no data set"),
        ("collect --dataset notes.hdf5/x.hdf5 --episodes 1 --backend fake", "choose another path for the data set"),
        ("pretrain", "a data set is needed: --dataset PATH"),
        ("pretrain --dataset missing.hdf5", "no data set at missing.hdf5"),
        ("pretrain --dataset notes.hdf5", "notes.hdf5 cannot be read as HDF5"),
        ("pretrain --dataset missing.hdf5 --device tpu", "device 'tpu' is unknown; known: auto, cpu, cuda"),
        ("pretrain --resume missing", "missing is not a run folder"),
        ("finetune", "a planner is needed: --checkpoint PATH"),
        ("finetune --checkpoint missing.safetensors", "no checkpoint at missing.safetensors; give a .safetensors"),
        ("finetune --checkpoint {stopped}", "holds no planner.safetensors; give a run folder of pretrain or finetune"),
        ("finetune --checkpoint notes.hdf5", "notes.hdf5 is not a checkpoint of this program"),
        ("finetune --checkpoint {planner} --method mlp-ft", "mlp-ft cannot fine-tune this planner (DiffusionPlanner)"),
        ("finetune --checkpoint {planner} --executed-steps 13", "between 1 and the chunk of 12, got 13"),
        ("finetune --checkpoint {planner} --device tpu", "device 'tpu' is unknown; known: auto, cpu, cuda"),
        ("finetune --resume {stopped}", "is a run of pretrain, finetune cannot go on with it"),
        ("evaluate --checkpoint missing.safetensors --backend fake", "no checkpoint at missing.safetensors"),
        ("evaluate --backend fake --against missing.safetensors", "no checkpoint at missing.safetensors"),
        ("evaluate --checkpoint {planner} --backend fake --sampler ddim --sampling-steps 7", "divide"),
        ("evaluate --checkpoint {controller} --backend fake", "a 'planner' of version 1 is needed; give the planner"),
        ("evaluate --episodes 1 --backend fake --json notes.hdf5/a/result.json", "notes.hdf5/a: Not a directory"),
        ("compare", "a data set is needed to pre-train dit"),
        ("compare --dataset missing.hdf5", "no data set at missing.hdf5"),
        ("compare --dataset notes.hdf5", "notes.hdf5 cannot be read as HDF5"),
        ("compare --rows dit --use dit=missing", "missing does not exist; give a planner (.safetensors) or a run"),
        ("compare --rows dit --use dit={stopped}", "holds no planner.safetensors"),
        ("compare --rows dit --use dit={controller}", "a 'planner' of version 1 is needed"),
        ("compare --from-json missing", "missing: No such file or directory"),
        ("export --checkpoint missing.safetensors", "no checkpoint at missing.safetensors"),
        ("pack --checkpoint missing.safetensors --out a.safetensors --dataset b.hdf5", "no checkpoint at missing"),
        ("evaluate-controller --runs missing", "missing has no controller.safetensors"),
        ("evaluate-controller --shipped missing --no-baselines", "nothing to measure: missing holds no controller"),
        ("train-controller upper --resume {stopped}", "is a run of pretrain, train-upper cannot go on with it"),
    ],
)
def test_that_wrong_input_is_told_with_what_is_there_and_what_to_do(folder, capsys, arguments, message):
    controller = Path(cli.__file__).parent.parent / "assets/controllers/upper.safetensors"
    planner = controller.parents[1] / "planners/box_pickup/pretrained.safetensors"
    places = {"folder": folder.path, "stopped": folder.stopped, "controller": controller, "planner": planner}
    status, error = complain(arguments.format(**places), capsys)
    assert status == 1
    assert message.format(**places) in error
    assert "Errno" not in error
    assert "Traceback" not in error
    assert [run.path for run in list_runs(folder.path / "runs")] == [folder.stopped]  # no failed run is left behind


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("collect", "--dataset"),
        ("collect --dataset a.hdf5 --episodes 0", "episodes must be at least 1, got 0"),
        ("collect --dataset a.hdf5 --task dance", "task 'dance' does not exist; known: box_pickup"),
        ("evaluate --task dance", "task 'dance' does not exist; known: box_pickup"),
        ("run --task dance", "task 'dance' does not exist; known: box_pickup"),
        ("run --episodes -1", "episodes must be 0 (until Ctrl-C) or more, got -1"),
        ("pretrain --dataset a.hdf5 --backend gazebo", "gazebo"),
        ("finetune --checkpoint a --controller wheels", "wheels"),
        ("finetune --method residual --bc-coefficient 1", "bc_coefficient 1.0 imitates a diffusion planner, which"),
        ("finetune --method mlp-ft --bc-coefficient 1", "set it to 0, or take method dppo"),
        ("dataset undo a.hdf5 --count 0", "count must be at least 1, got 0"),
        ("evaluate --checkpoint a --sampling-steps 3", "sampling_steps 3 is of the sampler ddim, got sampler stored"),
        ("evaluate --sampler ddpm --sampling-steps 3", "give --sampler ddim, too, or leave sampling_steps out"),
        ("evaluate --executed-steps 4", "executed_steps 4 is of a stored planner: give one with --checkpoint"),
        ("evaluate --sampler ddpm", "sampler ddpm is of a stored planner: give one with --checkpoint"),
        ("evaluate --press-m 3", "press_m must lie between 0 and 0.12 m, got 3.0"),
        ("evaluate --press-m 0.05 --checkpoint a", "press_m 0.05 is of the heuristic: give it without --checkpoint"),
    ],
)
def test_that_a_value_that_is_not_allowed_is_refused_before_anything_is_made(folder, capsys, arguments, message):
    before = sorted(folder.path.rglob("*"))
    status, error = complain(arguments, capsys)
    assert status == 2
    assert message in error
    assert sorted(folder.path.rglob("*")) == before
