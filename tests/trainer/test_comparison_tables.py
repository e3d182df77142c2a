import csv
import io
import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.trainer import comparison_numbers as made_up
from trainer.comparison.facts import training_facts
from trainer.comparison.outputs import paired_numbers, rebuild, time_change
from trainer.comparison.plan import make_plan, step_config
from trainer.comparison.tables import csv_text, learning_plots, markdown_table, plot
from trainer.jobs.compare import Config
from trainer.results_page import add_result, make_section, published, with_section, write_results


def words_of(svg: str) -> str:
    root = ET.fromstring(svg)
    return " ".join(element.text or "" for element in root.iter() if element.tag.endswith("text"))


def test_that_the_table_has_a_row_a_planner_and_says_what_it_shows():
    lines = markdown_table(made_up.comparison()).splitlines()
    assert lines[0].count("|") == lines[2].count("|") == lines[3].count("|")
    assert lines[2].startswith(
        "| label of dit | 50 | 60.0 % [52.0, 68.0] | +33.0 [+23.0, +43.0] | 0.0004 | 15.0 (13.0 to 18.0) | -12 % | 12.3"
    )
    assert "| 93.0 % [85.0, 100.0] | - | - |" in lines[3]
    assert lines[3].endswith("| 4 + 33 |")
    assert "seeds 100000 to 100099" in lines[-1]


def test_that_a_collapse_is_told_below_the_table():
    numbers = made_up.comparison(rows=[made_up.row("dppo", 50, note="CollapseError: success has fallen")], paired=[])
    assert "label of dppo ended early: CollapseError" in markdown_table(numbers)


def test_that_the_csv_has_plain_numbers():
    first, second = csv.DictReader(io.StringIO(csv_text(made_up.comparison())))
    assert (float(first["success_rate"]), float(first["difference"])) == (0.6, 0.33)
    assert float(first["hand_position_error_m"]) == 0.0123
    assert second["difference"] == ""
    assert int(second["iterations"]) == 40


def test_that_the_plot_shows_every_row():
    words = words_of(plot(made_up.comparison()))
    assert all(text in words for text in ("label of dit", "60.0 %", "93.0 %", "100 %"))
    curve = plot(made_up.sweep())
    assert "fine-tuned (DPPO)" in words_of(curve)
    assert curve.count("<polyline") == 2
    assert curve.count("<circle") == 4


def test_that_numbers_become_tables_again_without_running_anything(tmp_path, capsys):
    (tmp_path / "comparison.json").write_text(json.dumps(made_up.comparison()))
    rebuild(tmp_path, tmp_path / "pages" / "c.html")
    assert {path.name for path in tmp_path.iterdir()} >= {"table.md", "table.csv", "success.svg", "report.html"}
    page = (tmp_path / "pages" / "c.html").read_text()
    assert "label of dppo" in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")
    assert "| 4 + 33 |" in capsys.readouterr().out
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(ValueError, match="is no result of refine-dp compare"):
        rebuild(tmp_path / "other.json", None)


def test_that_pairs_are_tested_seed_by_seed_and_adjusted_together(tmp_path):
    plan = make_plan(Config(use=("dit=.", "mlp=.", "dppo=."), rows=("dit", "mlp", "dppo")))
    outcomes = {"dit": [0, 0, 0, 0, 0, 1, 1], "mlp": [0, 1, 1, 1, 1, 1, 1], "dppo": [1, 1, 1, 1, 1, 1, 1]}
    evaluations = {
        key: {"results": [{"success": bool(x), "duration_s": 10.0 - (key == "dppo")} for x in row]}
        for key, row in outcomes.items()
    }
    against_dit, against_mlp = paired_numbers(plan, evaluations)
    assert (against_dit["second"], against_dit["only_first"], against_dit["only_second"]) == ("dit", 5, 0)
    assert against_dit["p_value"] == pytest.approx(2 / 32)
    assert against_dit["p_holm"] == pytest.approx(4 / 32)
    assert against_mlp["p_holm"] == 1.0
    assert against_dit["time_change"] == pytest.approx(-0.1)
    assert time_change(*[[{"success": False, "duration_s": 1.0}]] * 2) is None


