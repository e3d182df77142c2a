"""`refine-dp finetune` from end to end, at toy size, in a world without physics."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import trainer.cli
import trainer.policy_evaluation
from core.policy.build import build_planner
from core.policy.checkpoint import load_planner, save_planner
from core.policy.config import MlpConfig, PlannerConfig, SamplerConfig
from core.policy.layout import PlannerLayout
from core.policy.normalizer import Normalizer
from core.rl.finetune_config import DppoConfig, ResidualFtConfig
from core.rl.planner_env import PlannerEnv
from core.statistics import wilson_interval
from core.tasks.box_pickup import BoxPickup
from core.tasks.box_pickup_scene import BoxPickupSettings
from trainer.finetuning import episode_seeds, finetune
from trainer.job import work_in
from trainer.jobs import evaluate
from trainer.jobs import finetune as job
from trainer.plain_evaluation import PlainEvaluation
from trainer.runs import Run, list_runs
from trainer.tuned_chain import learner_config

PLANNER = PlannerConfig(
    "mlp-diffusion", mlp=MlpConfig(width=32, blocks=1), denoising_steps=10, sampler=SamplerConfig(steps=5)
)
DPPO = DppoConfig(critic_hidden=(16,), batch_size=32, epochs=2, critic_warmup=0, precision="fp32")


def short_task(name: str, num_worlds: int) -> BoxPickup:
    """1.2 s are allowed: enough for two chunks, not for the box."""
    task = BoxPickup(num_worlds)
    task.time_limit_s = 1.2
    task.settings = replace(task.settings, verdict=replace(task.settings.verdict, time_limit_s=1.2))
    return task


class EasyTask(BoxPickup):
    """The box is held from the beginning: success after 0.3 s."""

    def __init__(self, num_worlds: int) -> None:
        settings = BoxPickupSettings()
        super().__init__(num_worlds, replace(settings, verdict=replace(settings.verdict, hold_time_s=0.2)))

    def is_held(self, state):
        return torch.ones(self.num_worlds, dtype=torch.bool)


@pytest.fixture
def _easy(monkeypatch):
    monkeypatch.setattr(trainer.policy_evaluation, "make_task", lambda name, num_worlds: EasyTask(num_worlds))


@pytest.fixture(scope="module", autouse=True)
def _short_episodes():
    before = torch.get_num_threads(), torch.get_float32_matmul_precision()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer.policy_evaluation, "make_task", short_task)
        yield
    torch.set_num_threads(before[0])
    torch.set_float32_matmul_precision(before[1])


def make_checkpoint(folder: Path, planner_config: PlannerConfig) -> Path:
    layout = PlannerLayout.of_task(BoxPickup(1))
    torch.manual_seed(0)
    planner = build_planner(layout, planner_config, Normalizer.identity(50), Normalizer.identity(23))
    save_planner(folder / "planner.safetensors", planner, planner_config, {"steps": 5})
    return folder


@pytest.fixture
def checkpoint(tmp_path) -> Path:
    return make_checkpoint(tmp_path / "start", PLANNER)


def config(checkpoint: Path, **changes) -> job.Config:
    values = {
        "checkpoint": checkpoint, "iterations": 2, "worlds": 3, "dppo": DPPO, "evaluate_episodes": 2,
        "validate_episodes": 2, "backend": "fake", "device": "cpu", "runs": checkpoint.parent / "runs",
    }  # fmt: skip
    return job.Config(**{**values, **changes})


def only_run(checkpoint: Path) -> Run:
    (run,) = list_runs(checkpoint.parent / "runs")
    return run


def test_that_a_planner_is_fine_tuned_evaluated_and_stored(checkpoint, capsys):
    assert job.main(config(checkpoint, evaluate_every=1)) == 0
    run = only_run(checkpoint)
    events = list(run.events())
    assert run.read_status().state == "finished"
    names = {name for event in events if event["kind"] == "scalars" for name in event["values"]}
    assert {f"time/{part}_s" for part in ("simulation", "sampling", "log_prob", "update")} <= names
    assert {f"explore/success_{what}" for what in ("rate", "low", "high")} <= names
    assert {"learn/kl", "learn/clip_fraction", "explore/hand_position_error_m", "evaluate/success_rate"} <= names
    told = [event for event in events if event["kind"] == "progress"]
    assert [event["done"] for event in told[:3]] == [0, 1, 2]
    assert told[-1]["done"] == told[-1]["total"] == 2 + 6 / 3  # measuring at the end takes its time, too
    assert [event["done"] for event in told] == sorted(event["done"] for event in told)
    assert [event["step"] for event in events if event["kind"] == "evaluation"] == [0, 1, 2]
    assert any("no episode succeeded" in event.get("text", "") for event in events)
    stored = load_planner(run.path / "planner.safetensors", PlannerLayout.of_task(BoxPickup(1)), tuned_steps=5)
    assert stored.config.sampler == SamplerConfig("ddim", 5, 0.0, 1.0)
    assert stored.training["before"] == {"steps": 5}
    assert stored.training["evaluations"][-1]["iteration"] == 2
    assert "iteration 2/2: success 0.0 % [0.0, 56.1] (n = 3)   kl" in capsys.readouterr().out


def test_that_inside_and_outside_of_training_the_same_is_measured(checkpoint, tmp_path):
    assert job.main(config(checkpoint)) == 0
    run = only_run(checkpoint)
    inside = next(event for event in run.events() if event["kind"] == "evaluation")
    outside = evaluate.Config(
        run.path, episodes=2, seed=95_000, backend="fake", runs=tmp_path / "e", json=tmp_path / "e.json"
    )
    assert evaluate.main(outside) == 0
    (other,) = list_runs(tmp_path / "e")
    measured = json.loads((tmp_path / "e.json").read_text())
    assert other.read_status().state == "finished"
    assert measured["failures"] == inside["failures"]
    for name in ("hand_position_error_m", "hand_orientation_error_rad"):
        assert measured[name] == pytest.approx(inside[name], rel=1e-4)
    assert measured["tuned_steps"] == 5


def weights(path: Path) -> dict[str, torch.Tensor]:
    return load_file(path)


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(("best", "last", "kept"), [(1, 3, "last"), (3, 1, "best"), (2, 2, "best")])
def test_that_the_better_of_best_and_last_is_kept(checkpoint, monkeypatch, capsys, best, last, kept):
    """What the last update made never explored; both are measured without exploration on seeds of their own."""
    asked, successes = [], iter((best, last, 2))
    real = PlainEvaluation.measure

    def measure(self, planner, seeds, stop, title="", *more):
        asked.append(seeds)
        evaluation = real(self, planner, seeds[:1], stop, title)
        return replace(evaluation, successes=next(successes), episodes=4)

    monkeypatch.setattr(PlainEvaluation, "measure", measure)
    assert job.main(config(checkpoint, validate_episodes=4, evaluate_episodes=4)) == 0

    run = only_run(checkpoint)
    chosen, other = (
        weights(run.checkpoints / f"{name}.safetensors") for name in (kept, {"best", "last"}.difference([kept]).pop())
    )
    assert same(weights(run.path / "planner.safetensors"), chosen)
    assert not same(chosen, other)
    assert asked == [range(80_000, 80_004)] * 2 + [range(95_000, 95_004)]
    event = next(event for event in run.events() if event["kind"] == "validation")
    assert event["kept"] == kept
    assert event["best"]["success_rate"] == best / 4
    assert event["last"]["ci95"] == pytest.approx(list(wilson(last, 4)))
    assert f"kept: {kept}" in capsys.readouterr().out
    assert load_planner(run.path / "planner.safetensors").training["choice"]["kept"] == kept


def wilson(successes: int, trials: int) -> tuple[float, float]:
    p = wilson_interval(successes, trials)
    return p.low, p.high


def test_that_a_stop_between_training_and_choice_changes_nothing(checkpoint):
    whole = config(checkpoint)
    assert job.main(whole) == 0
    run = Run.create(whole.runs, "finetune", whole, 0)
    measured = []

    def stop() -> bool:
        if (run.checkpoints / "last.safetensors").is_file():  # all iterations are done
            measured.append(1)
        return len(measured) > 70  # in the second of the two measurements

    assert work_in(run, lambda _: finetune(whole, run, stop)) == 130
    assert job.main(job.Config(resume=run.path)) == 0
    first, second = list_runs(whole.runs)
    for name in ("planner.safetensors", "checkpoints/best.safetensors", "checkpoints/last.safetensors"):
        assert same(weights(first.path / name), weights(second.path / name))
    choices = [load_planner(r.path / "planner.safetensors").training["choice"] for r in (first, second)]
    assert choices[0] == choices[1]


def evaluations(run: Run) -> list[int]:
    return [event["step"] for event in run.events() if event["kind"] == "evaluation"]


def test_that_a_finished_run_is_not_evaluated_again_when_it_is_resumed(checkpoint, capsys):
    assert job.main(config(checkpoint)) == 0
    run = only_run(checkpoint)
    made = {path: path.read_bytes() for path in run.path.rglob("*.safetensors")}
    capsys.readouterr()

    assert job.main(job.Config(resume=run.path)) == 0

    assert f"{run.path} is finished (2 iterations), nothing is left to do" in capsys.readouterr().out
    assert {path: path.read_bytes() for path in run.path.rglob("*.safetensors")} == made
    assert evaluations(run) == [2]
    assert run.read_status().state == "finished"


def test_that_a_run_that_was_stopped_in_its_last_evaluation_is_completed(checkpoint):
    whole = config(checkpoint)
    run = Run.create(whole.runs, "finetune", whole, 0)

    def stop() -> bool:
        return any(event["kind"] == "validation" for event in run.events())  # made just before that evaluation

    assert work_in(run, lambda _: finetune(whole, run, stop)) == 130
    assert evaluations(run) == []
    for _ in range(2):
        assert job.main(job.Config(resume=run.path)) == 0
    assert evaluations(run) == [2]
    stored = load_planner(run.path / "planner.safetensors")
    assert [entry["iteration"] for entry in stored.training["evaluations"]] == [2]


def test_that_the_choice_can_be_left_out_and_its_seeds_are_its_own(checkpoint):
    assert job.main(config(checkpoint, validate_episodes=0)) == 0
    run = only_run(checkpoint)
    assert same(weights(run.path / "planner.safetensors"), weights(run.checkpoints / "best.safetensors"))
    assert not any(event["kind"] == "validation" for event in run.events())
    with pytest.raises(ValueError, match="they must not be among the 500 that it is evaluated on"):
        config(checkpoint, evaluate_episodes=500, validate_seed=95_499)
    with pytest.raises(ValueError, match="they must not be among"):
        config(checkpoint, evaluate_episodes=500, validate_seed=94_999, validate_episodes=2)


def test_that_a_stopped_fine_tuning_ends_with_the_same_bits(checkpoint):
    whole = config(checkpoint, evaluate_episodes=0)
    assert job.main(whole) == 0
    run = Run.create(whole.runs, "finetune", whole, 0)
    looks = iter(range(10_000))
    assert work_in(run, lambda _: finetune(whole, run, lambda: next(looks) >= 90)) == 130  # in the second iteration
    assert len(load_planner(run.path / "planner.safetensors").training["history"]) < 2
    for path in checkpoint.iterdir():  # what it began from may be gone
        path.unlink()
    assert job.main(job.Config(resume=run.path)) == 0
    states = [r.checkpoints / "training.safetensors" for r in list_runs(whole.runs)]
    first, second = (load_file(path) for path in states)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.usefixtures("_easy")
def test_that_the_starts_grow_with_success_and_evaluations_are_at_the_widest(checkpoint, capsys):
    assert job.main(config(checkpoint, iterations=3, curriculum=True, curriculum_growth=0.5, evaluate_every=2)) == 0
    events = list(only_run(checkpoint).events())
    scalars = [event["values"] for event in events if event["kind"] == "scalars"]
    rows = [values for values in scalars if "curriculum/share" in values]
    assert [values["curriculum/share"] for values in rows] == [0.0, 0.5, 1.0]
    assert rows[0]["curriculum/radial_m_low"] == pytest.approx(1.2)
    assert rows[2]["curriculum/heading_rad_high"] == pytest.approx(1.2)
    grown = [(event["step"], event["share"]) for event in events if event["kind"] == "curriculum"]
    assert grown == [(1, 0.5), (2, 1.0)]
    assert [event["start_share"] for event in events if event["kind"] == "evaluation"] == [1.0, 1.0, 1.0]
    assert "grow to 50 % of the way to the widest: distance 0.92 to 1.98 m" in capsys.readouterr().out
    stored = load_planner(only_run(checkpoint).path / "planner.safetensors")
    assert [entry["start_share"] for entry in stored.training["history"]] == [0.0, 0.5]
    assert stored.training["start_share"] == 1.0


@pytest.mark.usefixtures("_easy")
def test_that_a_stopped_curriculum_goes_on_in_the_same_ranges(checkpoint):
    whole = config(checkpoint, iterations=3, curriculum=True, evaluate_episodes=0)
    assert job.main(whole) == 0
    run = Run.create(whole.runs, "finetune", whole, 0)
    looks = iter(range(10_000))
    assert work_in(run, lambda _: finetune(whole, run, lambda: next(looks) >= 40)) == 130  # in the third iteration
    assert sum(event["kind"] == "curriculum" for event in run.events()) == 2
    assert job.main(job.Config(resume=run.path)) == 0
    first, second = (load_file(r.checkpoints / "training.safetensors") for r in list_runs(whole.runs))
    assert all(torch.equal(first[name], second[name]) for name in first)
    shares = [event["share"] for event in run.events() if event["kind"] == "curriculum"]
    assert shares == [0.1, 0.2, 0.3]


@pytest.mark.usefixtures("_easy")
def test_that_starts_without_a_curriculum_stay_where_they_were_asked_for(checkpoint):
    assert job.main(config(checkpoint, start_scale="maximum")) == 0
    events = list(only_run(checkpoint).events())
    assert {v["curriculum/share"] for e in events if "curriculum/share" in (v := e.get("values", {}))} == {1.0}
    assert [event["start_share"] for event in events if event["kind"] == "evaluation"] == [1.0]
    with pytest.raises(ValueError, match="curriculum_growth must lie above 0 and not above 1, got 0"):
        config(checkpoint, curriculum_growth=0.0)
    with pytest.raises(ValueError, match="a curriculum begins below the widest starts, got start_scale 'maximum'"):
        config(checkpoint, curriculum=True, start_scale="maximum")


def test_that_a_run_whose_success_falls_fails_with_a_message_and_keeps_the_best(checkpoint, monkeypatch, capsys):
    """The world without physics never succeeds: here 60 episodes an iteration do as they are told."""
    successes = iter((40, 60, 0, 0, 0))
    collect = PlannerEnv.collect

    def told(self, *arguments):
        experience, lucky = collect(self, *arguments), next(successes)
        ends = tuple(replace(experience.first_ends[0], success=i < lucky) for i in range(60))
        return replace(experience, first_ends=ends)

    monkeypatch.setattr(PlannerEnv, "collect", told)
    assert job.main(config(checkpoint, iterations=10, patience=2)) == 1

    run = only_run(checkpoint)
    status = run.read_status()
    assert status.state == "failed"
    assert "success has fallen to 33.3 %" in status.message
    assert "from 83.3 %" in status.message
    assert "stayed there for 2 iterations: try a smaller learning_rate" in status.message
    assert f"the best planner so far is in {run.path}" in capsys.readouterr().out
    kept = load_planner(run.path / "planner.safetensors")
    assert kept.training["iterations"] == 1  # what explored when all 60 succeeded
    state = load_file(run.checkpoints / "training.safetensors")
    assert int(state["iterations"]) == 3
    assert not torch.equal(next(kept.planner.tuned.parameters()), state["parameter.0"])


def test_that_an_explosion_stops_with_a_message_and_keeps_the_best(checkpoint, capsys):
    wild = replace(DPPO, kl_limit=1e-12)
    assert job.main(config(checkpoint, dppo=wild)) == 1
    run = only_run(checkpoint)
    assert run.read_status().state == "failed"
    assert "nats per chunk in one iteration" in run.read_status().message
    assert "the best planner so far is in" in capsys.readouterr().out
    assert load_planner(run.path / "planner.safetensors").tuned_steps == 5


def test_that_weights_that_are_no_numbers_stop_it_too(checkpoint):
    assert job.main(config(checkpoint, dppo=replace(DPPO, learning_rate=1e30, target_kl=1e30, kl_limit=1e35))) == 1
    run = only_run(checkpoint)
    assert "FloatingPointError" in run.read_status().message
    stored = load_planner(run.path / "planner.safetensors").planner
    assert all(bool(value.isfinite().all()) for name, value in stored.state_dict().items() if "clip" not in name)


def test_that_it_begins_no_further_iteration_when_time_is_up(checkpoint):
    assert job.main(config(checkpoint, iterations=50, max_minutes=1e-6, evaluate_episodes=0)) == 0
    assert only_run(checkpoint).read_status().state == "finished"


def test_that_a_fine_tuned_planner_is_fine_tuned_further(checkpoint):
    assert job.main(config(checkpoint, evaluate_episodes=0)) == 0
    first = only_run(checkpoint)
    more = config(first.path, evaluate_episodes=0, validate_episodes=0, iterations=1, runs=checkpoint.parent / "more")
    assert job.main(more) == 0
    with pytest.raises(ValueError, match="has 5 fine-tuned steps, its fine-tuning cannot go on with 3"):
        job.main(replace(more, dppo=replace(DPPO, tuned_steps=3)))


def test_that_a_correction_learns_at_its_own_rate_and_nothing_else_does():
    asked = job.Config(residual=ResidualFtConfig(learning_rate=1e-3))
    assert learner_config(asked) == learner_config(replace(asked, method="mlp-ft")) == asked.dppo
    assert learner_config(replace(asked, method="residual")) == replace(asked.dppo, learning_rate=1e-3)


@pytest.mark.parametrize(("method", "kind"), [("mlp-ft", "mlp"), ("residual", "mlp-diffusion")])
def test_that_the_baselines_run_in_the_same_job(tmp_path, method, kind):
    start = make_checkpoint(tmp_path / "start", replace(PLANNER, kind=kind))
    assert job.main(config(start, method=method)) == 0
    run = only_run(start)
    stored = load_planner(run.path / "planner.safetensors", tuned_steps=0)
    assert stored.config.kind == kind
    assert [entry["episodes"] for entry in stored.training["evaluations"]] == [2]
    assert [event["step"] for event in run.events() if event["kind"] == "evaluation"] == [2]


def test_that_a_method_for_another_kind_of_planner_is_refused(tmp_path):
    start = make_checkpoint(tmp_path / "start", replace(PLANNER, kind="mlp"))
    with pytest.raises(ValueError, match=r"dppo cannot fine-tune this planner \(RegressionPlanner\)"):
        job.main(config(start))


def test_that_a_run_that_was_killed_at_once_begins_anew_when_it_is_resumed(checkpoint):
    asked = config(checkpoint, evaluate_episodes=0, iterations=1)
    run = Run.create(asked.runs, "finetune", asked, 0)
    run.status("stopped")
    assert job.main(job.Config(resume=run.path)) == 0
    assert load_planner(run.path / "planner.safetensors").tuned_steps == 5


def test_that_it_can_begin_with_random_weights(checkpoint):
    assert job.main(config(checkpoint, from_scratch=True, seed=3, iterations=1, evaluate_episodes=0)) == 0
    start = load_planner(only_run(checkpoint).checkpoints / "start.safetensors").planner
    given = load_planner(checkpoint / "planner.safetensors").planner
    assert torch.equal(start.observations.low, given.observations.low)
    pairs = zip(start.base.parameters(), given.base.parameters())
    assert not any(torch.equal(a, b) for a, b in pairs if a.ndim == 2)
    tuned = load_planner(only_run(checkpoint).path / "planner.safetensors")
    assert tuned.training["before"]["from_scratch"]


def test_that_mistakes_are_named(checkpoint, tmp_path):
    with pytest.raises(ValueError, match="a planner is needed: --checkpoint PATH"):
        job.main(job.Config(runs=tmp_path / "none"))
    with pytest.raises(ValueError, match="no checkpoint at"):
        job.main(config(tmp_path / "nothing"))
    assert list_runs(tmp_path / "runs") == []


def test_that_no_two_episodes_share_a_seed():
    seeds = [next(episode_seeds(seed, iteration)) for seed in (0, 1) for iteration in (0, 1, 9_999)]
    assert len(set(seeds)) == 6
    assert min(seeds) >= 1_000_000_000


def test_that_presets_and_options_reach_the_algorithm(checkpoint, monkeypatch):
    seen = []
    monkeypatch.setattr(job, "main", lambda config: seen.append(config) or 0)
    arguments = ["finetune", "--checkpoint", str(checkpoint), "--preset", "quick", "--tuned-steps", "3"]
    assert trainer.cli.main(arguments) == 0
    assert (seen[0].iterations, seen[0].worlds, seen[0].dppo.tuned_steps) == (20, 64, 3)
