import json

import pytest

from trainer.episode_meter import EpisodeResult
from trainer.evaluating import planner_config, report
from trainer.evaluation import Evaluation, five_numbers
from trainer.jobs.evaluate_planner import Config


def episode(seed, success, reason, duration_s, attempts, stage):
    return EpisodeResult(
        seed, success, reason, duration_s, stage, 0.01, 0.1, 0.2, 1.0, attempts, "" if success else "missed"
    )


def test_that_an_evaluation_counts_successes_reasons_and_attempts():
    results = [
        episode(3, True, "success", 14.0, 1, "hold"),
        episode(4, False, "time limit", 40.0, 3, "squeeze"),
        episode(5, True, "success", 18.0, 2, "hold"),
        episode(2, False, "robot fell", 6.0, 0, "align"),
    ]

    evaluation = Evaluation.of(results)

    assert evaluation.success_rate == 0.5
    assert evaluation.ci95 == pytest.approx((0.150, 0.850), abs=1e-3)  # Wilson, 2 of 4
    assert evaluation.task_time_quartiles_s == (14.0, 15.0, 16.0, 17.0, 18.0)
    assert evaluation.attempts == {0: 1, 1: 1, 2: 1, 3: 1}
    assert evaluation.failures == {"fell": 0, "missed": 2, "dropped": 0, "time": 0}
    assert evaluation.failure_details == {"time limit (squeeze)": 1, "robot fell (align)": 1}
    assert evaluation.failed_seeds == (2, 4)


def test_that_five_numbers_of_few_values_are_those_values():
    assert five_numbers([]) == ()
    assert five_numbers([2.0]) == (2.0,) * 5


def test_that_a_fixed_squeeze_depth_replaces_the_drawn_one():
    assert planner_config(Config(press_m=0.07)).style.press_m == (0.07, 0.07)
    assert planner_config(Config()).style.press_m[0] < planner_config(Config()).style.press_m[1]


def test_that_an_empty_evaluation_is_refused():
    with pytest.raises(ValueError, match="episodes must be"):
        Config(episodes=0)


def test_that_the_report_is_json_with_settings_and_interval():
    results = [episode(3, True, "success", 14.0, 1, "hold")]

    read = json.loads(report(Config(episodes=1), results, 2.04))

    assert read["config"]["episodes"] == 1
    assert read["success_rate"] == 1.0
    assert read["ci95"][1] == 1.0
    assert read["wall_s"] == 2.0
