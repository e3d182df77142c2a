"""`refine-dp compare` from end to end, at toy size, in a world without physics."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import trainer.cli
import trainer.collecting
import trainer.jobs.collect
import trainer.policy_evaluation
import trainer.pretraining
from core.data.errors import DatasetError
from core.policy.config import DitConfig, LearnerConfig, MlpConfig, PlannerConfig, SamplerConfig
from core.rl.finetune_config import DppoConfig
from core.tasks.box_pickup import BoxPickup
from trainer.jobs import compare as job
from trainer.jobs import evaluate, finetune, pretrain
from trainer.runs import Run, list_runs

PLANNER = PlannerConfig(
    dit=DitConfig(width=72, layers=1, heads=2, encoder_width=32),
    mlp=MlpConfig(width=32, blocks=1),
    denoising_steps=10,
    sampler=SamplerConfig(steps=5),
)
LEARNER = LearnerConfig(steps=6, batch_size=16, warmup_steps=2, precision="fp32")
DPPO = DppoConfig(critic_hidden=(16,), batch_size=64, epochs=1, critic_warmup=0, precision="fp32")


def short_task(name: str, num_worlds: int) -> BoxPickup:
    task = BoxPickup(num_worlds)
    task.time_limit_s = 1.0
    task.settings = replace(task.settings, verdict=replace(task.settings.verdict, time_limit_s=1.0, hold_time_s=0.5))
    return task


@pytest.fixture(scope="module", autouse=True)
def _toy_size():
    before = torch.get_num_threads(), torch.get_float32_matmul_precision()
    with pytest.MonkeyPatch.context() as patch:
        for module in (trainer.collecting, trainer.pretraining, trainer.policy_evaluation):
            patch.setattr(module, "make_task", short_task)
        toy = pretrain.Config(successes_only=False, planner=PLANNER, learner=LEARNER)
        patch.setitem(pretrain.PRESETS, "toy", toy)
        patch.setitem(finetune.PRESETS, "toy", finetune.Config(iterations=1, worlds=2, dppo=DPPO, validate_episodes=2))
        yield
    torch.set_num_threads(before[0])
    torch.set_float32_matmul_precision(before[1])


@pytest.fixture(scope="module")
def dataset(tmp_path_factory, _toy_size) -> Path:
    folder = tmp_path_factory.mktemp("recorded")
    path = folder / "d.hdf5"
    collect = trainer.jobs.collect.Config(path, episodes=4, worlds=4, backend="fake", runs=folder / "collected")
    assert trainer.jobs.collect.main(collect) == 0
    return path


def config(dataset: Path, tmp_path: Path, **changes) -> job.Config:
    values = {
        "dataset": dataset, "demonstrations": 4, "pretrain_preset": "toy", "finetune_preset": "toy", "episodes": 3,
        "worlds": 3, "backend": "fake", "device": "cpu", "row_reports": False,
        "runs": tmp_path / "runs",
    }  # fmt: skip
    return job.Config(**{**values, **changes})


def only_run(tmp_path: Path) -> Run:
    (run,) = list_runs(tmp_path / "runs")
    return run


def test_that_every_method_is_trained_and_measured_on_the_same_seeds(dataset, tmp_path, capsys, monkeypatch):
    """Stopped in the middle and resumed: what was done is not done again."""
    real, calls = evaluate.main, []

    def stops_once(asked):
        calls.append(asked.checkpoint)
        return 130 if len(calls) == 3 else real(asked)

    monkeypatch.setattr(evaluate, "main", stops_once)
    rows = ("dit", "mlp", "mlp-ft", "residual", "dppo", "scratch")
    numbers = tmp_path / "results" / "methods.json"
    assert job.main(config(dataset, tmp_path, rows=rows, json=numbers)) == 130
    run = only_run(tmp_path)
    assert run.read_status().state == "stopped"
    assert "go on with: refine-dp compare --resume" in capsys.readouterr().out

    assert job.main(job.Config(resume=run.path)) == 0

    trained = sorted(path.name for path in (run.path / "steps").iterdir())
    assert len(trained) == 12
    assert all(len(list_runs(run.path / "steps" / name)) == 1 for name in trained)  # nothing was done twice
    assert len(calls) == 7
    result = json.loads(numbers.read_text())
    assert [row["key"] for row in result["rows"]] == list(rows)
    assert {row["episodes"] for row in result["rows"]} == {3}
    assert [pair["second"] for pair in result["paired"]] == ["dit", "mlp", "mlp-ft", "residual", "scratch"]
    dppo = result["rows"][4]
    assert dppo["training"]["demonstrations"] == 4
    assert (dppo["training"]["steps"], dppo["training"]["iterations"], dppo["tuned_steps"]) == (6, 1, 5)
    assert result["rows"][1]["training"]["steps"] == 6
    seeds = [
        [r["seed"] for r in json.loads(path.read_text())["results"]]
        for path in run.path.glob("steps/*/*/evaluation.json")
    ]
    assert seeds == [[100_000, 100_001, 100_002]] * 6
    assert {"table.md", "table.csv", "success.svg", "report.html"} <= {path.name for path in run.path.iterdir()}
    out = capsys.readouterr().out
    assert "[12/12] evaluate DPPO from random weights" in out
    assert "left" in out
    assert "| DPPO (REFINE-DP) | 4 | 0.0 % [0.0, 56.1] |" in out
    (run.path / "table.md").unlink()
    assert trainer.cli.main(["compare", "--from-json", str(run.path)]) == 0
    assert (run.path / "table.md").is_file()


def test_that_a_sweep_measures_before_and_after_and_takes_what_exists(dataset, tmp_path):
    made = config(dataset, tmp_path / "a", rows=("dit",), demonstrations=2)
    assert job.main(made) == 0
    existing = only_run(tmp_path / "a").path / "steps" / "pretrain-dit"
    (planner,) = list_runs(existing)
    asked = config(dataset, tmp_path, sweep="demonstrations", counts=(2, 4), use=(f"dit-2={planner.path}",))

    assert job.main(asked) == 0

    run = only_run(tmp_path)
    result = json.loads((run.path / "comparison.json").read_text())
    assert [(row["key"], row["training"]["demonstrations"], row["given"]) for row in result["rows"]] == [
        ("dit-2", 2, True), ("dppo-2", 2, False), ("dit-4", 4, False), ("dppo-4", 4, False)
    ]  # fmt: skip
    assert [(pair["first"], pair["second"]) for pair in result["paired"]] == [("dppo-2", "dit-2"), ("dppo-4", "dit-4")]
    assert not (run.path / "steps" / "pretrain-dit-2").exists()
    assert "<polyline" in (run.path / "success.svg").read_text()


def test_that_a_planner_of_another_kind_or_of_other_demonstrations_is_not_taken_for_a_row(dataset, tmp_path):
    assert job.main(config(dataset, tmp_path / "a", rows=("dit",), demonstrations=2)) == 0
    (planner,) = list_runs(only_run(tmp_path / "a").path / "steps" / "pretrain-dit")
    for row, kind in (("mlp", "mlp"), ("dppo", "dit fine-tuned"), ("residual", "dit [+] residual")):
        with pytest.raises(ValueError, match=f"this planner is 'dit', the row .* is of '{kind}'"):
            job.main(config(None, tmp_path, rows=(row,), demonstrations=2, use=(f"{row}={planner.path}",)))
    with pytest.raises(ValueError, match=r"learned from 2 demonstrations, .* of 4; .* --demonstrations 2 for all"):
        job.main(config(None, tmp_path, rows=("dit",), use=(f"dit={planner.path}",)))
    assert list_runs(tmp_path / "runs") == []


def test_that_a_collapsed_fine_tuning_is_measured_with_its_best_planner(dataset, tmp_path, monkeypatch):
    wild = finetune.Config(iterations=2, worlds=2, dppo=replace(DPPO, epochs=3, kl_limit=1e-12))
    monkeypatch.setitem(finetune.PRESETS, "toy", wild)

    assert job.main(config(dataset, tmp_path, rows=("dppo",))) == 0

    run = only_run(tmp_path).path
    (row,) = json.loads((run / "comparison.json").read_text())["rows"]
    assert row["note"].startswith("CollapseError: the policy moved")
    (collapsed,) = list_runs(run / "steps" / "finetune-dppo")
    assert job.main(config(None, tmp_path / "again", rows=("dppo",), use=(f"dppo={collapsed.path}",))) == 0
    (given,) = json.loads((only_run(tmp_path / "again").path / "comparison.json").read_text())["rows"]
    assert (given["given"], given["note"]) == (True, row["note"])


def test_that_too_few_demonstrations_are_told_before_there_is_a_run(dataset, tmp_path):
    with pytest.raises(DatasetError, match="has 4 episodes, 9 are needed"):
        job.main(config(dataset, tmp_path, rows=("dit",), demonstrations=9))
    assert list_runs(tmp_path / "runs") == []


def test_that_an_error_leaves_a_failed_run_that_can_go_on(dataset, tmp_path, capsys, monkeypatch):
    def full(config):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(evaluate, "main", full)
        with pytest.raises(OSError, match="No space left"):
            job.main(config(dataset, tmp_path, rows=("mlp",)))
    run = only_run(tmp_path)
    assert run.read_status().state == "failed"
    assert "what is done is kept" in capsys.readouterr().out

    assert job.main(job.Config(resume=run.path)) == 0


def test_that_the_curriculum_is_compared_at_the_widest_starts(dataset, tmp_path):
    assert job.main(config(dataset, tmp_path, sweep="curriculum")) == 0
    run = only_run(tmp_path)
    result = json.loads((run.path / "comparison.json").read_text())
    assert result["kind"] == "curriculum"
    assert [row["key"] for row in result["rows"]] == ["dit", "direct", "led"]
    assert [pair["second"] for pair in result["paired"]] == ["dit", "direct"]
    shares = [[entry["start_share"] for entry in row["training"].get("history", [])] for row in result["rows"]]
    assert shares == [[], [1.0], [0.0]]
    ranges = [json.loads(path.read_text())["starts"]["radial_m"] for path in run.path.glob("steps/*/*/evaluation.json")]
    assert ranges == [pytest.approx([0.65, 2.25])] * 3