def test_that_the_cost_of_a_planner_includes_what_it_began_with():
    before = {"wall_s": 120.0, "steps": 6000, "data": {"episodes": 50}}
    after = {"wall_s": 600.0, "iterations": 40, "before": before}
    assert training_facts(after) == {
        "steps": 6000, "pretrain_minutes": 2.0, "demonstrations": 50, "iterations": 40, "best_iteration": 40,
        "finetune_minutes": 10.0,
    }  # fmt: skip
    assert training_facts({"from_scratch": True}) == {}


def steps(config: Config) -> list[str]:
    return [step.key for step in make_plan(config).steps]


def test_that_only_what_is_missing_is_trained():
    data = Path("d.hdf5")
    assert steps(Config(data, rows=("dppo",))) == ["pretrain-dit", "finetune-dppo", "evaluate-dppo"]
    everything = steps(Config(data, rows=("dit", "mlp", "mlp-ft", "residual", "dppo", "scratch")))
    assert everything.count("pretrain-dit") == everything.count("pretrain-mlp") == 1
    assert len(everything) == 2 + 4 + 6
    given = Config(use=("dppo=.", "mlp=.", "dit=."), rows=("dit", "dppo", "mlp", "mlp-ft"))
    assert steps(given) == ["evaluate-dit", "evaluate-mlp", "finetune-mlp-ft", "evaluate-mlp-ft", "evaluate-dppo"]
    assert steps(Config(use=("dppo=.",), rows=("dppo",))) == ["evaluate-dppo"]
    swept = steps(Config(data, sweep="demonstrations", counts=(20, 10)))
    assert swept[:4] == ["pretrain-dit-10", "evaluate-dit-10", "finetune-dppo-10", "evaluate-dppo-10"]
    before = Config(data, sweep="demonstrations", counts=(10, 20), rows=("dit",), use=("dppo-20=.",))
    assert steps(before) == [
        "pretrain-dit-10", "evaluate-dit-10", "pretrain-dit-20", "evaluate-dit-20", "evaluate-dppo-20"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "a data set is needed to pre-train dit, mlp: --dataset PATH"),
        ({"use": ("dipo=.",)}, "there is no row 'dipo'; known: dit, mlp"),
        ({"use": ("dppo=nowhere",)}, "nowhere does not exist"),
        ({"sweep": "demonstrations", "use": ("dppo=.",)}, "there is no row 'dppo'; known: dit-10"),
    ],
)
def test_that_mistakes_in_the_plan_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        make_plan(Config(**changes))


def test_that_mistakes_in_the_config_are_named():
    for changes, message in (
        ({"use": ("dppo",)}, "must be NAME=PATH"),
        ({"pretrain_preset": "huge"}, "pretrain_preset 'huge' does not exist; known: quick, paper"),
        ({"counts": (10, 10)}, "counts must be different"),
        ({"episodes": 0}, "episodes must be at least 1"),
    ):
        with pytest.raises(ValueError, match=message):
            Config(**changes)


def test_that_results_are_published_without_paths_of_the_machine(tmp_path):
    source = tmp_path / "run"
    source.mkdir()
    evaluation = made_up.row("dppo", 1, results=[{"success": True, "seed": 1}, {"success": False, "seed": 2}])
    evaluation |= {"kind": "evaluation", "config": {"task": "box_pickup", "checkpoint": "/home/someone/planner"}}
    (source / "evaluation.json").write_text(json.dumps(evaluation))
    path = add_result(source, tmp_path / "results")
    stored = json.loads(path.read_text())
    assert path.name == "box_pickup_evaluation.json"
    assert (stored["outcomes"], stored["config"]["checkpoint"]) == ("10", "planner")
    assert "results" not in stored
    assert published(made_up.comparison())["config"]["dataset"] == "box.hdf5"
    assert published(["dit=/home/a/run/planner.safetensors", "a=b"]) == ["dit=planner.safetensors", "a=b"]
    with pytest.raises(ValueError, match="holds no result: give a finished run folder"):
        add_result(tmp_path, tmp_path / "results")


