"""`refine-dp pretrain` and `refine-dp evaluate` from end to end, at toy size, in a world without physics."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import trainer.cli
import trainer.collecting
import trainer.jobs.collect
import trainer.jobs.evaluate
import trainer.policy_evaluation
import trainer.pretraining
from core.data.errors import DatasetError
from core.policy.checkpoint import load_planner
from core.policy.chunks import ChunkPlayer
from core.policy.config import DitConfig, LearnerConfig, MlpConfig, PlannerConfig, SamplerConfig
from core.policy.layout import PlannerLayout
from core.rl.checkpoint import CheckpointError
from core.rl.finetune_config import DppoConfig
from core.tasks.box_pickup import BoxPickup
from trainer.job import work_in
from trainer.jobs import finetune, pack
from trainer.jobs import pretrain as job
from trainer.planner_files import read_planner_file
from trainer.pretraining import pretrain
from trainer.runs import Run, list_runs

PLANNER = PlannerConfig(
    "mlp-diffusion", mlp=MlpConfig(width=32, blocks=1), denoising_steps=10, sampler=SamplerConfig(steps=5)
)
LEARNER = LearnerConfig(steps=20, batch_size=16, warmup_steps=2, precision="fp32")


def short_task(name: str, num_worlds: int) -> BoxPickup:
    task = BoxPickup(num_worlds)
    task.time_limit_s = 1.2
    task.settings = replace(task.settings, verdict=replace(task.settings.verdict, time_limit_s=1.2))
    return task


@pytest.fixture(scope="module", autouse=True)
def _short_episodes():
    before = torch.get_num_threads(), torch.get_float32_matmul_precision()
    with pytest.MonkeyPatch.context() as patch:
        for module in (trainer.collecting, trainer.pretraining, trainer.policy_evaluation):
            patch.setattr(module, "make_task", short_task)
        yield
    torch.set_num_threads(before[0])
    torch.set_float32_matmul_precision(before[1])


@pytest.fixture(scope="module")
def recorded(tmp_path_factory, _short_episodes) -> Path:
    folder = tmp_path_factory.mktemp("recorded")
    collect = trainer.jobs.collect.Config(
        folder / "d.hdf5", episodes=5, worlds=5, backend="fake", runs=folder / "collected"
    )
    assert trainer.jobs.collect.main(collect) == 0
    return folder / "d.hdf5"


@pytest.fixture
def dataset(recorded, tmp_path) -> Path:
    return Path(shutil.copy(recorded, tmp_path / "d.hdf5"))


@pytest.fixture(scope="module")
def trained(recorded) -> Path:
    """A run folder with a planner."""
    assert job.main(config(recorded, evaluate_episodes=0)) == 0
    return only_run(recorded).path


def config(dataset: Path, **changes) -> job.Config:
    values = {
        "dataset": dataset, "successes_only": False, "planner": PLANNER, "learner": LEARNER, "validate_every": 10,
        "evaluate_episodes": 3, "backend": "fake", "device": "cpu", "runs": dataset.parent / "runs",
    }  # fmt: skip
    return job.Config(**{**values, **changes})


def only_run(dataset: Path) -> Run:
    (run,) = list_runs(dataset.parent / "runs")
    return run


def test_that_a_planner_is_trained_validated_evaluated_and_stored(dataset, capsys):
    assert job.main(config(dataset)) == 0
    run = only_run(dataset)
    events = list(run.events())
    assert run.read_status().state == "finished"
    scalars = [event["values"] for event in events if event["kind"] == "scalars"]
    assert {"train/loss", "validation/loss", "validation/action_error", "evaluate/success_rate"} <= {
        name for values in scalars for name in values
    }
    assert [e["done"] for e in events if e["kind"] == "progress"] == [0, 20]
    stored = load_planner(run.path / "planner.safetensors", PlannerLayout.of_task(BoxPickup(1)))
    assert stored.training["steps"] == 20
    assert stored.training["data"]["episodes"] == 5
    assert stored.training["evaluations"][0]["episodes"] == 3
    data = next(event for event in events if event["kind"] == "data")
    assert data["windows"] + data["validation_windows"] == data["samples"] == 60
    assert 0 < data["start_coverage"] < 0.1
    assert "gripper_opening[0]" in data["constant_observations"]
    assert "success 0.0 % [0.0, 56.1] (n = 3)" in capsys.readouterr().out


def test_that_a_stopped_training_ends_with_the_same_bits(dataset):
    whole = config(dataset, evaluate_episodes=0)
    assert job.main(whole) == 0
    run = Run.create(whole.runs, "pretrain", whole, 0)
    looks = iter(range(100))
    assert work_in(run, lambda _: pretrain(whole, run, lambda: next(looks) >= 7)) == 130
    assert load_planner(run.path / "planner.safetensors").training["steps"] == 7
    assert job.main(job.Config(resume=run.path)) == 0
    planners = [load_planner(r.path / "planner.safetensors").planner for r in list_runs(whole.runs)]
    first, second = (planner.state_dict() for planner in planners)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_that_a_resumed_run_learns_from_the_episodes_it_began_with(dataset):
    asked = config(dataset, evaluate_episodes=0, episodes=None)
    run = Run.create(asked.runs, "pretrain", asked, 0)
    looks = iter(range(100))
    work_in(run, lambda _: pretrain(asked, run, lambda: next(looks) >= 3))
    more = trainer.jobs.collect.Config(dataset, episodes=8, worlds=3, backend="fake", runs=dataset.parent / "collected")
    trainer.jobs.collect.main(more)
    assert job.main(job.Config(resume=run.path)) == 0
    assert load_planner(run.path / "planner.safetensors").training["data"]["episodes"] == 5


def test_that_the_measures_of_a_data_set_are_shown(recorded, capsys):
    assert trainer.cli.main(["dataset", "info", str(recorded), "--measures", "--json"]) == 0
    measures = json.loads(capsys.readouterr().out)["measures"]
    assert measures["trajectory_quality"] == 0.0  # no success in a world without physics
    assert 0.03 < measures["start_coverage"] <= 5 / 64
    assert (measures["start_saco"], measures["starts_outside"]) == (pytest.approx(1.0, abs=0.25), 0.0)
    assert trainer.cli.main(["dataset", "info", str(recorded), "--measures"]) == 0
    assert "start saco" in capsys.readouterr().out


def test_that_mistakes_are_named(dataset, tmp_path):
    with pytest.raises(ValueError, match="a data set is needed: --dataset PATH"):
        job.main(job.Config(runs=tmp_path / "none"))
    with pytest.raises(DatasetError, match="has 0 successful episodes, 1 are needed"):
        job.main(config(dataset, successes_only=True))
    with pytest.raises(ValueError, match=r"planner\.executed_steps must not be above 12"):
        job.main(config(dataset, planner=replace(PLANNER, executed_steps=13)))
    with pytest.raises(
        ValueError, match="does not pass through a width of 64: use fewer actions_per_token or a larger"
    ):
        job.main(config(dataset, planner=PlannerConfig(dit=DitConfig(width=64))))
    with pytest.raises(ValueError, match="actions_per_token must divide the chunk of 12, got 5"):
        job.main(config(dataset, planner=PlannerConfig(dit=DitConfig(actions_per_token=5))))
    assert list_runs(dataset.parent / "runs") == []


def test_that_a_run_that_was_killed_at_once_begins_anew_when_it_is_resumed(dataset):
    asked = config(dataset, evaluate_episodes=0)
    run = Run.create(asked.runs, "pretrain", asked, 0)
    run.status("stopped")
    assert job.main(job.Config(resume=run.path)) == 0
    assert load_planner(run.path / "planner.safetensors").training["steps"] == 20


def test_that_presets_are_defaults_that_options_change(dataset, monkeypatch):
    seen = []
    monkeypatch.setattr(job, "main", lambda config: seen.append(config) or 0)
    arguments = ["pretrain", "--dataset", str(dataset), "--preset", "paper", "--batch-size", "64"]
    assert trainer.cli.main(arguments) == 0
    assert (seen[0].episodes, seen[0].learner.steps, seen[0].learner.batch_size) == (1000, 60_000, 64)
    assert seen[0].planner.dit.layers == 6
    assert trainer.cli.main(["pretrain", "--preset=slow"]) == 1
    assert trainer.cli.main(["pretrain", "--dataset", str(dataset), "--planner.kind", "mlp"]) == 0
    assert seen[1].planner.kind == "mlp"


def evaluate_config(path: Path, **changes) -> trainer.jobs.evaluate.Config:
    values = {
        "checkpoint": path, "episodes": 4, "seed": 90_000, "worlds": 4, "backend": "fake",
        "runs": path.parent / "evaluations", "json": path.parent / "out" / "e.json",
    }  # fmt: skip
    return trainer.jobs.evaluate.Config(**{**values, **changes})


def test_that_the_evaluation_says_what_it_measured(trained):
    assert trainer.jobs.evaluate.main(evaluate_config(trained)) == 0
    report = json.loads((trained.parent / "out" / "e.json").read_text())
    assert report["success_rate"] == 0.0
    assert report["ci95"] == [0.0, pytest.approx(0.4899, abs=1e-3)]
    assert (report["episodes"], report["task_time_s"]) == (4, None)
    assert report["failures"] == {"fell": 0, "missed": 0, "dropped": 0, "time": 4}
    assert report["hand_position_error_m"] > 0
    assert report["hand_orientation_error_rad"] > 0
    assert [result["seed"] for result in report["results"]] == [90_000, 90_001, 90_002, 90_003]
    assert report["executed_steps"] == 8


def test_that_inside_and_outside_of_training_the_same_is_measured(dataset):
    job.main(config(dataset, evaluate_episodes=4))
    run = only_run(dataset)
    inside = load_planner(run.path / "planner.safetensors").training["evaluations"][0]
    trainer.jobs.evaluate.main(evaluate_config(run.path / "planner.safetensors"))
    outside = json.loads((run.path / "out" / "e.json").read_text())
    for name in ("success_rate", "ci95", "hand_position_error_m", "hand_orientation_error_rad", "hand_speed_m_s"):
        assert outside[name] == inside[name]


def test_that_an_episode_does_not_depend_on_its_neighbours(trained):
    for worlds in (1, 4):
        output = trained / f"{worlds}.json"
        trainer.jobs.evaluate.main(evaluate_config(trained, worlds=worlds, json=output))
    one, four = (json.loads((trained / f"{n}.json").read_text())["results"] for n in (1, 4))
    errors = [[result["hand_position_error_m"] for result in results] for results in (one, four)]
    assert np.allclose(*errors, rtol=1e-4)
    assert len({round(e, 7) for e in errors[0]}) > 1


def test_that_a_planner_of_another_observation_is_refused(trained, monkeypatch):
    monkeypatch.setattr(BoxPickup, "observation_terms", BoxPickup.observation_terms[:-1])
    with pytest.raises(CheckpointError, match="does not fit task 'box_pickup'"):
        trainer.jobs.evaluate.main(evaluate_config(trained))


def test_that_the_heuristic_is_measured_by_the_same_evaluator(tmp_path):
    asked = evaluate_config(tmp_path, checkpoint=None, json=tmp_path / "e.json")
    assert trainer.jobs.evaluate.main(asked) == 0
    report = json.loads((tmp_path / "e.json").read_text())
    assert report["source"] == "heuristic"
    assert report["failure_details"] == {"time limit (approach)": 4}


def test_that_a_chunk_player_is_built_for_the_stored_task(trained):
    planner = load_planner(trained / "planner.safetensors").planner
    assert ChunkPlayer(planner, BoxPickup(2), 8).chunk.shape == (2, 12, 19)


def test_that_a_packed_planner_is_half_as_large_and_plans_the_same(trained, recorded, tmp_path, capsys):
    out = tmp_path / "planners" / "small.safetensors"
    report = tmp_path / "evaluation.json"
    report.write_text(json.dumps({"success_rate": 0.5, "results": [1], "training": {}}))

    assert pack.main(pack.Config(trained, out, recorded, evaluation=report)) == 0

    before, after = load_planner(trained / "planner.safetensors"), load_planner(out)
    sizes = [sum(p.numel() for p in stored.planner.parameters()) for stored in (before, after)]
    assert sizes[0] == sizes[1]
    weights = next(before.planner.parameters())
    torch.testing.assert_close(next(after.planner.parameters()), weights.half().float(), atol=0, rtol=0)
    assert after.training["evaluation"] == {"success_rate": 0.5}
    whole, halved = (p.stat().st_size for p in (trained / "planner.safetensors", out))
    assert halved < whole - 1.9 * sizes[0]
    assert "differ by at most" in capsys.readouterr().out


def test_that_a_fine_tuned_planner_is_packed_with_both_networks_and_how_it_was_made(trained, recorded, tmp_path):
    dppo = DppoConfig(critic_hidden=(16,), batch_size=32, epochs=1, critic_warmup=0, precision="fp32")
    asked = finetune.Config(
        trained, iterations=1, worlds=2, dppo=dppo, evaluate_episodes=0, validate_episodes=0, backend="fake",
        device="cpu", runs=tmp_path / "runs", seed=4,
    )  # fmt: skip
    assert finetune.main(asked) == 0
    (run,) = list_runs(tmp_path / "runs")
    out = tmp_path / "tuned.safetensors"

    assert pack.main(pack.Config(run.path, out, recorded)) == 0

    before, after = load_planner(run.path / "planner.safetensors"), load_planner(out, tuned_steps=5)
    names = dict(before.planner.named_parameters())
    assert {name.split(".")[0] for name in names} == {"base", "tuned"}
    for name, weights in after.planner.named_parameters():
        torch.testing.assert_close(weights, names[name].half().float(), atol=0, rtol=0)
    beside = json.loads(out.with_suffix(".json").read_text())["metadata"]["training"]
    assert beside["command"].startswith("refine-dp")
    assert (beside["seed"], beside["config"]["iterations"], beside["config"]["checkpoint"]) == (4, 1, trained.name)
    assert str(tmp_path) not in out.with_suffix(".json").read_text()
    assert read_planner_file(out).tuned


def test_that_a_planner_that_half_precision_changes_too_much_is_not_packed(trained, recorded, tmp_path):
    out = tmp_path / "small.safetensors"

    with pytest.raises(ValueError, match="nothing was written"):
        pack.main(pack.Config(trained, out, recorded, tolerance=1e-9))

    assert not out.exists()
