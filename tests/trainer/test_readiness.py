"""The gate before fine-tuning: each line in its three colours."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch

import trainer.cli
from core.checks import Line, is_ready
from core.policy.build import build_planner
from core.policy.checkpoint import save_planner
from core.policy.config import MlpConfig, PlannerConfig, SamplerConfig
from core.policy.layout import PlannerLayout
from core.policy.normalizer import Normalizer
from core.rl.finetune_config import DppoConfig
from core.tasks.box_pickup import BoxPickup
from trainer.jobs import evaluate
from trainer.jobs.finetune import Config
from trainer.readiness import Measured, inspect, measured_success, require_ready, success_line
from trainer.runs import Run

PLANNER = PlannerConfig(
    "mlp-diffusion", mlp=MlpConfig(width=16, blocks=1), denoising_steps=10, sampler=SamplerConfig(steps=5)
)


def make_planner(path: Path, config: PlannerConfig = PLANNER, **training: Any) -> Path:
    torch.manual_seed(0)
    layout = PlannerLayout.of_task(BoxPickup(1))
    planner = build_planner(layout, config, Normalizer.identity(50), Normalizer.identity(23))
    path.parent.mkdir(parents=True, exist_ok=True)
    save_planner(path, planner, config, training)
    return path


def line(lines: tuple[Line, ...], what: str) -> Line:
    return next(line for line in lines if line.what == what)


def evaluated(runs: Path, planner: Path, rate: float, episodes: int, **asked: Any) -> Path:
    run = Run.create(runs, "evaluate", evaluate.Config(planner), 0)
    report = {"success_rate": rate, "episodes": episodes, "checkpoint": str(planner), "config": asked}
    (run.path / "evaluation.json").write_text(json.dumps(report))
    run.status("finished")
    run.close()
    return run.path


@pytest.mark.parametrize(("successes", "episodes", "level"), [
    (60, 100, "good"), (20, 100, "good"), (85, 100, "good"), (12, 100, "caution"), (90, 100, "caution"),
    (3, 100, "bad"), (0, 100, "bad"), (12, 20, "caution"),
])  # fmt: skip
def test_that_success_before_is_judged_by_the_range_in_which_it_works(
    successes: int, episodes: int, level: str
) -> None:
    found = success_line(Measured(successes, episodes, "a run"), worlds=64)
    assert found.level == level
    assert bool(found.remedy) == (level != "good")


def test_that_the_remedy_of_too_little_success_says_how_few_an_iteration_has() -> None:
    assert "64 worlds give about 1 successes an iteration" in success_line(Measured(2, 100, "x"), 64).remedy


def test_that_a_planner_that_was_never_measured_is_neither_refused_nor_waved_through() -> None:
    assert success_line(None, 64).level == "caution"


def test_that_the_evaluation_with_the_most_episodes_counts_and_older_ones_than_the_planner_do_not(
    tmp_path: Path,
) -> None:
    planner = make_planner(tmp_path / "p" / "planner.safetensors")
    own = {"evaluations": [{"success_rate": 0.5, "episodes": 10}]}
    assert measured_success(planner, own, tmp_path / "runs") == Measured(5, 10, "the end of its training")
    packed = {**own, "evaluation": {"success_rate": 0.81, "episodes": 200, "config": {"start_scale": "pretraining"}}}
    assert measured_success(planner, packed, tmp_path / "runs") == Measured(162, 200, "packed with it")
    assert measured_success(planner, packed, tmp_path / "runs", share=1.0) is None
    evaluated(tmp_path / "runs", planner, 0.6, 100)
    evaluated(tmp_path / "runs", planner, 0.1, 20)
    evaluated(tmp_path / "runs", planner, 0.2, 500, start_scale="maximum")
    evaluated(tmp_path / "runs", tmp_path / "other.safetensors", 0.9, 500)
    found = measured_success(planner, own, tmp_path / "runs")
    assert found is not None
    assert (found.successes, found.episodes) == (60, 100)
    later = planner.stat().st_mtime + 1000
    os.utime(planner, (later, later))
    assert measured_success(planner, own, tmp_path / "runs") == Measured(5, 10, "the end of its training")


def test_that_a_fitting_planner_is_ready_and_the_data_that_are_gone_are_named(tmp_path: Path) -> None:
    training = {"evaluations": [{"success_rate": 0.6, "episodes": 100}], "data": {"dataset": "/gone/box.hdf5"}}
    planner = make_planner(tmp_path / "planner.safetensors", **training)
    lines = inspect(Config(planner, runs=tmp_path / "runs"))
    assert [one.level for one in lines] == ["good", "good", "good", "caution"]
    assert "/gone/box.hdf5 is not here any more" in line(lines, "data").says
    assert is_ready(lines)


def test_that_random_weights_do_not_have_the_success_of_the_planner_whose_sizes_they_take(tmp_path: Path) -> None:
    planner = make_planner(tmp_path / "planner.safetensors", evaluations=[{"success_rate": 0.6, "episodes": 100}])
    lines = inspect(Config(planner, from_scratch=True, runs=tmp_path / "runs"))
    found = line(lines, "success before")
    assert found.level == "bad"
    assert found.says == "the weights will be random (from_scratch): hardly any episode will succeed"
    assert "60" not in found.says
    assert "gives sizes and normalisers only" in line(lines, "planner").says
    assert not is_ready(lines)


def test_that_a_method_that_does_not_fit_is_refused_with_what_fits(tmp_path: Path) -> None:
    planner = make_planner(tmp_path / "planner.safetensors")
    found = line(inspect(Config(planner, method="mlp-ft", runs=tmp_path)), "planner")
    assert found.level == "bad"
    assert "mlp-ft needs a deterministic one" in found.says
    steps = line(inspect(Config(planner, dppo=DppoConfig(sampling_steps=7), runs=tmp_path)), "planner")
    assert steps.level == "bad"


def test_that_nothing_chosen_and_no_planner_are_told(tmp_path: Path) -> None:
    assert inspect(Config())[0].says == "none is chosen"
    (tmp_path / "x.safetensors").write_bytes(b"no planner")
    (only,) = inspect(Config(tmp_path / "x.safetensors"))
    assert only.level == "bad"


def test_that_finetune_refuses_to_begin_when_readiness_is_required(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weak = {"evaluations": [{"success_rate": 0.0, "episodes": 100}]}
    planner = make_planner(tmp_path / "planner.safetensors", **weak)
    config = Config(planner, runs=tmp_path / "runs", require_ready=True)
    with pytest.raises(ValueError, match=r"not ready to be fine-tuned\. success before: 0"):
        require_ready(config)
    words = ["--checkpoint", str(planner), "--runs", str(tmp_path / "runs")]
    assert trainer.cli.main(["finetune", *words, "--require-ready"]) == 1
    assert not (tmp_path / "runs").exists()
    assert trainer.cli.main(["readiness", *words, "--json"]) == 3
    lines = json.loads(capsys.readouterr().out)
    assert [entry["level"] for entry in lines][2] == "bad"
