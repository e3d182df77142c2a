"""`refine-dp evaluate` with two planners, questions and reports, at toy size."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import trainer.policy_evaluation
from core.policy.build import build_planner
from core.policy.checkpoint import save_planner
from core.policy.config import MlpConfig, PlannerConfig, SamplerConfig
from core.policy.layout import PlannerLayout
from core.policy.normalizer import Normalizer
from core.policy.residual import ResidualPlanner
from core.rollout import Rollout
from core.tasks.box_pickup import BoxPickup
from trainer.evaluation import EvaluationRun
from trainer.finetuning import finetune
from trainer.jobs import evaluate as job
from trainer.jobs import finetune as finetune_job
from trainer.planner_evaluation import evaluate_job
from trainer.policy_evaluation import load_source
from trainer.runs import Run, list_runs

PLANNER = PlannerConfig(
    "mlp-diffusion", mlp=MlpConfig(width=32, blocks=1), denoising_steps=10, sampler=SamplerConfig(steps=5)
)


def short_task(name: str, num_worlds: int) -> BoxPickup:
    task = BoxPickup(num_worlds)
    task.time_limit_s = 0.6
    task.settings = replace(task.settings, verdict=replace(task.settings.verdict, time_limit_s=0.6, hold_time_s=0.1))
    return task


@pytest.fixture(autouse=True)
def _short_episodes(monkeypatch):
    before = torch.get_num_threads(), torch.get_float32_matmul_precision()
    monkeypatch.setattr(trainer.policy_evaluation, "make_task", short_task)
    yield
    torch.set_num_threads(before[0])
    torch.set_float32_matmul_precision(before[1])


def make_checkpoint(folder: Path, seed: int = 0) -> Path:
    torch.manual_seed(seed)
    layout = PlannerLayout.of_task(BoxPickup(1))
    planner = build_planner(layout, PLANNER, Normalizer.identity(50), Normalizer.identity(23))
    save_planner(folder / "planner.safetensors", planner, PLANNER, {"steps": 5})
    return folder


def config(tmp_path: Path, **changes) -> job.Config:
    values = {
        "checkpoint": make_checkpoint(tmp_path / "first"), "episodes": 6, "worlds": 3, "backend": "fake",
        "runs": tmp_path / "runs", "json": tmp_path / "out.json",
    }  # fmt: skip
    return job.Config(**{**values, **changes})


def outcomes_by_seed(monkeypatch, succeeds):
    """The world without physics never succeeds: here the outcome is a function of planner and seed."""

    def close(self, world, success, reason):
        success = succeeds(self.source.planner.mark, self.episode_seed[world])
        real(self, world, success, "success" if success else reason)

    real = Rollout._close
    load = trainer.policy_evaluation.load_planner

    def marked(path, *rest):
        stored = load(path, *rest)
        stored.planner.mark = path.parent.name
        return stored

    monkeypatch.setattr(trainer.policy_evaluation, "load_planner", marked)
    monkeypatch.setattr(Rollout, "_close", close)


def test_that_two_planners_are_compared_on_the_same_seeds(tmp_path, monkeypatch, capsys):
    outcomes_by_seed(monkeypatch, lambda name, seed: name == "first" and seed % 2 == 0)
    second = make_checkpoint(tmp_path / "second", 1)

    assert job.main(config(tmp_path, against=second, episodes=8)) == 0

    report = json.loads((tmp_path / "out.json").read_text())
    assert (report["label"], report["against"]["label"]) == ("first", "second")
    assert (report["success_rate"], report["against"]["success_rate"]) == (0.5, 0.0)
    assert [r["seed"] for r in report["results"]] == [r["seed"] for r in report["against"]["results"]]
    comparison = report["comparison"]
    assert (comparison["only_first"], comparison["only_second"]) == (4, 0)
    assert comparison["p_value"] == pytest.approx(2 / 16)
    assert comparison["ci95"][0] < 0.5 < comparison["ci95"][1]
    assert report["interval"].startswith("Wilson")
    assert "exact McNemar test p = 0.12" in capsys.readouterr().out


def test_that_the_same_planner_twice_gives_equal_pairs(tmp_path):
    first = make_checkpoint(tmp_path / "first")
    assert job.main(config(tmp_path, against=first)) == 0
    report = json.loads((tmp_path / "out.json").read_text())
    assert (report["label"], report["against"]["label"]) == ("A: first", "B: first")
    assert report["results"] == report["against"]["results"]
    assert report["comparison"]["p_value"] == 1.0


def test_that_it_stops_when_success_is_decided(tmp_path, monkeypatch):
    outcomes_by_seed(monkeypatch, lambda name, seed: True)

    assert job.main(config(tmp_path, episodes=400, until_decided=True, threshold=0.5)) == 0

    report = json.loads((tmp_path / "out.json").read_text())
    decision = report["decision"]
    assert decision["verdict"] == "above"
    assert 6 <= decision["episodes"] <= 12  # 2 ^ n passes 2 / 0.05, and a prior has to be paid for
    assert report["episodes"] == len(report["results"]) == decision["episodes"]
    assert report["ci95"] == decision["interval"]
    assert report["ci95"][0] > 0.5
    assert "valid at any time" in report["interval"]
    assert list_runs(tmp_path / "runs")[0].read_status().state == "finished"


def test_that_it_stops_when_one_planner_is_better(tmp_path, monkeypatch, capsys):
    outcomes_by_seed(monkeypatch, lambda name, seed: name == "second")
    second = make_checkpoint(tmp_path / "second", 1)

    assert job.main(config(tmp_path, against=second, episodes=400, until_decided=True)) == 0

    report = json.loads((tmp_path / "out.json").read_text())
    assert report["decision"]["answer"] == "second is better"
    assert report["decision"]["interval"][1] < 0
    assert report["episodes"] == report["against"]["episodes"] < 15
    assert "comparison" not in report
    assert "second is better after" in capsys.readouterr().out


def test_that_fast_episodes_do_not_decide_by_being_fast(tmp_path, monkeypatch):
    """Successes end at once, failures late: looking at whatever ended first would see successes only."""
    outcomes_by_seed(monkeypatch, lambda name, seed: seed % 2 == 1)
    step = Rollout.step

    def eager(self):
        step(self)
        lucky = [w for w in range(3) if self.active[w] and self.episode_seed[w] % 2 == 1]
        if lucky:
            self.end(torch.tensor(lucky), "time limit")
            self.begin(torch.tensor(lucky))

    monkeypatch.setattr(Rollout, "step", eager)
    assert job.main(config(tmp_path, episodes=40, until_decided=True, threshold=0.5)) == 0
    report = json.loads((tmp_path / "out.json").read_text())
    assert report["decision"]["verdict"] == "undecided"
    assert report["success_rate"] == 0.5


def test_that_inside_and_outside_of_training_the_same_is_measured_with_physics(tmp_path):
    """Every number of every episode, to the bit, with the same number of worlds."""
    start = make_checkpoint(tmp_path / "start")
    asked = finetune_job.Config(
        start, worlds=3, iterations=1, runs=tmp_path / "tuned", evaluate_episodes=5, validate_episodes=0, device="cpu"
    )
    run = Run.create(asked.runs, "finetune", asked, 0)
    inside = []
    ended = EvaluationRun.prefix

    def listened(self):
        inside.append(ended(self))
        return inside[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(EvaluationRun, "prefix", listened)
        assert finetune(asked, run, lambda: False)
    run.close()

    torch.set_float32_matmul_precision("highest")  # as in a process of its own: the training had set "medium"
    torch.set_num_threads(2)
    outside = config(tmp_path, checkpoint=run.path, episodes=5, seed=95_000, backend="mujoco")
    assert job.main(outside) == 0

    report = json.loads((tmp_path / "out.json").read_text())
    assert report["results"] == json.loads(json.dumps([vars(result) for result in inside[-1]]))
    event = next(event for event in run.events() if event["kind"] == "evaluation")
    for name in ("success_rate", "ci95", "failures", "hand_position_error_m", "hand_speed_m_s", "hand_jerk_m_s3"):
        assert report[name] == event[name]


def test_that_the_report_is_one_file_that_loads_nothing(tmp_path, monkeypatch):
    outcomes_by_seed(monkeypatch, lambda name, seed: seed % 2 == 0)
    page = tmp_path / "pages" / "r.html"

    assert job.main(config(tmp_path, report=page)) == 0

    text = page.read_text()
    assert not re.search(r"(src|href)=['\"](?!data:)", text)
    assert "@import" not in text
    assert text.count("<svg") == 6
    assert "50.0 % [18.8, 81.2]" in text
    films = text.count("data:image/webp;base64,")
    assert films == 4 or "no film: this machine has no OpenGL" in text
    assert all(word in text for word in ("100000 .. 100005", "executed_steps", "missed: ", "refine-dp "))


def test_that_without_opengl_the_report_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "disabled")
    page = tmp_path / "r.html"
    assert job.main(config(tmp_path, report=page, episodes=2, worlds=2)) == 0
    assert "no film: this machine has no OpenGL" in page.read_text()


def test_that_a_stopped_evaluation_reports_no_fast_episodes_only(tmp_path, monkeypatch, capsys):
    """Seed 100 000 takes its time, the others end at once and succeed: a stop in between has nothing fair to say."""
    outcomes_by_seed(monkeypatch, lambda name, seed: seed > 100_000)
    step = Rollout.step

    def eager(self):
        step(self)
        lucky = [w for w in range(3) if self.active[w] and self.episode_seed[w] > 100_000]
        if lucky:
            self.end(torch.tensor(lucky), "time limit")
            self.begin(torch.tensor(lucky))

    monkeypatch.setattr(Rollout, "step", eager)
    asked = config(tmp_path, episodes=30)
    run = Run.create(asked.runs, "evaluate", asked, 0)
    looks = iter(range(1000))
    assert not evaluate_job(asked, run, lambda: next(looks) >= 8)
    run.close()
    assert "stopped before the first seed was decided" in capsys.readouterr().out
    assert not (tmp_path / "out.json").exists()


def test_that_ddim_has_ten_levels_unless_told(tmp_path):
    """Of ten denoising steps: stored five."""
    for steps, levels in ((None, 10), (2, 2)):
        source, _ = load_source(config(tmp_path, sampler="ddim", sampling_steps=steps), BoxPickup(1))
        assert source.planner.steps.count == levels
    assert load_source(config(tmp_path), BoxPickup(1))[0].planner.steps.count == 5


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("mlp", r"sampler ddim cannot be used: a deterministic planner \(mlp\) is not sampled"),
        ("mlp-diffusion", "a residual planner corrects what its stored sampler .* leave the sampler as stored"),
    ],
)
def test_that_a_planner_that_cannot_be_sampled_otherwise_says_why(tmp_path, kind, message):
    chosen = replace(PLANNER, kind=kind)
    planner = build_planner(
        PlannerLayout.of_task(BoxPickup(1)), chosen, Normalizer.identity(50), Normalizer.identity(23)
    )
    if kind == "mlp-diffusion":
        planner = ResidualPlanner(planner, scale=0.1, hidden=(8,))
    save_planner(tmp_path / "x" / "planner.safetensors", planner, chosen, {})
    with pytest.raises(ValueError, match=message):
        job.main(config(tmp_path, checkpoint=tmp_path / "x", sampler="ddim"))
    assert list_runs(tmp_path / "runs") == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"until_decided": True}, "until_decided needs a question: --threshold RATE, or --against PLANNER"),
        ({"threshold": 0.9}, "give that option, too"),
        ({"threshold": 90.0, "until_decided": True}, r"threshold must lie between 0 and 1, got 90\.0"),
        ({"threshold": 0.9, "until_decided": True, "against": Path("b")}, "two questions"),
    ],
)
def test_that_mistakes_in_the_question_are_named(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        config(tmp_path, **changes)