def test_that_the_results_page_keeps_what_people_wrote(tmp_path):
    numbers, page = tmp_path / "assets", tmp_path / "docs" / "results.md"
    numbers.mkdir()
    (numbers / "methods.json").write_text(json.dumps(made_up.comparison()))
    (numbers / "sweep.json").write_text(json.dumps(made_up.sweep()))
    write_results(numbers, page, tmp_path / "docs" / "images")
    text = page.read_text()
    assert text.count("| planner |") == 2
    assert "![box_pickup: methods](images/methods.svg)" in text
    page.write_text(text.replace("## box_pickup: methods", "## Methods\n\nOur own words."))
    (numbers / "methods.json").write_text(json.dumps(made_up.comparison(rows=[made_up.row("dppo", 99)], paired=[])))
    write_results(numbers, page, tmp_path / "docs" / "images")
    again = page.read_text()
    assert "Our own words." in again
    assert "99.0 %" in again
    assert "93.0 %" not in again
    assert again.count("<!-- result methods -->") == 1
    with pytest.raises(ValueError, match="without <!-- end of methods -->"):
        with_section("<!-- result methods --> broken", "methods", "x", "t")
    (numbers / "odd.json").write_text(json.dumps({"kind": "weather"}))
    with pytest.raises(ValueError, match="kind 'weather' cannot be shown; known: comparison, demonstrations"):
        write_results(numbers, page, tmp_path / "docs" / "images")


def test_that_the_results_page_shows_how_every_method_learned(tmp_path):
    numbers, images, page = tmp_path / "assets", tmp_path / "images", tmp_path / "results.md"
    numbers.mkdir()
    history = [{"iteration": i, "successes": (10, 20, 60)[i], "episodes": 64, "start_share": 0.0} for i in range(3)]
    learned = {"demonstrations": 50, "history": history}
    rows = [made_up.row("dit", 60), made_up.row("dppo", 93, training=learned), made_up.row("scratch", 0)]
    (numbers / "methods.json").write_text(json.dumps(made_up.comparison(rows=rows)))
    write_results(numbers, page, images)
    assert "![box_pickup: methods, learning](images/methods_learning.svg)" in page.read_text()
    (curve,) = images.glob("*_learning.svg")
    assert "label of dppo" in words_of(curve.read_text())
    assert "label of scratch" not in words_of(curve.read_text())
    assert "3: 46.9 %" in curve.read_text()  # 90 of 192


def test_that_the_sweep_of_the_curriculum_is_trained_and_measured_where_it_says(tmp_path):
    plan = make_plan(Config(dataset=tmp_path / "d.hdf5", sweep="curriculum"))
    assert [step.key for step in plan.steps] == [
        "pretrain-dit", "evaluate-dit", "finetune-direct", "evaluate-direct", "finetune-led", "evaluate-led"
    ]  # fmt: skip
    planners = {row.key: tmp_path for row in plan.rows}
    made = {step.key: step_config(Config(), step, planners, tmp_path) for step in plan.steps}
    assert {made[f"evaluate-{key}"].start_scale for key in ("dit", "direct", "led")} == {"maximum"}
    tuned = [(made[key].start_scale, made[key].curriculum) for key in ("finetune-direct", "finetune-led")]
    assert tuned == [("maximum", False), ("pretraining", True)]
    usual = make_plan(Config(dataset=tmp_path / "d.hdf5"))
    (as_always,) = [step for step in usual.steps if step.key == "evaluate-dit"]
    assert step_config(Config(), as_always, planners, tmp_path).start_scale == "pretraining"


def test_that_the_curriculum_is_compared_with_both_and_its_learning_is_drawn(tmp_path):
    numbers = made_up.curriculum()
    table = markdown_table(numbers)
    assert "+86.0 [+76.0, +96.0]" in table.splitlines()[2]
    assert "success with the curriculum minus that of the row" in table
    assert "widest starts" in words_of(plot(numbers))
    success, width = learning_plots(numbers).values()
    assert success.count("<circle") == width.count("<circle") == 6
    assert "2: 10.0 %" in width
    assert learning_plots(made_up.comparison()) == {}
    (tmp_path / "comparison.json").write_text(json.dumps(numbers))
    rebuild(tmp_path, None)
    assert "Starts: 0 % as in the demonstrations" in (tmp_path / "report.html").read_text()
    assert "starts that no demonstration saw" in make_section(numbers).title
